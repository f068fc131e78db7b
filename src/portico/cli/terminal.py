"""A conversation on a terminal: one line is edited at the bottom, what arrives is printed above it.

In: a Talk, a View, the lines that are typed. Out: the end, and the terminal as it was. Ctrl-D ends our side, Ctrl-C all
of it, Ctrl-Z stops us as usual. Two threads at most wait for the peer, one each way; all printing happens on the loop,
so what arrives never gets into what is being typed.
"""

import asyncio
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app_session
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.history import History as PromptHistory
from prompt_toolkit.output import Output
from prompt_toolkit.output.vt100 import Vt100_Output

from portico.cli.history import History
from portico.cli.passing import Manner
from portico.cli.talks import Talk
from portico.cli.views import View
from portico.errors import Gone
from portico.wire.lines import printable

INTERRUPTED_CODE: Final = 130
_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)
_PROMPT: Final = "> "
# A question without a line feed ("login: ") is shown as soon as the peer has been silent for so long.
_SILENCE_S: Final = 0.15
_MOST_TYPED: Final = 100  # lines that wait for a slow peer


class Remembered(PromptHistory):
    """The history file, as prompt_toolkit wants it."""

    def __init__(self, history: History) -> None:
        super().__init__()
        self._history = history

    def load_history_strings(self) -> Iterable[str]:
        """Return the lines, latest first."""
        return reversed(self._history.lines())

    def store_string(self, string: str) -> None:
        """Remember a line."""
        self._history.add(string)


class Conversation:
    """One conversation on the terminal of this process.

    painted: colours what arrives. has_peer_ended: the peer ended its side; at the end it tells that from mere silence.
    """

    def __init__(
        self, talk: Talk, manner: Manner, view: View, *, painted: Callable[[str], str], history: History
    ) -> None:
        self._talk = talk
        self._manner = manner
        self._view = view
        self._painted = painted
        self.has_peer_ended = False
        self._line_end = "\r\n" if manner.has_crlf else "\n"
        self._session: PromptSession[str] = PromptSession(
            _PROMPT, history=Remembered(history), enable_suspend=True, output=quiet_output()
        )
        self._session.default_buffer.accept_handler = self._accept
        self._typed: asyncio.Queue[str | None] = asyncio.Queue(_MOST_TYPED)

    async def run(self) -> int:
        """Talk until the peer ends its side, or Ctrl-D and `wait_s` after it. Raises Refused or Gone where it is lost.

        Returns the exit code: 0, or 130 for Ctrl-C.
        """
        loop = asyncio.get_running_loop()
        this = asyncio.current_task()
        assert this is not None
        for number in _ENDING:
            loop.add_signal_handler(number, this.cancel)
        heard, typed = loop.create_task(self._hear()), loop.create_task(self._type())
        spoken = loop.create_task(self._speak())
        try:
            return await self._outcome(heard, typed)
        finally:
            self._talk.abort()
            if self._session.app.is_running:
                self._session.app.exit(exception=EOFError)
            spoken.cancel()
            await asyncio.gather(heard, typed, spoken, return_exceptions=True)
            for number in _ENDING:
                loop.remove_signal_handler(number)

    async def _outcome(self, heard: "asyncio.Task[int]", typed: "asyncio.Task[int]") -> int:
        await asyncio.wait([heard, typed], return_when=asyncio.FIRST_COMPLETED)
        if heard.done():
            code = heard.result()
            self.has_peer_ended = True
            return await typed if self._manner.is_kept else code
        code = typed.result()
        if not code:
            await asyncio.wait([heard], timeout=self._manner.wait_s)
        self.has_peer_ended = heard.done()
        return heard.result() if heard.done() else code

    async def _type(self) -> int:
        """Take lines until Ctrl-D, which is 0, or Ctrl-C, which is 130."""
        try:
            # One prompt for all lines: between two of them the terminal would echo, and keep Ctrl-D to itself.
            await self._session.prompt_async()
        except KeyboardInterrupt:
            return INTERRUPTED_CODE
        except EOFError:
            await self._typed.put(None)
        return 0

    def _accept(self, buffer: Buffer) -> bool:
        """Take the line that was typed; return whether it stays where it is, since the peer is far behind."""
        if self._typed.full():
            return True
        self._typed.put_nowait(buffer.text)
        self._show(f"{_PROMPT}{printable(buffer.text)}\n")
        return False

    async def _speak(self) -> None:
        """Send what was typed, one after the other. A loss is told by whoever listens."""
        with suppress(Gone):
            while (line := await self._typed.get()) is not None:
                text = line if self._talk.is_datagrams else line + "\n"
                data = self._talk.charset.encode(text.replace("\n", self._line_end))
                self._print(self._view.sent(data))  # before the answer, which may be quick
                await asyncio.to_thread(self._talk.send, data)
        self._talk.end()

    async def _hear(self) -> int:
        """Print what arrives until the peer ends its side."""
        while True:
            if self._view.is_holding and not await asyncio.to_thread(self._talk.is_heard, _SILENCE_S):
                self._print(self._view.rest())
            data = await asyncio.to_thread(self._talk.receive)
            if data is None:
                break
            self._print(self._view.received(data))
        self._print(self._view.rest())
        return 0

    def _print(self, text: str) -> None:
        if text:
            self._show(self._painted(text))

    def _show(self, text: str) -> None:
        """Write above the line that is being edited; the terminal stays in the mode in which it does not echo."""
        app = self._session.app
        if not app.is_running:
            app.output.write_raw(text)
            app.output.flush()
            return
        app.renderer.erase()
        app.output.write_raw(text.replace("\n", "\r\n"))
        app.output.flush()
        app.invalidate()


def quiet_output() -> Output:
    """Return the terminal, which is not asked where its cursor is: only menus need to know, and not all answer."""
    output = get_app_session().output
    if isinstance(output, Vt100_Output):
        output.enable_cpr = False
    return output
