"""The two ways in: `main` for the command `portico`, `main_module` for `python -m portico`.

In: words. Out: an exit code. 0: done, or stopped in good order. 2: the words or the settings cannot work, and one
line on standard error says why. 130: cut off by a second Ctrl-C. A mistake that a person can make never ends in a
traceback.
"""

import sys
from collections.abc import Sequence

import click

from portico.cli.group import CommandGroup, Example, complaint, words_of_environment
from portico.errors import PorticoError

_USAGE_CODE = 2
_INTERRUPTED_CODE = 130

# One row a command: its name, and the module that has it as `command`.
COMMANDS = {"serve": "portico.cli.serve"}

EXAMPLES = (
    Example("portico serve", "serve-example-here"),
    Example("portico serve --lan", "serve-example-lan"),
    Example("portico serve a=DIR b=DIR", "serve-example-several"),
)

portico = CommandGroup("portico", COMMANDS, EXAMPLES)


def main(words: Sequence[str] | None = None) -> int:
    """Run the command `portico`; return the exit code. words: what follows its name, None for those of this process."""
    return _run(portico, "portico", words)


def main_module(words: Sequence[str]) -> int:
    """Run `python -m portico`: a command of `portico` where the first word names one, else the drop-in."""
    if words and (words[0] in COMMANDS or words[0] == "--version"):
        return _run(portico, "python -m portico", words)
    from portico.cli.drop_in import command

    return _run(command, "python -m portico", words)


def _run(command: click.Command, name: str, words: Sequence[str] | None) -> int:
    try:
        code = command.main(None if words is None else list(words), prog_name=name, standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        return _INTERRUPTED_CODE
    except (click.ClickException, PorticoError) as exc:
        print(complaint(exc, name, words_of_environment()), file=sys.stderr)
        return _USAGE_CODE
    return code if isinstance(code, int) else 0
