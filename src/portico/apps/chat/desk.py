"""The desk: runs the router on every cause, and tells those whom its turns concern.

    Store.on_commit -> Desk.hear          a case that changed, a message in one that rests: a cause
    desk_operations -> Desk.wake          an agent who is there, or wants visitors, or other hours: causes
    a tick of 5 s, what is due            causes: the end of an offer, a case that was put off until now
      Desk.route -> desk_router.turn      one transaction, one at a time
        desk_router.statuses -> Hub.tell  visitors: their place; agents: that their lists have changed

What is told is state, not events: whoever misses it asks again. What counts is in the two logs of each case.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from portico.apps.chat import desk_router, frames
from portico.apps.chat.desk_router import Status, View
from portico.apps.chat.events import Event, Rejected
from portico.apps.chat.hub import Hub

TICK_S: Final = 5.0
GONE_MS: Final = 60_000  # of an agent without any connection, until its visitors wait again
_REST_S: Final = 0.05  # between turns, at least: causes that come together are one
_REST_SHARE: Final = (
    4  # ... and as many times as long as a turn has taken, so that a long queue takes no more of the time
)
_TELL_ALL_MS: Final = 5_000  # after which who has missed something is told again
_CHANGES: Final = frozenset({"state", "assign", "transfer", "rating", "priority"})
_RESTS: Final = frozenset({"closed", "snoozed"})


class Desk:
    """The desk of one hub. Belongs to the hub's loop, and must be started there, and closed before the store is."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._cause = asyncio.Event()
        self._resting: set[int] = set()
        self._due_ms: int | None = None
        self._gone_ms: dict[int, int] = {}
        self._has_changed = False
        self._heard: set[int] = set()
        self._online: frozenset[int] = frozenset()
        self._task: asyncio.Task[None] | None = None
        self._told: Mapping[int, Status] = {}
        self._told_all_ms = 0
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Begin to listen to the store, and to route. Returns after the first turn."""
        store = self.hub.store
        publish = store.on_commit

        def on_commit(events: Sequence[Event]) -> None:
            publish(events)
            self.hear(events)

        store.on_commit = on_commit
        # Listening first: what is closed, put off, or said, while this is looked up is heard.
        self._resting |= set(await store.read(desk_router.resting))
        self._heard |= set(await store.read(desk_router.unheard))
        await self.route()
        self._task = asyncio.create_task(self._keep_routing())

    async def close(self) -> None:
        """Route no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    @property
    def waiting(self) -> int:
        """Count the visitors who wait for an agent, as the last turn found them."""
        return len(self._told)

    def wake(self) -> None:
        """Ask for a turn soon: something has happened that is no event."""
        self._has_changed = True
        self._cause.set()

    def greet(self, person: int) -> None:
        """Ask for a turn where an agent was not there at the last one."""
        if person not in self._online:
            self._cause.set()

    def hear(self, events: Sequence[Event]) -> None:
        """Look whether what was committed is a cause."""
        for event in events:
            if event.kind in _CHANGES:
                self._note_change(event)
            elif event.kind == "msg" and event.conversation in self._resting:
                self._heard.add(event.conversation)
                self._cause.set()

    def _note_change(self, event: Event) -> None:
        if event.kind == "state" and json.loads(event.body)["state"] in _RESTS:
            self._resting.add(event.conversation)
        elif event.kind != "rating":
            self._resting.discard(event.conversation)
        self.wake()

    async def route(self) -> None:
        """Take one turn now. Raises Rejected "unavailable" where nothing can be stored; what was due is due again."""
        async with self._turn:
            self._cause.clear()
            has_changed, self._has_changed = self._has_changed, False
            store = self.hub.store
            now_ms, online = store.now_ms(), frozenset(self.hub.readers)
            gone = {agent for agent, since_ms in self._gone_ms.items() if now_ms - since_ms >= GONE_MS}
            view = View(online, frozenset(gone - online), frozenset(self._heard))
            self._heard.clear()
            try:
                turn = await store.write(partial(desk_router.turn, view=view))
                found = await store.read(lambda db: desk_router.statuses(db, now_ms, online, also=self._told))
            except Rejected:
                self._heard |= view.heard
                self._has_changed |= has_changed
                raise
            self._online, self._due_ms = online, turn.due_ms
            self._gone_ms = {agent: self._gone_ms.get(agent, now_ms) for agent in turn.owners - online}
            self._tell(found, now_ms)
            if has_changed or self._has_changed:
                self._has_changed = False
                self.hub.tell(turn.staff & online, frames.write("st", desk_list=True))

    def _tell(self, found: Mapping[int, tuple[int, Status]], now_ms: int) -> None:
        """Tell visitors what is new, and now and then all of it."""
        is_all = now_ms - self._told_all_ms >= _TELL_ALL_MS
        if is_all:
            self._told_all_ms = now_ms
        for conversation, (visitor, status) in found.items():
            if is_all or status != self._told.get(conversation):
                self.hub.tell([visitor], frames.write("st", c=conversation, desk=status))
        # Who waits no more has been told so now, and is not told again.
        self._told = {c: status for c, (_, status) in found.items() if status["state"] == "queued"}

    async def _keep_routing(self) -> None:
        clock, took_s = asyncio.get_running_loop().time, 0.0
        while True:
            await asyncio.sleep(max(_REST_S, took_s * _REST_SHARE))
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause_s()):
                    await self._cause.wait()
            began_s = clock()
            try:
                await self.route()
            except Rejected:  # the disk takes nothing now: the next turn finds the same to do
                await asyncio.sleep(TICK_S)
            except Exception as exc:  # the root of a task: one bad turn does not end the desk
                report = {"message": "a turn of the desk failed", "exception": exc}
                asyncio.get_running_loop().call_exception_handler(report)
                await asyncio.sleep(TICK_S)
            took_s = clock() - began_s

    def _pause_s(self) -> float:
        if self._due_ms is None:
            return TICK_S
        return min(TICK_S, max(0.0, (self._due_ms - self.hub.store.now_ms()) / 1000))
