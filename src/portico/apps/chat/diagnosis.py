"""How the server does, for admins: who is connected and how far behind, and a bundle for whoever is asked for help.

    operations(folder)
      admin.connections    -> {connections: [...], behind, slow}
      admin.bundle         -> {bundle}: the program, the machine, counts, settings, the doctor's findings

A bundle has numbers of people, and neither names, texts nor addresses of anybody.
"""

import asyncio
import platform
import sqlite3
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Final

from portico import __version__
from portico.apps.chat import audit, people
from portico.apps.chat.doctor import examine
from portico.apps.chat.frames import Frame
from portico.apps.chat.hub import Hub, Reader
from portico.apps.chat.operations import guarded, myself
from portico.apps.chat.session import Operation, Session

MAX_CONNECTIONS: Final = 500  # that are listed, those furthest behind first
_ADMINS: Final = frozenset({"admin"})
_COUNTS: Final[Mapping[str, str]] = {
    "people": "SELECT kind, count(*) FROM person GROUP BY kind",
    "conversations": "SELECT kind, count(*) FROM conversation GROUP BY kind",
    "events": "SELECT 'all', coalesce(sum(head), 0) FROM conversation",
    "files": "SELECT 'all', count(*) FROM file",
    "cases": "SELECT state, count(*) FROM desk_case GROUP BY state",
}


def operations(folder: Path) -> dict[str, Operation]:
    """Return what admins can ask, by name. folder: the house's."""
    found: dict[str, Operation] = {
        "admin.connections": _list_connections,
        "admin.bundle": partial(_make_bundle, folder),
    }
    return {name: guarded(_ADMINS, operation) for name, operation in found.items()}


async def _list_connections(session: Session, frame: Frame) -> dict[str, Any]:
    house, hub = session.house, session.house.hub
    rows = sorted(_connections(hub), key=lambda row: (-row["behind"], not row["slow"], row["person"]))
    shown = rows[:MAX_CONNECTIONS]
    cards = await hub.store.read(lambda db: {row["person"]: people.person(db, row["person"]) for row in shown})
    return {
        "connections": [
            {
                **row,
                "name": cards[row["person"]].name,
                "kind": cards[row["person"]].kind,
                "via": house.presence.ways(row["person"]),
            }
            for row in shown
        ],
        "count": len(rows),
        "behind": sum(row["behind"] > 0 for row in rows),
        "slow": sum(row["slow"] for row in rows),
    }


def _connections(hub: Hub) -> list[dict[str, Any]]:
    readers = [reader for several in hub.readers.values() for reader in several]
    return [
        {
            "person": reader.person,
            "conversations": len(reader.cursors),
            "behind": _behind(hub, reader),
            "slow": not reader.wire.has_room,
        }
        for reader in readers
    ]


def _behind(hub: Hub, reader: Reader) -> int:
    """Return how many events a reader has yet to be handed, in what it lags behind."""
    return sum(max(0, hub.rooms[number].head - reader.cursors[number]) for number in reader.lagging)


async def _make_bundle(folder: Path, session: Session, frame: Frame) -> dict[str, Any]:
    hub = session.house.hub
    own = myself(session).person

    def read(db: Connection) -> tuple[dict[str, Any], dict[str, Any]]:
        counts = {name: dict(db.execute(query).fetchall()) for name, query in _COUNTS.items()}
        return counts, {key: value for key, value in audit.settings(db).items() if key not in ("title", "origins")}

    counts, settings = await hub.store.read(read)
    await hub.store.write(lambda change: audit.note(change, own, "bundle.make"))
    findings = await asyncio.to_thread(examine, folder)
    return {
        "bundle": {
            "portico": __version__,
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "system": platform.platform(),
            "epoch": hub.store.epoch,
            "now": hub.store.now_ms(),
            "counts": counts,
            "settings": settings,
            "findings": [{"level": one.level, "what": one.what(), "remedy": one.remedy()} for one in findings],
            "connections": _connections(hub),
        }
    }
