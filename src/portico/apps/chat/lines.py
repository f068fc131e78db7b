r"""The chat over TCP lines: netcat, telnet, and the debugging assistants that send text without line feeds.

    lines_service(setting)
      receive -> LineReader -> Charset -> commands.obey     what somebody types, in UTF-8 or GB18030
      Session, Hub -> LinesWire -> Talker.read -> printable what happens, a line each
    /json on
      receive -> lines -> Session.take                      frames of v1 from then on, a line each, in UTF-8
      Session, Hub -> LinesWire                             as they are

Nobody's text moves a cursor, begins a line or stands in another's line: every line is made printable where it leaves.
A reader that is slow is read for from the log when it has room again; one that takes nothing is let go, and comes back
by its token. As long as a peer has not sent a line feed, what comes at once is a line; afterwards line feeds count.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from portico.apps.chat import frames
from portico.apps.chat.commands import Command, obey
from portico.apps.chat.entrance import Caller
from portico.apps.chat.events import Rejected
from portico.apps.chat.talker import Setting, Talker
from portico.apps.chat.websocket import ABUSIVE, SILENT
from portico.apps.chat.wording import LANGUAGES, TICK, phrase
from portico.errors import Gone
from portico.server.service import StreamService
from portico.server.stream import Stream
from portico.wire.charset import AUTO, GB18030, Charset
from portico.wire.lines import LineReader, printable

VIA: Final = "tcp"
MAX_LINE: Final = 64 * 1024  # bytes; a frame has as many
MAX_UNSENT: Final = 64 * 1024  # characters; beyond, a reader gets the rest from the log
LOST_S: Final = 60  # without a sign of life of the peer's machine; whoever is not there is not shown as if
_AT_ONCE: Final = 64  # lines in one write
_GBK_TICK: Final = "√"  # GBK, of all that is in GB18030, is what old terminals know
_BYE: Final = '{"t":"bye"'


class LinesWire:
    """The way out to one peer; see `hub.Wire`. Holds frames, and lines that are ready, until they are written."""

    def __init__(self) -> None:
        self.on_room: Callable[[], None] = lambda: None
        self._items: deque[str | tuple[str, ...]] = deque()
        self._size = 0
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()
        self._emptied.set()

    @property
    def has_room(self) -> bool:
        """Whether what is sent now will leave soon."""
        return self._size < MAX_UNSENT

    def send(self, messages: Sequence[str]) -> None:
        """Send frames."""
        for message in messages:
            self._put(message, len(message))

    def show(self, *lines: str) -> None:
        """Send lines that are ready."""
        if lines:
            self._put(lines, sum(map(len, lines)))

    def _put(self, item: str | tuple[str, ...], size: int) -> None:
        self._items.append(item)
        self._size += size + 1
        self._filled.set()
        self._emptied.clear()

    async def filled(self) -> None:
        """Wait for something to write."""
        await self._filled.wait()

    async def take(self) -> list[str | tuple[str, ...]]:
        """Wait for something to write; return it. `wrote` says when it is written."""
        await self.filled()
        taken = [self._items.popleft() for _ in range(min(len(self._items), _AT_ONCE))]
        if not self._items:
            self._filled.clear()
        return taken

    def wrote(self, items: Sequence[str | tuple[str, ...]]) -> None:
        """Make room: these have been written."""
        had_room = self.has_room
        self._size -= sum(len(item) + 1 if isinstance(item, str) else sum(map(len, item)) + 1 for item in items)
        if not self._size:
            self._emptied.set()
        if self.has_room and not had_room:
            self.on_room()

    def drop(self, is_void: Callable[[str], bool]) -> None:
        """Take back frames that nobody has begun to write. is_void: told a frame, says whether it is to go."""
        items, self._items = self._items, deque()
        void: list[str] = []
        for item in items:
            if isinstance(item, str) and is_void(item):
                void.append(item)
            else:
                self._items.append(item)
        if not self._items:
            self._filled.clear()
        self.wrote(void)

    @property
    def is_empty(self) -> bool:
        """Whether everything has been written."""
        return not self._size

    async def flushed(self) -> None:
        """Wait until everything has been written."""
        await self._emptied.wait()


class Patience(NamedTuple):
    """How long a peer may take nothing of what is written to it, and how long it may be nobody."""

    stall_s: float = 60.0
    stranger_s: float = 600.0


def lines_service(setting: Setting, *, encoding: str = AUTO, patience: Patience | None = None) -> StreamService:
    """Make the service of TCP lines.

    setting: what talkers share, with the `via` that events get. encoding: of what is typed, "auto" for UTF-8 or
    GB18030. Raises UsageError for none.
    """

    async def chat(stream: Stream) -> None:
        await _Lines(setting, stream, Charset(encoding), patience or Patience()).run()

    return StreamService(chat, "chat", encoding=encoding)


class _Lines:
    """One connection."""

    def __init__(self, setting: Setting, stream: Stream, charset: Charset, patience: Patience) -> None:
        self._charset = charset
        self._is_json = False
        self._patience = patience
        self._reader = LineReader(MAX_LINE, is_telnet=not charset.has_byte_ff)
        self._lines: deque[bytes] = deque()
        self._is_over = False
        self._writes_lines = False
        self._stream = stream
        self._wire = LinesWire()
        self._talker = Talker(setting, self._wire, Caller(stream.peer.host, "netcat"), self._wire.show)
        self._wire.on_room = self._pump
        self._also: Mapping[str, Command] = {
            "login": Command(self._login, "NAME", ("come in with an account", "登录账号"), asks=True),
            "encoding": Command(self._encoding, "utf-8 | gbk | auto", ("of your text", "切换文字编码"), asks=True),
            "json": Command(self._json, "on", ("a frame a line, for programs", "改为每行一帧，供程序使用"), asks=True),
        }

    def _pump(self) -> None:
        if self._talker.session.reader is not None:
            self._talker.session.reader.pump()

    async def run(self) -> None:
        """Serve the connection to its end."""
        self._stream.notice_loss(LOST_S)
        reading = asyncio.create_task(self._read_all())
        writing = asyncio.create_task(self._write_all())
        try:
            await asyncio.wait((reading, writing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reading, writing):
                task.cancel()
            await asyncio.wait((reading, writing))
            self._talker.end()
        for task in (reading, writing):
            if not task.cancelled() and (exc := task.exception()) is not None:
                raise exc

    # in

    async def _read_all(self) -> None:
        talker = self._talker
        try:
            talker.check_in()
        except Rejected as exc:
            talker.complain(exc)
            await self._wire.flushed()
            return
        word = "welcome_desk" if talker.has_desk else "welcome_rooms"  # nobody has said a language yet
        self._wire.show(" ".join(phrase(word, language) for language in LANGUAGES))
        ends_s = asyncio.get_running_loop().time() + self._patience.stranger_s
        try:
            while not talker.is_ended and (line := await self._read_line_until(ends_s)) is not None:
                await self._take(line)
                if talker.me is not None and talker.setting.is_abusive(talker.me):
                    talker.session.say(frames.write("bye", code=ABUSIVE, why="too many, for too long"))
        except TimeoutError:
            why = f"nothing was said in {self._patience.stranger_s:g} s"
            talker.session.say(frames.write("bye", code=SILENT, why=why))
        await self._settle()

    async def _read_line_until(self, ends_s: float) -> bytes | None:
        """Return the next line; raise TimeoutError where somebody who is nobody yet takes too long."""
        if self._talker.me is not None:
            return await self._read_line()
        async with asyncio.timeout_at(ends_s):
            return await self._read_line()

    async def _take(self, line: bytes) -> None:
        if self._is_json:
            await self._talker.session.take(line.decode(errors="replace"))
        else:
            await obey(self._talker, self._charset.decode(line, final=True), self._also)
        if not self._wire.has_room:  # who asks and does not listen is not asked for more
            await self._wire.flushed()

    async def _read_line(self) -> bytes | None:
        """Return the next line, None at the end. Raises PeerError for one that is too long, Gone."""
        while not self._lines:
            if self._is_over:
                return None
            piece = await self._stream.receive()
            self._is_over = not piece
            self._lines += self._split(piece)
        return self._lines.popleft()

    def _split(self, piece: bytes) -> list[bytes]:
        lines = self._reader.feed(piece) if piece else self._reader.feed_eof()
        self._writes_lines = self._writes_lines or bool(lines)
        if not self._writes_lines and piece and (text := self._reader.take_unfinished()):
            return [text]
        return lines

    async def _settle(self) -> None:
        """Wait for the answers to what was asked last, and for them to be written."""
        session, store = self._talker.session, self._talker.setting.house.hub.store
        for _ in range(2):  # what was asked for stands in the store's queues in front of these
            await asyncio.sleep(0)
            if self._is_json:
                with suppress(Rejected):
                    await store.write(lambda change: None)
            await store.read_long(lambda db: None)
        while session.reader is not None and session.reader.lagging and self._wire.has_room:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        await self._wire.flushed()

    # commands of this transport

    async def _login(self, talker: Talker, rest: str) -> None:
        login, _, password = rest.partition(" ")
        if not password:
            talker.tell("password")
            typed = await self._read_line()
            password = "" if typed is None else self._charset.decode(typed, final=True)
        me = await talker.sign_in(login, password.strip())
        talker.tell("you_are", name=me.name)

    async def _encoding(self, talker: Talker, rest: str) -> None:
        self._charset = Charset(rest)
        talker.tell("encoding", name=rest.lower())

    async def _json(self, talker: Talker, rest: str) -> None:
        if rest.lower() != "on":
            talker.tell("page_only")
            return
        await self._wire.flushed()
        self._is_json = self._writes_lines = True

    # out

    async def _write_all(self) -> None:
        with suppress(Gone, TimeoutError):
            while not (self._talker.is_ended and self._wire.is_empty):
                items = await self._wire.take()
                text = "".join([await self._rendered(item) for item in items])
                async with asyncio.timeout(self._patience.stall_s):
                    await self._stream.send(self._encoded(text))
                self._wire.wrote(items)

    async def _rendered(self, item: str | tuple[str, ...]) -> str:
        if self._is_json and isinstance(item, str):
            self._talker.is_ended = self._talker.is_ended or item.startswith(_BYE)
            return item + "\n"
        lines = item if isinstance(item, tuple) else await self._talker.read(item)
        return "".join(f"{printable(line)}\n" for line in lines)

    def _encoded(self, text: str) -> bytes:
        if self._is_json:
            return text.encode()
        return self._charset.encode(text.replace(TICK, _GBK_TICK) if self._charset.name == GB18030 else text)
