"""Clients of a chat that speak its frames, as other people write them.

    FrameClient         what it was told: frames, and the log of each conversation, which is checked as it comes
      SocketClient      as a browser: an Origin, compression, a token from /api/visitor
      JsonClient        `/json on` at the line port

Every wait has a deadline.
"""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, NamedTuple, cast

import httpx
import websockets

from portico.apps.chat.websocket import SUBPROTOCOL

PATIENCE_S = 30.0
Frame = dict[str, Any]


class Refused(Exception):
    """What a client asked for is not done. code: the word for programs. why: the line for people."""

    def __init__(self, frame: Frame) -> None:
        super().__init__(f"{frame['code']}: {frame['why']}")
        self.code: str = frame["code"]
        self.why: str = frame["why"]


class Door(NamedTuple):
    """Where a chat is: the ports of HTTP, lines and UDP, all at 127.0.0.1."""

    http: int
    lines: int
    udp: int

    @property
    def origin(self) -> str:
        """Return what a browser calls it."""
        return f"http://127.0.0.1:{self.http}"


class FrameClient:
    """A client that speaks frames.

    frames: all that came, in order. logs: conversation to its events, each without a hole or a repeat. me: who it is.
    """

    def __init__(self, token: str) -> None:
        self.frames: list[Frame] = []
        self.logs: dict[int, list[Frame]] = {}
        self.epoch = ""
        self.me = 0
        self.token = token
        self._news = asyncio.Event()
        self._numbers = count(1)
        self._reading: asyncio.Task[None] | None = None

    async def write(self, text: str) -> None:
        """Send text as it is."""
        raise NotImplementedError

    async def read(self) -> str:
        """Wait for the next text; "" at the end."""
        raise NotImplementedError

    def reset(self) -> None:
        """Be gone at once, as a machine whose plug is pulled and that is asked again."""
        raise NotImplementedError

    async def close(self) -> None:
        """Leave in good order."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait((self._reading,))

    # listening

    async def _read_all(self) -> None:
        while text := await self.read():
            for line in text.split("\n"):
                if line:
                    self._take(json.loads(line))
            self._news.set()
        self.frames.append({"t": "end"})
        self._news.set()

    def _take(self, frame: Frame) -> None:
        self.frames.append(frame)
        if frame["t"] == "welcome":
            self.epoch, self.me = frame["epoch"], frame["me"]
        elif frame["t"] == "ev":
            self._keep(frame)
        elif frame["t"] == "sync":
            for event in frame["ev"]:
                self._keep(event)

    def _keep(self, event: Frame) -> None:
        log = self.logs.setdefault(event["c"], [])
        assert not log or event["s"] == log[-1]["s"] + 1, f"{event} came after {log[-1]}"
        log.append(event)

    async def heard(self, is_it: Callable[[Frame], object], *, behind: int = 0) -> Frame:
        """Wait for a frame. behind: how many of those that came first do not count."""
        return await self.seen(lambda: next(filter(is_it, self.frames[behind:]), None))

    async def seen(self, look: Callable[[], Frame | None]) -> Frame:
        """Wait until something can be seen in what came."""
        async with asyncio.timeout(PATIENCE_S):
            while (found := look()) is None:
                assert self._reading is None or not self._reading.done(), self._reading
                self._news.clear()
                await self._news.wait()
        return found

    async def read_to(self, conversation: int, seq: int) -> list[Frame]:
        """Wait until the log of a conversation goes as far as this; return it."""

        def is_there() -> Frame | None:
            log = self.logs.get(conversation)
            return log[-1] if log and log[-1]["s"] >= seq else None

        await self.seen(is_there)
        return self.logs[conversation]

    def texts(self, conversation: int, sender: int = 0) -> list[str]:
        """Return the texts of a conversation. sender: whose alone; negative for everybody else's, 0 for all."""
        messages = [one for one in self.logs.get(conversation, ()) if one["k"] == "msg" and one["f"] != -sender]
        return [one["b"].get("text", "") for one in messages if sender <= 0 or one["f"] == sender]

    # talking

    async def greet(self, *, epoch: str = "", have: dict[int, int] | None = None) -> None:
        """Say hello."""
        self._reading = asyncio.create_task(self._read_all())
        known = {str(c): seq for c, seq in (have or {}).items()}
        await self.tell(t="hello", v=1, tok=self.token, epoch=epoch, have=known)
        await self.heard(lambda frame: frame["t"] == "welcome")

    async def tell(self, **members: Any) -> None:
        """Send a frame."""
        await self.write(json.dumps(members, ensure_ascii=False))

    async def ask(self, op: str, **arguments: Any) -> Frame:
        """Ask for something; return the answer. Raises Refused."""
        number, behind = next(self._numbers), len(self.frames)
        await self.tell(t="ask", id=number, op=op, **arguments)
        answer = await self.heard(lambda one: one["t"] in ("ok", "err") and one.get("id") == number, behind=behind)
        if answer["t"] == "err":
            raise Refused(answer)
        return answer

    async def say(self, conversation: int, text: str, *, cid: str = "", **more: Any) -> Frame:
        """Send a message, again where that was too early; return the acknowledgement. Raises Refused.

        more: k, b and ref of another kind of event.
        """
        name = cid or f"{self.token[:8]}-{next(self._numbers)}"
        while True:
            behind = len(self.frames)
            await self.tell(**{"t": "send", "cid": name, "c": conversation, "k": "msg", "b": {"text": text}, **more})
            answer = await self.heard(
                lambda frame: frame["t"] in ("ack", "nack") and frame.get("cid") == name, behind=behind
            )
            if answer["t"] == "ack":
                return answer
            if answer["code"] != "rate":
                raise Refused(answer)
            await asyncio.sleep(answer["retry"])


