"""A house without sockets: people whose sessions ask, and hear, through a wire that is a list.

    @asked
    async def test_room(house: Asking) -> None:
        li = await house.person("user", "Li")
        made = await li.ask("room.make", title="Hall", public=True)

Time is the stage's and stands still. What is asked is asked as a client does, by a frame; what is refused is raised.
"""

import asyncio
import functools
import inspect
import json
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from portico.apps.chat import contacts, export, links, people
from portico.apps.chat.admin import Admin
from portico.apps.chat.events import Rejected
from portico.apps.chat.files import Files
from portico.apps.chat.house import open_house
from portico.apps.chat.limits import Limits
from portico.apps.chat.log import Change
from portico.apps.chat.note_operations import Notes
from portico.apps.chat.operations import operations
from portico.apps.chat.passwords import hash_password
from portico.apps.chat.retention import Eraser
from portico.apps.chat.session import Operation, Session
from portico.apps.chat.store import Store
from portico.server.tasks import Tasks, Work

NOW_MS = 1_800_000_000_000
PATIENCE_S = 10.0


class ListWire:
    """A wire that keeps what it is sent, and always has room."""

    has_room = True

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []

    def send(self, messages: Sequence[str]) -> None:
        """Keep frames."""
        self.frames += [json.loads(message) for message in messages]


class Somebody:
    """One connection of one person."""

    def __init__(self, asking: "Asking", number: int, token: str) -> None:
        self._asking = asking
        self._count = 0
        self.id = number
        self.token = token
        self.wire = ListWire()
        self.session = Session(asking.house, self.wire, "ws")

    async def enter(self) -> "Somebody":
        """Say hello."""
        await self.session.take(json.dumps({"t": "hello", "v": 1, "tok": self.token}))
        return self

    async def ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        """Ask for an operation; return the answer. Raises Rejected."""
        self._count += 1
        await self.session.take(json.dumps({"t": "ask", "id": self._count, "op": op, **arguments}))
        return _answered(await self.heard(lambda frame: frame.get("id") == self._count))

    async def send(self, conversation: int, text: str, *, kind: str = "msg", **more: Any) -> int:
        """Send an event; return its seq. more: ref, or files. Raises Rejected."""
        self._count += 1
        cid = f"{self.id}-{self.session.me and self.session.me.device}-{self._count}"
        files = {"files": more.pop("files")} if "files" in more else {}
        body = {"text": text, **files} if kind in ("msg", "edit") else {"mark": text} if kind == "react" else {}
        frame = {"t": "send", "cid": cid, "c": conversation, "k": kind, "b": body, **more}
        await self.session.take(json.dumps(frame))
        answer = await self.heard(lambda frame: frame.get("cid") == cid and frame["t"] in ("ack", "nack"))
        return int(_answered(answer)["s"])

    async def heard(self, is_it: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for a frame, among those that came already or are to come."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for frame in self.wire.frames:
                    if is_it(frame):
                        return frame
                await asyncio.sleep(0)


def _answered(frame: dict[str, Any]) -> dict[str, Any]:
    if frame["t"] in ("err", "nack"):
        raise Rejected(frame["code"], frame["why"], retry_s=frame.get("retry"))
    return frame


class Asking:
    """The house. now_ms: the time, for the database and for blocks. now_s: for rates."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now_ms = NOW_MS
        self.now_s = 1000.0
        self.limits = Limits(lambda: self.now_s, lambda: self.now_ms)
        self._tasks = Tasks(asyncio.get_running_loop())
        table: dict[str, Operation] = operations(self.limits)
        self.house = open_house(folder, self._run, operations=table, may=self.limits.may, is_fast=True)
        self.store.now_ms = lambda: self.now_ms
        self.files = Files(self.store, folder, self.limits)
        self.eraser = Eraser(self.store, self.files, folder)
        admin = Admin(self.limits, self.eraser)
        notes = Notes(self.house.hub).operations()
        for more in (admin.operations(), contacts.OPERATIONS, export.OPERATIONS, notes):
            table.update(more)
        table.update(self.files.operations())

    def _run(self, work: Work) -> object:
        return self._tasks.start(work)

    @property
    def store(self) -> Store:
        """The database."""
        return self.house.hub.store

    async def person(self, kind: str = "user", name: str = "Li", *, login: str = "", password: str = "") -> Somebody:
        """Make a person, who says hello."""
        hashed = await hash_password(password) if password else ""
        number = await self.store.write(
            lambda change: people.add_person(change, kind, name, login=login, password=hashed)
        )
        return await self.again(number)

    async def again(self, number: int) -> Somebody:
        """Have a person say hello with another device."""
        token = await self.store.write(lambda change: people.add_device(change, number, "test"))
        return await Somebody(self, number, token).enter()

    async def first_admin(self) -> Somebody:
        """Follow the link of the first admin."""
        link = await links.first_link(self.store)
        assert link is not None
        return await self.again(await self.store.write(lambda change: links.redeem(change, link)))

    async def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Read the database."""

        def read(db: Connection) -> list[tuple[Any, ...]]:
            return db.execute(statement, values).fetchall()

        return await self.store.read(read)

    async def write(self, statement: str, *values: object) -> None:
        """Change the database."""

        def work(change: Change) -> None:
            change.db.execute(statement, values)

        await self.store.write(work)

    async def close(self) -> None:
        """Let end what goes on, and close the database."""
        if self._tasks.running:
            await asyncio.wait(self._tasks.running, timeout=PATIENCE_S)
        self._tasks.close()
        self.store.close()


async def refusal(work: Coroutine[Any, Any, object]) -> str:
    """Return the code with which something is refused."""
    try:
        await work
    except Rejected as exc:
        return exc.code
    raise AssertionError("it was not refused")


Test = Callable[..., Coroutine[Any, Any, None]]


def asked(play: Test) -> Any:
    """Make a test of a coroutine function whose first argument is a house; it may ask for `tmp_path` as well."""
    names = inspect.signature(play).parameters

    async def whole(folder: Path, others: dict[str, Any]) -> None:
        asking = Asking(folder)
        try:
            await play(asking, **others)
        finally:
            await asking.close()

    def test(tmp_path: Path, **others: Any) -> None:
        with asyncio.Runner() as runner:
            runner.run(whole(tmp_path / "house", {**others, "tmp_path": tmp_path} if "tmp_path" in names else others))

    functools.update_wrapper(test, play)
    del test.__wrapped__  # type: ignore[attr-defined]
    signature = inspect.signature(play)
    parameters = [one for name, one in list(signature.parameters.items())[1:] if name != "tmp_path"]
    own = inspect.Parameter("tmp_path", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    test.__signature__ = signature.replace(parameters=[own, *parameters])  # type: ignore[attr-defined]
    return test
