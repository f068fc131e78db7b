r"""The chat over UDP: a datagram is a line, from programs that know nothing of us; or numbered, and acknowledged.

    Correspondence(setting)
      service.take -> Correspondent.take -> commands.obey       text: `你好`, `/name 张三`, `q`
                                         -> Talker.say          `#7 text` -> `#7 ok 12`, or `#7 no rate`
      Session, Hub -> LinesWire -> Correspondent.write -> post  text as it is; or `#s12 text` until `#s12 ok`

Who an address is: a person of kind "peer", made at its first text. It is known as long as the address is the same;
`/token` gives what takes the person along to another one. What happens while it is silent waits in the log until it
speaks again. A peer that numbers what it sends is acknowledged, and acknowledges: one datagram at a time, so that they
come in order, repeated after 0.5, 1, 2 and 4 s. `#have 12` asks for everything behind 12. A conversation that is not
the peer's own is named in front of the number, `#s5:12 text`; what is too long for a datagram has parts, `#s12.2 text`.

Anybody can write anybody's address into a datagram. From outside the own network nothing is taken, and nothing larger
than what came is answered, before an address has shown that it is there: `#hello`, filled up with anything to 23 bytes,
is answered by `#hello COOKIE`, and that sent back opens. The cookie is made of the address, so nothing is kept of those
who only ask.
"""

import asyncio
import hashlib
import hmac
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from portico.apps.chat import people
from portico.apps.chat.commands import Command, obey
from portico.apps.chat.entrance import Caller
from portico.apps.chat.events import Rejected
from portico.apps.chat.lines import LinesWire
from portico.apps.chat.log import Change
from portico.apps.chat.session import Me
from portico.apps.chat.talker import Manner, Setting, Talker
from portico.apps.chat.wording import Frame, parse_event, phrase, plain_text
from portico.errors import UsageError
from portico.server.buckets import Reach, reach_of
from portico.server.peer import Peer
from portico.server.service import DatagramService
from portico.wire.charset import AUTO, Charset
from portico.wire.lines import printable

VIA: Final = "udp"
MAX_PAYLOAD: Final = 1_200  # bytes of a datagram; what every network carries in one piece
REPEATS_S: Final = (0.5, 1.0, 2.0, 4.0)
IDLE_S: Final = 600.0  # of silence, after which a peer is not there any more
MAX_PEERS: Final = 2_000
MAX_PROVEN: Final = 10_000
COOKIE_MS: Final = 300_000
MANNER: Final = Manner(at_first=1_000, has_ticks=False, reads_by_writing=False)
_HELLO: Final = "#hello "
_COOKIE_CHARS: Final = 16
_ENDS: Final = frozenset({"q", "/quit", "/bye", "/exit"})

_ACKNOWLEDGED: Final = re.compile(r"#s([0-9][0-9:.]{0,40}) ok")
_HAVE: Final = re.compile(r"#have (?:([0-9]{1,15}):)?([0-9]{1,15})")
_IS_NUMBERED: Final = re.compile(r"#(?!hello)[A-Za-z0-9_.-]{1,32} ")
_NUMBERED: Final = re.compile(r"#([A-Za-z0-9_.-]{1,32}) (.+)", re.DOTALL)

Post = Callable[[Peer, bytes], object]


