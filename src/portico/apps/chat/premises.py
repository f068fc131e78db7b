"""The whole chat, ready to be served: a house with its ways in, its limits and what one can ask for.

    Premises(folder)           what may fail: the folder, the database
      start                    in the loop: what is stored about blocks is read, the site is made, the desk begins
      handler                  for an HTTP server: pages, JSON, WebSocket
      lines, letters         for a service server: text over TCP and over UDP
      stop, close              after the server: what is under way ends; the database is closed

In: a folder. Out: what servers are given; and, as long as no admin has come in, the link for the first one.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Final

from portico.apps.chat import audit, contacts, desk_operations, desk_settings, desk_views, diagnosis, export, links
from portico.apps.chat.admin import Admin
from portico.apps.chat.datagrams import Correspondence
from portico.apps.chat.desk import Desk
from portico.apps.chat.entrance import Entrance, Gate
from portico.apps.chat.files import Files
from portico.apps.chat.house import open_house
from portico.apps.chat.limits import Limits
from portico.apps.chat.lines import VIA, lines_service
from portico.apps.chat.note_operations import Notes
from portico.apps.chat.operations import operations
from portico.apps.chat.passwords import hash_password, is_password
from portico.apps.chat.retention import Eraser, keep_tidy
from portico.apps.chat.session import House, Operation
from portico.apps.chat.site import ChatSite, Services, Sign
from portico.apps.chat.store import Store
from portico.apps.chat.talker import Setting
from portico.apps.chat.websocket import MESSAGES, Terms
from portico.server.exchange import Exchange
from portico.server.tasks import Tasks
from portico.wire.charset import AUTO

__all__ = ["MESSAGES", "Premises"]

DEFAULT_TITLE: Final = "Portico"
_FAREWELL_S: Final = 2.0  # for what clients asked last; the store answers in milliseconds


class Premises:
    """See the module. Made without a loop, used in one.

    title: of the chat, "" for what an admin has set. encoding: of text from programs that are no browsers. is_fast: see
    `Store`. lines, letters: what is taken over TCP and UDP; see `Correspondence.post` for what letters need.
    Raises ConfigError for a folder that cannot be used; whoever makes it closes it.
    """

    def __init__(self, folder: Path, *, title: str = "", encoding: str = AUTO, is_fast: bool = False) -> None:
        self.limits = Limits()
        self.title = title
        self._is_closed = False
        self._site: ChatSite | None = None
        self._tasks: Tasks | None = None
        self._tidying: asyncio.Task[None] | None = None
        house = open_house(folder, self._run, may=self.limits.may, is_fast=is_fast)
        self.store: Store = house.hub.store
        self.desk = Desk(house.hub)
        self.notes = Notes(house.hub)
        self.files = Files(self.store, folder, self.limits)
        self.house: House = house._replace(operations=self._operations(folder))
        self._gate = Gate(is_password, self.limits.may_from, hash_password, links.redeem, self.limits.end_device)
        talking = Setting(self.house, Entrance(self.house, self._gate), VIA, is_abusive=self.limits.is_abusive)
        self.lines = lines_service(talking, encoding=encoding)
        self.letters = Correspondence(talking, encoding=encoding)

    def _operations(self, folder: Path) -> Mapping[str, Operation]:
        admin = Admin(self.limits, Eraser(self.store, self.files, folder))
        table: dict[str, Operation] = {}
        for more in (
            operations(self.limits),
            contacts.OPERATIONS,
            export.OPERATIONS,
            self.files.operations(),
            admin.operations(),
            diagnosis.operations(folder),
            self.notes.operations(),
            desk_operations.operations(self.desk),
            desk_views.operations(self.desk, desk_views.Onlookers()),
        ):
            table.update(more)
        return table

    async def start(self) -> None:
        """Make ready for the first visitor."""
        self._tasks = Tasks(asyncio.get_running_loop())
        found, blocks = await self.store.read(_stored)
        self.limits.load(blocks)
        self.title = self.title or str(found["title"]) or DEFAULT_TITLE
        await self.desk.start()
        self._tidying = asyncio.create_task(keep_tidy(self.store, self.files))
        self._site = ChatSite(
            self.house,
            self._gate,
            services=Services(self.files.receive, self.files.give, self._tell_desk),
            sign=Sign(self.title),
            terms=Terms(is_abusive=self.limits.is_abusive),
        )

    async def _tell_desk(self, queue: int | None) -> Mapping[str, Any]:
        now_ms = self.store.now_ms()
        return await self.store.read(lambda db: desk_settings.describe(db, queue, now_ms))

    def handler(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        """Answer a request."""
        assert self._site is not None, "nothing is accepted before `start`"
        return self._site(exchange)

    async def first_link(self) -> str | None:
        """Return the token of the first admin's link; None once an admin can sign in."""
        return await links.first_link(self.store)

    async def stop(self) -> None:
        """Let end what clients have asked for; called when nobody can ask any more."""
        if self._tasks is None:
            return
        await self.letters.close()
        await self.desk.close()
        if self._tidying is not None:
            self._tidying.cancel()
            await asyncio.wait((self._tidying,))
        for _ in range(2):
            if self._tasks.running:
                await asyncio.wait(set(self._tasks.running), timeout=_FAREWELL_S)
            for task in self._tasks.running:
                task.cancel()
        self._tasks.close()

    def close(self) -> None:
        """Close the database; may be called repeatedly."""
        if not self._is_closed:
            self._is_closed = True
            self.store.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> object:
        assert self._tasks is not None, "nobody comes before `start`"
        return self._tasks.start(work)


def _stored(db: Connection) -> tuple[Mapping[str, str | int | bool], list[tuple[str, str, int | None]]]:
    return audit.settings(db), db.execute("SELECT kind, value, until_ms FROM block").fetchall()
