"""A stage for the chat's web side: a house, a server on a loopback port, and clients that are other people's programs.

    @acted()
    async def test_greeting(stage: WebStage) -> None:
        token = await stage.device("user")
        async with stage.socket() as socket:
            await socket.send(hello(token))

Each play gets a folder of its own; time for the database and for the limits is the stage's, and stands still.
"""

import asyncio
import functools
import inspect
import json
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import websockets
from tests.server.stage import LOOPS, PATIENCE_S

from portico.apps.chat import links, people
from portico.apps.chat.entrance import Gate
from portico.apps.chat.house import open_house
from portico.apps.chat.limits import Limits
from portico.apps.chat.log import Change
from portico.apps.chat.passwords import hash_password, is_password
from portico.apps.chat.session import House, Operation
from portico.apps.chat.site import ChatSite, Services, Sign
from portico.apps.chat.store import Store
from portico.apps.chat.websocket import MESSAGES, SUBPROTOCOL, Terms
from portico.server.http import HttpServer
from portico.server.tasks import Tasks, Work
from portico.settings import Limits as ServerLimits
from portico.settings import Messages

NOW_MS = 1_800_000_000_000
Client = websockets.ClientConnection


class WebStage:
    """See the module. What is set here before `open` counts.

    now_ms: the time, for the database. now_s: for the limits. errors: what the loop had to complain about.
    """

    house: House
    limits: Limits
    server: HttpServer
    site: ChatSite
    http: httpx.AsyncClient

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now_ms = NOW_MS
        self.now_s = 1000.0
        self.gate_may: Callable[[str, str], float] | None = None
        self.messages: Messages = MESSAGES
        self.operations: dict[str, Operation] = {}
        self.services = Services()
        self.sign = Sign()
        self.terms: Terms | None = None
        self.errors: list[dict[str, Any]] = []
        self._sock = socket.create_server(("127.0.0.1", 0))

    @property
    def place(self) -> str:
        """Return host and port."""
        return f"127.0.0.1:{self._sock.getsockname()[1]}"

    @property
    def store(self) -> Store:
        """Return the database."""
        return self.house.hub.store

    async def open(self) -> None:
        """Begin to serve."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: self.errors.append(context))
        self._tasks = Tasks(loop)
        self.limits = Limits(lambda: self.now_s, lambda: self.now_ms)
        self.house = open_house(self.folder, self._run, operations=self.operations, may=self.limits.may, is_fast=True)
        self.store.now_ms = lambda: self.now_ms
        gate = Gate(is_password, self.gate_may or self.limits.may_from, hash_password, links.redeem)
        terms = self.terms or Terms(is_abusive=self.limits.is_abusive)
        self.site = ChatSite(self.house, gate, services=self.services, sign=self.sign, terms=terms)
        self.server = HttpServer(self.site, ServerLimits(), messages=self.messages)
        self._sock.setblocking(False)
        await self.server.open([self._sock])
        self.http = httpx.AsyncClient(base_url=f"http://{self.place}", trust_env=False)

    def _run(self, work: Work) -> object:
        return self._tasks.start(work)

    async def strike(self) -> None:
        """Take everything down."""
        await self.http.aclose()
        self.server.close([self._sock])
        self.server.abort()
        await self.until(lambda: not self.server.connections)
        if self._tasks.running:
            await asyncio.wait(self._tasks.running, timeout=PATIENCE_S)
        self._tasks.close()
        self.store.close()
        self._sock.close()

    async def until(self, condition: Callable[[], object]) -> None:
        """Let the loop run until something is so; fail if that takes too long."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - there is no event for every state of a server
                await asyncio.sleep(0)

    # who there is

    async def person(self, kind: str = "user", name: str = "Li", **more: str) -> int:
        """Make a person."""
        return await self.store.write(lambda change: people.add_person(change, kind, name, **more))

    async def device(self, person: int, *, ends_ms: int | None = None) -> str:
        """Give a person a device; return its token."""
        return await self.store.write(lambda change: people.add_device(change, person, "test", ends_ms=ends_ms))

    async def write(self, statement: str, *values: object) -> None:
        """Change the database."""

        def work(change: Change) -> None:
            change.db.execute(statement, values)

        await self.store.write(work)

    # clients

    async def post(self, path: str, body: object, *, token: str = "", **fields: str) -> httpx.Response:
        """Send JSON, as a page does. fields: further ones, with _ for -."""
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        if token:
            named["Authorization"] = f"Bearer {token}"
        return await self.http.post(path, json=body, headers=named)

    @asynccontextmanager
    async def socket(self, *, origin: str | None = None, subprotocol: str = SUBPROTOCOL) -> AsyncIterator[Client]:
        """Open a WebSocket."""
        async with websockets.connect(
            f"ws://{self.place}/ws",
            origin=websockets.Origin(origin) if origin else None,
            subprotocols=[websockets.Subprotocol(subprotocol)],
            max_size=None,
            compression=None,
            proxy=None,
        ) as client:
            yield client


def hello(token: str, **more: object) -> str:
    """Write the first frame of a client."""
    return json.dumps({"t": "hello", "v": 1, "tok": token, **more})


async def hear(client: Client, count: int = 1) -> list[dict[str, Any]]:
    """Return the next frames, at least so many."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(found) < count:
            found += [json.loads(line) for line in str(await client.recv()).split("\n")]
    return found


async def hear_end(client: Client) -> tuple[list[dict[str, Any]], int, str]:
    """Return the frames up to the end, and how it ended."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(PATIENCE_S):
        try:
            while True:
                found += [json.loads(line) for line in str(await client.recv()).split("\n")]
        except websockets.ConnectionClosed as exc:
            return found, exc.rcvd.code if exc.rcvd else 1006, exc.rcvd.reason if exc.rcvd else ""


Play = Callable[..., Coroutine[Any, Any, None]]


def acted(*, loops: tuple[str, ...] = ("asyncio",), is_open: bool = True) -> Callable[[Play], Callable[..., None]]:
    """Make a test of a play: it is acted on a stage, once for each kind of loop.

    is_open: the stage is open when the play begins; otherwise the play opens it.
    """

    async def whole(play: Play, stage: WebStage, others: dict[str, Any]) -> None:
        if is_open:
            await stage.open()
        try:
            await play(stage, **others)
        finally:
            await stage.strike()

    def make(play: Play) -> Callable[..., None]:
        def test(tmp_path: Path, **others: Any) -> None:
            for kind in loops:
                stage = WebStage(tmp_path / kind)
                with asyncio.Runner(loop_factory=LOOPS[kind]) as runner:
                    runner.run(whole(play, stage, others))
                assert stage.errors == []

        functools.update_wrapper(test, play)
        del test.__wrapped__  # type: ignore[attr-defined]
        signature = inspect.signature(play)
        parameters = [one for name, one in signature.parameters.items() if name != "stage"]
        own = inspect.Parameter("tmp_path", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        test.__signature__ = signature.replace(parameters=[own, *parameters])  # type: ignore[attr-defined]
        return test

    return make