class Correspondence:
    """All peers of one service. Belongs to one loop; whoever made it closes it, before the store.

    service: for the server. post: sends a datagram unasked, the server's `send`; set before anything is taken.
    setting: its `via` and `manner` are VIA and MANNER. reach: tells how far away an address is. repeats_s, idle_s: see
    the module.
    """

    def __init__(
        self,
        setting: Setting,
        *,
        encoding: str = AUTO,
        reach: Callable[[str], Reach] = reach_of,
        repeats_s: Sequence[float] = REPEATS_S,
        idle_s: float = IDLE_S,
    ) -> None:
        self.encoding = encoding
        self.idle_s = idle_s
        self.post: Post = lambda peer, data: None
        self.reach = reach
        self.repeats_s = tuple(repeats_s)
        self.service = DatagramService(self.take, "chat")
        self.setting = setting._replace(house=setting.house._replace(recognise=self._recognise), via=VIA, manner=MANNER)
        self._inner = setting.house.recognise
        self._peers: OrderedDict[Peer, Correspondent] = OrderedDict()
        self._proven: OrderedDict[Peer, None] = OrderedDict()
        self._secret = secrets.token_bytes(32)
        self._tokens: dict[str, Me] = {}
        Charset(encoding)

    async def take(self, datagram: bytes, peer: Peer) -> bytes | None:
        """Take a datagram; return what answers it."""
        is_far = self.reach(peer.host) is Reach.PUBLIC
        if is_far and peer not in self._proven:
            return self._welcome(datagram, peer)
        found = self._peers.get(peer)
        if found is None:
            try:
                self.setting.entrance.check_rate(peer.host, "connect")
            except Rejected as exc:
                if exc.code == "blocked":  # who is kept out is not even answered
                    return None
            found = self._peers[peer] = Correspondent(self, peer)
            if len(self._peers) > MAX_PEERS:
                next(iter(self._peers.values())).end()
        self._peers.move_to_end(peer)
        answer = await found.take(datagram)
        if answer is None or not is_far:
            return answer
        self.post(peer, answer)  # it is there, so its answers may be larger
        return None

    async def close(self) -> None:
        """End with everybody."""
        tasks = [found.task for found in self._peers.values()]
        for found in list(self._peers.values()):
            found.end()
        if tasks:
            await asyncio.wait(tasks)

    def forget(self, found: "Correspondent") -> None:
        """Let a peer be nobody until it speaks again."""
        if self._peers.get(found.peer) is found:
            del self._peers[found.peer]

    # who is there

    def _welcome(self, datagram: bytes, peer: Peer) -> bytes | None:
        now = self.setting.house.hub.store.now_ms() // COOKIE_MS
        text = datagram.decode("ascii", "replace").strip()
        if any(hmac.compare_digest(text.encode(), self._cookie(peer, slot)) for slot in (now, now - 1)):
            self._proven[peer] = None
            if len(self._proven) > MAX_PROVEN:
                self._proven.popitem(last=False)
            return f"{_HELLO}ok".encode()
        cookie = self._cookie(peer, now)
        return cookie if len(datagram) >= len(cookie) else None

    def _cookie(self, peer: Peer, slot: int) -> bytes:
        digest = hmac.new(self._secret, f"{peer} {slot}".encode(), hashlib.sha256).hexdigest()
        return f"{_HELLO}{digest[:_COOKIE_CHARS]}".encode()

    async def find(self, peer: Peer) -> Me | None:
        """Return whom an address is known as, None for nobody."""
        store, login = self.setting.house.hub.store, _login(peer)
        found = await store.read(lambda db: people.person_by_login(db, login))
        if found is None or found[0].kind != "peer" or found[0].is_disabled:
            return None
        return Me(found[0].id, found[0].name, "peer", 0)

    async def make(self, peer: Peer) -> Me:
        """Make a person of an address. Raises Rejected "rate", "taken"."""
        self.setting.entrance.check_rate(peer.host, "visitor")
        store, login, name = self.setting.house.hub.store, _login(peer), str(peer)
        number = await store.write(lambda change: people.add_person(change, "peer", name[:40], login=login))
        return Me(number, name[:40], "peer", 0)

    def admit(self, me: Me) -> str:
        """Return what lets a person in here, as long as this process lives."""
        token = secrets.token_urlsafe(24)
        self._tokens[token] = me
        return token

    def dismiss(self, token: str) -> None:
        """Let a token of `admit` be good no more."""
        self._tokens.pop(token, None)

    async def _recognise(self, token: str) -> Me:
        return self._tokens.get(token) or await self._inner(token)


def _login(peer: Peer) -> str:
    """Return the login of an address: nobody signs in with it, since it has no password."""
    login = f"udp-{peer.host}-{peer.port}".replace(":", "_").replace("%", "_").casefold()
    if len(login) <= people.MAX_LOGIN:
        return login
    return f"udp-{hashlib.sha256(login.encode()).hexdigest()[:32]}"


class _PeerTalker(Talker):
    """A talker who is known by the address."""

    def __init__(self, book: Correspondence, peer: Peer, wire: LinesWire) -> None:
        super().__init__(book.setting, wire, Caller(peer.host, VIA), wire.show)
        self._book = book
        self._pass = ""
        self._peer = peer

    async def visit(self) -> Me:
        """Be whoever the address is known as; somebody new where it is not. Raises Rejected."""
        return self.me or await self._be(await self._book.find(self._peer) or await self._book.make(self._peer))

    async def come_back(self) -> None:
        """Be whoever the address is known as, if it is."""
        found = None if self.me is not None else await self._book.find(self._peer)
        if found is not None:
            await self._be(found)

    async def _be(self, me: Me) -> Me:
        self._book.dismiss(self._pass)
        self._pass = self._book.admit(me)
        return await self.enter(self._pass)

    def shown(self, conversation: int) -> int:
        """Return how far a conversation had been read when the person came in."""
        return self._shown.get(conversation, 0)

    def close(self) -> None:
        """Be nobody, for good."""
        self.end()
        self._book.dismiss(self._pass)