class SocketClient(FrameClient):
    """See the module. socket: of the other program."""

    def __init__(self, token: str, socket: websockets.ClientConnection) -> None:
        super().__init__(token)
        self.socket = socket

    async def write(self, text: str) -> None:
        """Send text as it is."""
        await self.socket.send(text)

    async def read(self) -> str:
        """Wait for the next text; "" at the end."""
        try:
            return str(await self.socket.recv())
        except websockets.ConnectionClosed:
            return ""

    def reset(self) -> None:
        """Be gone at once."""
        cut(self.socket.transport)

    async def close(self) -> None:
        """Leave in good order."""
        await super().close()
        await self.socket.close()


class JsonClient(FrameClient):
    """See the module."""

    def __init__(self, token: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(token)
        self._reader = reader
        self._writer = writer

    @property
    def socket(self) -> socket.socket:
        """Return the socket."""
        return cast(socket.socket, self._writer.get_extra_info("socket"))

    async def write(self, text: str) -> None:
        """Send text as it is."""
        self._writer.write(f"{text}\n".encode())
        await self._writer.drain()

    async def read(self) -> str:
        """Wait for the next text; "" at the end. What comes before the first frame is for people."""
        line = b"*"
        try:
            while line and not line.startswith(b"{"):
                line = await self._reader.readline()
        except ConnectionError:
            return ""
        return line.decode()

    def reset(self) -> None:
        """Be gone at once."""
        cut(self._writer.transport)

    async def close(self) -> None:
        """Leave in good order."""
        await super().close()
        self._writer.close()


def cut(transport: asyncio.BaseTransport) -> None:
    """Reset a connection, as a machine does that was switched off and is asked again."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    cast(asyncio.WriteTransport, transport).abort()


async def become_visitor(door: Door, **body: str) -> str:
    """Come in from a page without an account; return the token."""
    return str((await post(door, "/api/visitor", body))["token"])


async def post(door: Door, path: str, body: dict[str, str]) -> Frame:
    """Send JSON as a page of the chat does; return the answer."""
    async with httpx.AsyncClient(base_url=door.origin, trust_env=False) as http:
        answer = await http.post(path, json=body, headers={"Origin": door.origin})
    assert answer.status_code == 200, answer.text
    found: Frame = answer.json()
    return found


@asynccontextmanager
async def socket_client(door: Door, token: str, *, after: FrameClient | None = None) -> AsyncIterator[SocketClient]:
    """Connect as a browser does. after: the client that this one goes on for, with all that it had."""
    async with websockets.connect(
        f"ws://127.0.0.1:{door.http}/ws",
        origin=websockets.Origin(door.origin),
        subprotocols=[websockets.Subprotocol(SUBPROTOCOL)],
        max_size=None,
        ping_interval=None,
        proxy=None,
    ) as socket:
        client = SocketClient(token, socket)
        await _go_on(client, after)
        try:
            yield client
        finally:
            await client.close()


@asynccontextmanager
async def json_client(door: Door, token: str, *, after: FrameClient | None = None) -> AsyncIterator[JsonClient]:
    """Connect to the line port, for frames. after: see `socket_client`."""
    client = JsonClient(token, *await asyncio.open_connection("127.0.0.1", door.lines, limit=1 << 20))
    await client.write("/json on")
    await _go_on(client, after)
    try:
        yield client
    finally:
        await client.close()


async def _go_on(client: FrameClient, after: FrameClient | None) -> None:
    if after is None:
        await client.greet()
        return
    client.logs = {c: list(log) for c, log in after.logs.items()}
    await client.greet(epoch=after.epoch, have={c: log[-1]["s"] for c, log in after.logs.items()})
