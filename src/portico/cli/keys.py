"""Single keys from a terminal, and a terminal that is always given back as it was.

In: a loop and a callback. Out: one call for each key. The terminal is in cbreak mode only while this process is in its
foreground: stopped by Ctrl-Z, moved to the background or ended, it leaves the terminal to the shell.
"""

import asyncio
import os
import re
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

# Being moved to the foreground sends no signal to a process that runs.
_LOOK_S = 1.0
_MAX_BYTES = 64
# An arrow or a function key is one sequence, of which no part was meant (ECMA-48, 5.4; SS3 is what xterm adds).
_SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|O[@-~]|[ -/]*[0-~])?")


def is_foreground(fd: int) -> bool:
    """Tell whether this process is in the foreground of the terminal at a descriptor."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:  # not our controlling terminal: nobody will stop us for using it
        return True


def stop_process() -> None:
    """Stop, until SIGCONT. The default action of SIGTSTP cannot be had while a loop handles that signal."""
    os.kill(os.getpid(), signal.SIGSTOP)


class Keyboard:
    """The keys of the terminal at a descriptor.

    open: begin. close: end, and restore the terminal; it may be called twice, and must be called.
    stop: stops this process, as Ctrl-Z should. is_foreground: whether the terminal at a descriptor is ours to use.
    """

    def __init__(
        self,
        fd: int,
        on_key: Callable[[str], None],
        *,
        stop: Callable[[], None] = stop_process,
        is_foreground: Callable[[int], bool] = is_foreground,
    ) -> None:
        self._stop = stop
        self._is_foreground = is_foreground
        self._given = fd
        self._on_key = on_key
        self._fd = -1
        self._saved: list[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_reading(self) -> bool:
        """Whether the terminal is ours now, and keys are taken."""
        return self._saved is not None

    @property
    def is_waiting(self) -> bool:
        """Whether the terminal is somebody else's now, and is looked at again later."""
        return self._timer is not None

    @classmethod
    def at(cls, fd: int, on_key: Callable[[str], None]) -> "Keyboard | None":
        """Return the keyboard at a descriptor, None where there is none."""
        if os.name != "posix" or not os.isatty(fd):
            return None
        return cls(fd, on_key)

    def open(self) -> None:
        """Take keys from now on, within a running loop; a terminal without a name, as in some containers, has none."""
        try:
            # Our own opening of it: the loop makes it non-blocking, which must not happen to the shell's.
            self._fd = os.open(os.ttyname(self._given), os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTSTP, self._suspend)
        loop.add_signal_handler(signal.SIGCONT, self._look)
        self._look()

    def close(self) -> None:
        """Give the terminal back and take no more keys."""
        self._leave()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._fd >= 0:
            loop = asyncio.get_running_loop()
            loop.remove_signal_handler(signal.SIGTSTP)
            loop.remove_signal_handler(signal.SIGCONT)
            os.close(self._fd)
            self._fd = -1

    def _look(self) -> None:
        """Enter or leave cbreak mode, as this process is in the foreground or not; look again later if it is not."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._is_foreground(self._fd):
            self._enter()
        else:
            self._look_later()

    def _look_later(self) -> None:
        self._forsake()
        self._timer = asyncio.get_running_loop().call_later(_LOOK_S, self._look)

    def _enter(self) -> None:
        import termios

        try:
            mode = termios.tcgetattr(self._fd)
            self._saved = self._saved or [*mode[:6], list(mode[6])]
            mode[3] &= ~(termios.ECHO | termios.ICANON)
            mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
            termios.tcsetattr(self._fd, termios.TCSANOW, mode)
            asyncio.get_running_loop().add_reader(self._fd, self._read)
        except termios.error:  # it has hung up
            self._forsake()

    def _leave(self) -> None:
        """Restore the terminal, if it is ours now."""
        import termios

        saved = self._saved
        self._forsake()
        if saved is not None and self._is_foreground(self._fd):
            with suppress(termios.error):  # it has hung up
                termios.tcsetattr(self._fd, termios.TCSANOW, saved)

    def _forsake(self) -> None:
        """Let go of the terminal without touching it: the shell has it."""
        if self._saved is not None:
            self._saved = None
            asyncio.get_running_loop().remove_reader(self._fd)

    def _suspend(self) -> None:
        self._leave()
        self._stop()
        # SIGCONT's handler looks at the terminal again.

    def _read(self) -> None:
        data = b""
        with suppress(OSError):  # it has hung up, or another program was faster
            if self._is_foreground(self._fd):
                data = os.read(self._fd, _MAX_BYTES)
        if not data:
            self._look_later()
        for character in _SEQUENCE.sub(b"", data).decode("utf-8", "replace"):
            self._on_key(character)