class Correspondent:
    """One address. Takes what comes in order; writes in a task of its own."""

    def __init__(self, book: Correspondence, peer: Peer) -> None:
        self.peer = peer
        self._awaited: tuple[str, asyncio.Future[None]] | None = None
        self._book = book
        self._charset = Charset(book.encoding)
        self._is_numbering = False
        self._turn = asyncio.Lock()
        self._void: set[int] = set()  # conversations of which what has been taken from the wire is not to be written
        self._wire = LinesWire()
        self._wire.on_room = self._pump
        self._talker = _PeerTalker(book, peer, self._wire)
        self._heard_s = 0.0
        self._told: dict[int, int] = {}  # conversation to the last seq that has arrived
        self._also = {
            "token": Command(self._token, "[TOKEN]", ("take your name to another address", "换地址后恢复身份"))
        }
        self.task = asyncio.create_task(self._write())

    def _pump(self) -> None:
        if self._talker.session.reader is not None:
            self._talker.session.reader.pump()

    def end(self) -> None:
        """Be there no more."""
        self._book.forget(self)
        self.task.cancel()

    # in

    async def take(self, datagram: bytes) -> bytes | None:
        """Take a datagram; return what answers it at once."""
        self._heard_s = asyncio.get_running_loop().time()
        reader = self._talker.session.reader
        if reader is not None:
            self._book.setting.house.presence.hear(reader)
        text = self._charset.decode(datagram, final=True).strip("\r\n\0 ")
        found = _ACKNOWLEDGED.fullmatch(text)
        self._is_numbering = self._is_numbering or _IS_NUMBERED.match(text) is not None
        if found is not None and self._acknowledge(found[1]):  # in front of everything that waits
            return None
        async with self._turn:
            if text in _ENDS:
                self.end()
                return None
            answer = await self._take(text)
        return None if answer is None else answer.encode()

    async def _take(self, text: str) -> str | None:
        try:
            await self._talker.come_back()
        except Rejected as exc:
            self._talker.complain(exc)
            return None
        if text.startswith(_HELLO.strip()):
            return f"{_HELLO}ok"
        if _ACKNOWLEDGED.fullmatch(text) is not None:  # of something that was given up
            return None
        have, numbered = _HAVE.fullmatch(text), _NUMBERED.fullmatch(text)
        if have is not None:
            return await self._resume(have[1], int(have[2]))
        if numbered is not None:
            return await self._say(numbered[1], numbered[2])
        await obey(self._talker, text, self._also)
        return None

    async def _say(self, number: str, text: str) -> str:
        self._talker.notice(text)
        try:
            event = await self._talker.say(text, cid=number)
        except Rejected as exc:
            return f"#{number} no {exc.code}"
        return f"#{number} ok {event.seq}"

    async def _resume(self, conversation: str | None, seq: int) -> str:
        """Send everything behind a number again."""
        reader, target = self._talker.session.reader, int(conversation or self._talker.current or 0)
        if reader is None or target not in reader.cursors:
            return "#have no no_conversation"
        if seq > self._book.setting.house.hub.rooms[target].head:  # of a database that is not this one
            return "#have no ahead"
        # What is under way stands behind what is asked for, and would come in front of it.
        reader.flush()
        self._wire.drop(lambda frame: _conversation_of(frame) == target)
        self._void.add(target)
        self._told[target] = seq
        if self._awaited is not None and self._conversation_of_key(self._awaited[0]) == target:
            self._acknowledge(self._awaited[0])
        self._book.setting.house.hub.rewind(reader, target, seq)
        return "#have ok"

    async def _token(self, talker: Talker, rest: str) -> None:
        """Show what takes the person along to another address; or come back by it."""
        me = await talker.visit() if not rest else await talker.enter(rest)
        store = self._book.setting.house.hub.store

        def move(change: Change) -> None:
            login = _login(self.peer)
            change.db.execute("UPDATE person SET login = NULL WHERE login = ? AND kind = 'peer'", (login,))
            change.db.execute("UPDATE person SET login = ? WHERE id = ? AND kind = 'peer'", (login, me.person))

        if rest:
            await store.write(move)
            talker.tell("you_are", name=me.name)
        else:
            token = await store.write(lambda change: people.add_device(change, me.person, VIA))
            talker.tell("come_back", token=token)

    # out

    async def _write(self) -> None:
        try:
            while await self._is_there():
                items = await self._wire.take()
                self._void.clear()
                for item in items:
                    if isinstance(item, tuple):
                        self._post_lines(item)
                    elif not await self._tell(parse_event(item)):
                        return
                self._wire.wrote(items)
        except UsageError:  # the sockets are closed, since the server stops: what is left waits in the log
            return
        finally:
            self._talker.close()
            self._book.forget(self)

    async def _is_there(self) -> bool:
        """Wait for something to write; return False for a peer that has been silent for too long."""
        loop = asyncio.get_running_loop()
        while self._wire.is_empty:
            left_s = self._heard_s + self._book.idle_s - loop.time()
            if left_s <= 0:
                return False
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._wire.filled()
        return True

    async def _tell(self, frame: Frame) -> bool:
        """Write a frame; return False for a peer that does not acknowledge."""
        events = {"ev": [frame], "sync": frame.get("ev")}.get(frame["t"])
        if events is None:
            lines = await self._talker.read_frame(frame)
            self._post_lines(() if self._is_numbering else lines)
            return not self._talker.is_ended
        if frame.get("limited") and not await self._announce(frame):
            return False
        for event in events:
            me = self._talker.me
            is_own = me is not None and event["f"] == me.person and event["k"] == "msg"
            if not is_own and event["c"] not in self._void and not await self._deliver(event):
                return False
            if event["c"] not in self._void:
                self._told[event["c"]] = event["s"]
                await self._talker.mark(event["c"], event["s"])
        return True

    async def _announce(self, frame: Frame) -> bool:
        """Say that some are left out, in the place of the last of them; return False for who does not acknowledge."""
        c, last = frame["c"], (frame["ev"][0]["s"] if frame["ev"] else frame["head"] + 1) - 1
        count = last - max(self._told.get(c, self._talker.shown(c)), frame["first"] - 1)
        text = "*** " + phrase("earlier" if count > 0 else "not_kept", self._talker.language, count=count)
        if not self._is_numbering:
            self._post_lines((text,))
            return True
        return c in self._void or await self._insist(self._key(c, last), text)

    async def _deliver(self, event: Frame) -> bool:
        text = "\n".join(printable(line) for line in plain_text(event).split("\n"))
        is_own = event["c"] == self._talker.current
        if not self._is_numbering:
            lines = text.split("\n") if is_own and text else await self._talker.event_lines(event)
            self._post_lines(lines)
            return True
        if not text:
            return True
        key = self._key(event["c"], event["s"])
        for part, piece in enumerate(self._pieces(text), 1):
            if event["c"] in self._void:
                break
            if not await self._insist(key if part == 1 else f"{key}.{part}", piece):
                return False
        return True

    def _key(self, conversation: int, seq: int) -> str:
        return str(seq) if conversation == self._talker.current else f"{conversation}:{seq}"

    def _conversation_of_key(self, key: str) -> int | None:
        conversation, colon, _ = key.partition(":")
        return int(conversation) if colon else self._talker.current

    async def _insist(self, key: str, text: str) -> bool:
        """Send a datagram until it is acknowledged; return whether it was."""
        arrival = asyncio.get_running_loop().create_future()
        self._awaited = (key, arrival)
        for wait_s in (*self._book.repeats_s, self._book.repeats_s[-1]):
            self._book.post(self.peer, self._charset.encode(f"#s{key} {text}"))
            await asyncio.wait((arrival,), timeout=wait_s)
            if arrival.done():
                return True
        return False

    def _acknowledge(self, key: str) -> bool:
        """Take note that a datagram has arrived; return whether it is the one that was waited for."""
        if self._awaited is None or self._awaited[0] != key:
            return False
        if not self._awaited[1].done():
            self._awaited[1].set_result(None)
        return True

    def _post_lines(self, lines: Sequence[str]) -> None:
        for line in lines:
            for piece in self._pieces(printable(line)):
                self._book.post(self.peer, self._charset.encode(piece))

    def _pieces(self, text: str) -> list[str]:
        """Cut a text to what datagrams have room for, between characters."""
        pieces = []
        while text:
            count = MAX_PAYLOAD - 64  # of which the number takes some
            while len(self._charset.encode(text[:count])) > MAX_PAYLOAD - 64:
                count = count * 3 // 4
            pieces.append(text[:count])
            text = text[count:]
        return pieces


def _conversation_of(frame: str) -> int:
    """Return whose events a frame has, 0 where it has none."""
    found = parse_event(frame)
    return int(found["c"]) if found["t"] in ("ev", "sync") else 0
