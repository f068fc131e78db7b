"""The house: one database with its hub, and all that sessions need, put together.

    open_house(path, run)
      Store          the log on disk
      Hub            who is connected
      Presence       which of them is told of
      House          what a Session is given

In: the path of the data folder. Out: a `House`, and who closes it.
"""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

from portico.apps.chat import people, rooms
from portico.apps.chat.hub import Hub
from portico.apps.chat.presence import Presence
from portico.apps.chat.session import House, Me, Operation
from portico.apps.chat.store import Store
from portico.errors import ConfigError, excerpt

DATABASE: Final = "chat.db"


def open_house(
    folder: Path,
    run: Callable[..., object],
    *,
    operations: Mapping[str, Operation] | None = None,
    may: Callable[[Me, str], float] = lambda me, kind: 0.0,
    is_fast: bool = False,
) -> House:
    """Open the database of a folder, which is made where there is none.

    run: starts a coroutine and keeps it, as `Tasks.start` does. operations, may: see `House`. is_fast: see `Store`.
    The caller closes `house.hub.store` in the end. Raises ConfigError for a folder that cannot be used.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(f"{excerpt(str(folder))} cannot be made: {exc.strerror}; choose another folder") from exc
    store = Store(folder / DATABASE, is_fast=is_fast)
    hub, table = Hub(store, run), {} if operations is None else operations
    return House(hub, _recogniser(store), _reader_of_lists(store), table, may, Presence(hub))


def _recogniser(store: Store) -> Callable[[str], Awaitable[Me]]:
    async def recognise(token: str) -> Me:
        known = await store.read(lambda db: people.recognise(db, token, store.now_ms()))
        if store.now_ms() - known.seen_ms >= people.SEEN_EVERY_MS:
            await store.write(lambda change: people.note_seen(change, known.device))
        return Me(known.person.id, known.person.name, known.person.kind, known.device)

    return recognise


def _reader_of_lists(store: Store) -> Callable[[int], Awaitable[Mapping[int, int]]]:
    async def conversations(person: int) -> Mapping[int, int]:
        found = await store.read(lambda db: rooms.conversations_of(db, person))
        return {conversation.id: conversation.read for conversation in found if not conversation.has_left}

    return conversations
