"""Which signal means what to a supervisor, and to whom the terminal's signals go.

    TERM       drain and stop            INT    the same; a second one cuts
    QUIT       stop now                  HUP    start every worker anew, one by one
    TTIN TTOU  one worker more, one less

These are gunicorn's, so that scripts keep working. A terminal sends INT and HUP to the whole group of processes, the
workers among them; there the supervisor alone decides, hence `shielded` here and `shield` in the worker.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

ACTIONS: Final = {
    signal.SIGTERM: "stop",
    signal.SIGINT: "interrupt",
    signal.SIGQUIT: "cut",
    signal.SIGHUP: "reload",
    signal.SIGTTIN: "grow",
    signal.SIGTTOU: "shrink",
    signal.SIGCHLD: "reap",
}
_OF_THE_TERMINAL: Final = frozenset({signal.SIGINT, signal.SIGHUP})


@contextmanager
def handled(actions: Mapping[str, Callable[[], None]]) -> Iterator[None]:
    """Call an action in the running loop whenever its signal comes. actions: by the names in `ACTIONS`, all of them.

    To be used in the main thread.
    """
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in ACTIONS}
    for number, name in ACTIONS.items():
        loop.add_signal_handler(number, actions[name])
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextmanager
def shielded() -> Iterator[None]:
    """Keep the terminal's signals waiting while a process is started, which inherits them blocked.

    So none kills it before its own `shield`; one that comes meanwhile reaches this process afterwards.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _OF_THE_TERMINAL)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def shield() -> None:
    """Make this process, a worker, deaf to the terminal's signals; what it starts itself is not."""
    for number in _OF_THE_TERMINAL:
        # A handler, not SIG_IGN, which programs started from here would inherit.
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _OF_THE_TERMINAL)


def name_of(number: int) -> str:
    """Return a signal's name, as SIGKILL; its number in words where the system has no name for it."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def is_hung_up(fd: int) -> bool:
    """Tell whether the terminal behind a descriptor is gone. A descriptor that is no terminal counts as gone."""
    try:
        os.tcgetpgrp(fd)
    except OSError:
        return True
    return False
