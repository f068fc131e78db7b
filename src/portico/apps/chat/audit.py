"""What was done to people and rooms, and by whom; and what an admin has set. As SQL.

In: a change that is under way, so that an act and its row are in one transaction.
"""

import json
from sqlite3 import Connection
from typing import Any, Final, NamedTuple

from portico.apps.chat.events import Rejected
from portico.apps.chat.log import Change
from portico.apps.chat.origin import is_allowable
from portico.errors import excerpt

MAX_ROWS: Final = 200
_KEPT_ROWS: Final = 100_000


class Row(NamedTuple):
    """One act. target: what it was done to, "" for nothing. detail: in words or as JSON, "" for none."""

    id: int
    at_ms: int
    actor: int
    act: str
    target: str
    detail: str


def note(change: Change, actor: int, act: str, target: object = "", detail: str = "") -> None:
    """Note an act of a person; the oldest go where there are very many."""
    row = change.db.execute(
        "INSERT INTO audit (at_ms, actor, act, target, detail) VALUES (?, ?, ?, ?, ?) RETURNING id",
        (change.now_ms, actor, act, str(target), detail),
    ).fetchone()
    change.db.execute("DELETE FROM audit WHERE id <= ?", (row[0] - _KEPT_ROWS,))


def acts(db: Connection, before: int | None = None, limit: int = MAX_ROWS) -> list[Row]:
    """Return the acts in front of one, the latest first. before: its id, None for the last ones."""
    rows = db.execute(
        "SELECT id, at_ms, actor, act, target, detail FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?",
        (before if before is not None else 1 << 62, min(limit, MAX_ROWS)),
    )
    return [Row(*row) for row in rows]


class Setting(NamedTuple):
    """One row of what can be set. default: what holds until then, and of which type it is. most: of a number, or the
    length of a text. least: of a number. is_public: told to everybody who asks. are_origins: a text of sites, apart by
    spaces, of which each has to be one."""

    default: str | int | bool
    most: int = 0
    least: int = 0
    is_public: bool = False
    are_origins: bool = False


SETTINGS: Final[dict[str, Setting]] = {
    "title": Setting("", 60, is_public=True),
    "signup": Setting(False, is_public=True),
    "guests": Setting(False, is_public=True),  # visitors and peers may enter public rooms
    "origins": Setting("", 2_000, are_origins=True),  # of other sites that show the widget
    "keep_room_days": Setting(0, 36_500),  # 0: for ever
    "keep_direct_days": Setting(0, 36_500),
    "keep_desk_days": Setting(0, 36_500),
    "keep_audit_days": Setting(0, 36_500),
    "max_file_mib": Setting(25, 2_048, 1, is_public=True),
}


def settings(db: Connection) -> dict[str, str | int | bool]:
    """Return every setting with its value."""
    stored = dict(db.execute("SELECT key, value FROM setting"))
    return {key: json.loads(stored[key]) if key in stored else row.default for key, row in SETTINGS.items()}


def set_setting(change: Change, actor: int, key: str, value: Any) -> None:
    """Set something. Raises Rejected "bad_setting" for what cannot be, or not to this."""
    row = SETTINGS.get(key)
    if row is None:
        raise Rejected("bad_setting", f"there is no such setting; {', '.join(SETTINGS)} can be set")
    if type(value) is not type(row.default):
        raise Rejected("bad_setting", f"{key} is of type {type(row.default).__name__}")
    if isinstance(value, str) and (len(value) > row.most or not all(c.isprintable() for c in value)):
        raise Rejected("bad_setting", f"{key} has at most {row.most} printable characters")
    if row.are_origins and (wrong := [word for word in str(value).split() if not is_allowable(word)]):
        raise Rejected("bad_setting", f"{excerpt(wrong[0])} is no origin; write https://HOST, https://HOST:PORT, or *")
    if isinstance(value, int) and not isinstance(value, bool) and not row.least <= value <= row.most:
        raise Rejected("bad_setting", f"{key} is between {row.least} and {row.most}")
    change.db.execute("INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)", (key, json.dumps(value)))
    note(change, actor, "setting.set", key, json.dumps(value, ensure_ascii=False))
