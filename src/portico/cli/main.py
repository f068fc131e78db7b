"""The two ways in: `main` for the command `portico`, `main_module` for `python -m portico`.

In: words. Out: an exit code. 0: done, or stopped in good order. 2: the words or the settings cannot work, and one
line on standard error says why. 130: cut off by a second Ctrl-C. A mistake that a person can make never ends in a
traceback.
"""

import gc
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click

_USAGE_CODE = 2
_INTERRUPTED_CODE = 130

# One row a command: its name, and the module that has it, as `command` where no name follows.
COMMANDS = {
    "serve": "portico.cli.serve",
    "run": "portico.cli.run",
    "check": "portico.cli.check",
    "greet": "portico.cli.services:greet",
    "reply": "portico.cli.services:reply",
    "echo": "portico.cli.services:echo",
    "time": "portico.cli.services:time",
    "temperature": "portico.cli.services:temperature",
    "chat": "portico.cli.chat",
    "get": "portico.cli.get",
    "connect": "portico.cli.connect",
    "talk": "portico.cli.talk",
    "contacts": "portico.cli.contacts",
}
# Titles of the overview, each above the command it begins with.
_TITLES = {"serve": "commands-serve", "greet": "commands-services", "get": "commands-clients"}


def main(words: Sequence[str] | None = None) -> int:
    """Run the command `portico`; return the exit code. words: what follows its name, None for those of this process."""
    return _run("portico", sys.argv[1:] if words is None else words, _portico)


def main_module(words: Sequence[str]) -> int:
    """Run `python -m portico`: a command of `portico` where the first word names one, else the drop-in."""
    is_ours = bool(words) and (words[0] in COMMANDS or words[0] == "--version")
    return _run("python -m portico", words, _portico if is_ours else _drop_in)


def _run(name: str, words: Sequence[str], load: Callable[[], "click.Command"]) -> int:
    # Nothing that is loaded at the start is garbage; looking for some took 4 % of the time to the first answer.
    # `serve.run` switches the collector on again.
    gc.disable()
    _hold_standard_streams()
    import click

    from portico.cli.group import complaint, words_of_environment

    try:
        code = load().main(list(words), prog_name=name, standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        return _INTERRUPTED_CODE
    except click.ClickException as exc:
        _complain(complaint(exc, name, words_of_environment()))
        return _USAGE_CODE
    finally:
        gc.enable()
    return code if isinstance(code, int) else 0


def _hold_standard_streams() -> None:
    """Open the null device for each standard stream that is closed, or a socket would get its number."""
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free: this one
            setattr(sys, name, open(fd, mode, encoding="utf-8", closefd=False))


def _complain(text: str) -> None:
    """Tell the person, or the supervisor of a worker whose words make no sense any more."""
    if "PORTICO_WORKER" in os.environ:
        from portico.workers.worker import WorkerLink

        link = WorkerLink.from_environment()
        assert link is not None
        link.failed(text)
        link.close()
    else:
        print(text, file=sys.stderr)


def _portico() -> "click.Command":
    from portico.cli.group import CommandGroup, Example

    examples = (
        Example("portico serve", "serve-example-here"),
        Example("portico serve --lan", "serve-example-lan"),
        Example("portico run", "run-example-found"),
        Example("portico run main:app", "run-example-named"),
        Example("portico check", "check-example"),
        Example("portico greet hello", "greet-example"),
        Example("portico connect :8000", "service-example-try"),
        Example("portico get -O URL", "get-example-file"),
    )
    return CommandGroup("portico", COMMANDS, examples, titles=_TITLES)


def _drop_in() -> "click.Command":
    from portico.cli.drop_in import command

    return command
