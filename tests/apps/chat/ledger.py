"""A database in memory for tests of the SQL: persons, conversations, and a change that is committed at once."""

import sqlite3

from portico.apps.chat import people, rooms, search
from portico.apps.chat.events import Claim, Event, check
from portico.apps.chat.log import Appended, Change, append
from portico.apps.chat.schema import prepare


class Ledger:
    """db: the connection. now_ms: moved by hand. events: everything that was appended, in order."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.now_ms = 1_000
        self.events: list[Event] = []
        prepare(self.db)

    @property
    def change(self) -> Change:
        return Change(self.db, self.now_ms, self.events)

    def person(self, name: str, kind: str = "user") -> int:
        return people.add_person(self.change, kind, name, login=name)

    def room(self, owner: int, *others: int, title: str = "room", is_public: bool = False) -> int:
        number = rooms.make_room(self.change, owner, title, is_public=is_public)
        for other in others:
            rooms.invite(self.change, owner, number, other)
        return number

    def say(self, sender: int, conversation: int, text: str, cid: str | None = None, **more: object) -> Appended:
        claim = Claim(conversation, "msg", {"text": text}, cid=cid, **more)
        return self._append(claim, sender)

    def do(self, sender: int, conversation: int, kind: str, ref: int, **body: object) -> Appended:
        return self._append(Claim(conversation, kind, body, ref), sender)

    def _append(self, claim: Claim, sender: int) -> Appended:
        appended = append(self.change, check(claim, sender, "ws"))
        if not appended.is_repeat:
            search.index(self.db, appended.event)
        return appended
