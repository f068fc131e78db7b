"""Lines that somebody types at a terminal, or that come from a pipe, and lines to show above them.

    Typist.run(take)
      at a terminal       one prompt for all lines, with history and completion; what is shown stands above it
      elsewhere           lines of standard input, to its end
    Typist.show           a line, now

In: what is typed. Out: calls of `take`, one line each, one after the other: a slow one makes a pipe wait. SIGTERM and
SIGHUP end the prompt as Ctrl-D does, so that the terminal is given back as it was.
"""

import asyncio
import os
import select
import signal
import sys
from codecs import getincrementaldecoder
from collections.abc import Awaitable, Callable, Iterable
from enum import Enum
from typing import TYPE_CHECKING, Final

from portico.cli.history import History
from portico.wire.lines import printable

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.buffer import Buffer
    from prompt_toolkit.completion import Completer

PROMPT: Final = "> "
_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)
_MOST_TYPED: Final = 100  # lines that wait for whoever takes them
_PIECE: Final = 64 * 1024
_MAX_LINE: Final = 1 << 20  # characters; a longer line of a pipe is cut into several

Take = Callable[[str], Awaitable[bool]]
Names = Callable[[], Iterable[str]]


class Ending(Enum):
    """How it came to an end. QUIT: the person wants no more. OVER: the pipe, or the file, has no more."""

    QUIT = "quit"
    OVER = "over"


class Typist:
    """See the module. history: the file of what was typed before, "" for none. names: what Tab completes.

    source: the descriptor that lines come from. has_terminal: None to look whether both ends are one.
    """

    def __init__(
        self, *, history: str = "", names: Names | None = None, source: int = 0, has_terminal: bool | None = None
    ) -> None:
        self.has_terminal = os.isatty(0) and os.isatty(1) if has_terminal is None else has_terminal
        self._history = history
        self._names = names
        self._session: PromptSession[str] | None = None
        self._source = source
        self._typed: asyncio.Queue[str] = asyncio.Queue(_MOST_TYPED)

    def show(self, text: str) -> None:
        """Show a line, or several; they are printable already."""
        session = self._session
        if session is None or not session.app.is_running:
            print(text, flush=True)
            return
        app = session.app
        app.renderer.erase()
        app.output.write_raw(f"{text}\n".replace("\n", "\r\n"))
        app.output.flush()
        app.invalidate()

    async def run(self, take: Take) -> Ending:
        """Take lines until `take` returns False, or until there are no more."""
        return await (self._prompt(take) if self.has_terminal else self._read(take))

    # a terminal

    async def _prompt(self, take: Take) -> Ending:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.shortcuts import CompleteStyle

        from portico.cli.terminal import Remembered, quiet_output

        session: PromptSession[str] = PromptSession(
            PROMPT,
            history=Remembered(History(self._history)),
            completer=None if self._names is None else _completer(self._names),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
            reserve_space_for_menu=0,
            enable_suspend=True,
            output=quiet_output(),
        )
        session.default_buffer.accept_handler = self._accept
        self._session = session
        loop = asyncio.get_running_loop()
        for number in _ENDING:
            loop.add_signal_handler(number, self._leave)
        taking = loop.create_task(self._take_all(take))
        try:
            await session.prompt_async()
        except (EOFError, KeyboardInterrupt):
            pass
        finally:
            for number in _ENDING:
                loop.remove_signal_handler(number)
            self._session = None
            taking.cancel()
            await asyncio.wait((taking,))
        if not taking.cancelled() and (exc := taking.exception()) is not None:
            raise exc
        return Ending.QUIT

    def _leave(self) -> None:
        if self._session is not None and self._session.app.is_running:
            self._session.app.exit(exception=EOFError)

    def _accept(self, buffer: "Buffer") -> bool:
        """Take the line that was typed; return whether it stays where it is, since too many wait."""
        if self._typed.full():
            return True
        self._typed.put_nowait(buffer.text)
        self.show(f"{PROMPT}{printable(buffer.text)}")
        return False

    async def _take_all(self, take: Take) -> None:
        try:
            while await take(await self._typed.get()):
                pass
        finally:
            self._leave()

    # a pipe

    async def _read(self, take: Take) -> Ending:
        stop, stopped = os.pipe()
        decoder = getincrementaldecoder("utf-8")("replace")
        held = ""
        try:
            while piece := await self._piece(stop, stopped):
                *lines, held = (held + decoder.decode(piece)).split("\n")
                while len(held) > _MAX_LINE:
                    lines.append(held[:_MAX_LINE])
                    held = held[_MAX_LINE:]
                for line in lines:
                    if not await take(line.removesuffix("\r")):
                        return Ending.QUIT
            held += decoder.decode(b"", final=True)
            return Ending.QUIT if held and not await take(held) else Ending.OVER
        finally:
            os.close(stop)
            os.close(stopped)

    async def _piece(self, stop: int, stopped: int) -> bytes:
        """Return what comes next, b"" at the end; a thread waits for it, which leaves as soon as this is cancelled."""
        waiting = asyncio.get_running_loop().run_in_executor(None, _received, self._source, stop)
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            os.write(stopped, b"\0")
            await asyncio.wait((waiting,))
            raise


def _received(source: int, stop: int) -> bytes:
    poll = select.poll()
    poll.register(source, select.POLLIN)
    poll.register(stop, select.POLLIN)
    if any(fd == stop for fd, _ in poll.poll()):
        return b""
    try:
        return os.read(source, _PIECE)
    except OSError:  # it is closed, or the terminal has hung up
        return b""


def _completer(names: Names) -> "Completer":
    """Complete words: commands, and names that have been heard."""
    from prompt_toolkit.completion import WordCompleter

    return WordCompleter(lambda: sorted(set(names())), sentence=False, WORD=True)


def complain(text: str) -> None:
    """Say on standard error what went wrong."""
    print(text, file=sys.stderr, flush=True)
