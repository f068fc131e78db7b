"""What can be wrong with a house, found before it hurts: a list of findings, each with what to do.

    examine(folder, ports) -> [Finding, ...]      reads, and changes nothing; the chat may be running or not

Each check is a function that gives findings; the table below has all of them.
"""

import errno
import os
import shutil
import socket
import sqlite3
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from time import time_ns
from typing import Final, NamedTuple

from portico.apps.chat.files import FOLDER, SPARE_BYTES
from portico.apps.chat.house import DATABASE
from portico.apps.chat.schema import VERSION

GOOD: Final = "good"
POOR: Final = "poor"  # it works, and will not for ever
BAD: Final = "bad"  # it does not work
MIN_DESCRIPTORS: Final = 4_096  # two for each of 2 000 people
MAX_WAL: Final = 256 << 20
_MIB: Final = 1 << 20
_BUILT_MS: Final = 1_735_689_600_000  # 2025-01-01: no clock that is right is before it


class Finding(NamedTuple):
    """One thing that was looked at. level: GOOD, POOR or BAD. remedy: what to do, "" where nothing is."""

    level: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.level:4}  {self.what}" + (f"; {self.remedy}" if self.remedy else "")


class Port(NamedTuple):
    """A port that the chat is to listen on. protocol: tcp or udp."""

    protocol: str
    host: str
    number: int


def examine(
    folder: Path, ports: Sequence[Port] = (), *, now_ms: Callable[[], int] = lambda: time_ns() // 1_000_000
) -> list[Finding]:
    """Look at a house and the machine it is on.

    ports: that it is to listen on, and nobody is to have now; none where it is running already.
    """
    found = [finding for check in _CHECKS for finding in check(folder)]
    found += _check_clock(folder, now_ms())
    found += (_check_port(port) for port in ports)
    return found


def is_well(findings: Iterable[Finding]) -> bool:
    """Tell whether nothing is BAD."""
    return all(finding.level != BAD for finding in findings)


def _check_folder(folder: Path) -> Iterator[Finding]:
    if not folder.is_dir():
        yield Finding(POOR, f"there is no folder {folder}", "the first start makes it")
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Finding(
            BAD, f"{folder} cannot be written", f"give it to the user that runs the chat: chown -R USER {folder}"
        )
    elif stat.S_IMODE(folder.stat().st_mode) & 0o077:
        yield Finding(POOR, f"others on this machine can look into {folder}", f"chmod 700 {folder}")
    else:
        yield Finding(GOOD, f"the folder {folder} is there, and nobody else's")


def _check_database(folder: Path) -> Iterator[Finding]:
    path = folder / DATABASE
    if not path.is_file():
        yield Finding(POOR, "there is no database yet", "the first start makes it")
        return
    try:
        with closing(_connect(path)) as db:
            (problem,) = db.execute("PRAGMA quick_check(1)").fetchone()
            (version,) = db.execute("SELECT value FROM meta WHERE key = 'version'").fetchone() or ("none",)
            (events,) = db.execute("SELECT coalesce(sum(head), 0) FROM conversation").fetchone()
            holes = db.execute(
                "SELECT id FROM conversation WHERE head != (SELECT count(*) FROM event WHERE conversation = id) LIMIT 5"
            ).fetchall()
    except sqlite3.Error as exc:
        yield Finding(BAD, f"the database cannot be read: {exc}", "restore a backup")
        return
    if problem != "ok":
        yield Finding(BAD, f"the database is damaged: {problem}", "stop the chat and restore a backup")
    elif version != str(VERSION):
        yield Finding(BAD, f"the database is of version {version}, this program of {VERSION}", "update the older one")
    elif holes:
        numbers = ", ".join(str(one) for (one,) in holes)
        yield Finding(BAD, f"events are missing in conversations {numbers}", "stop the chat and restore a backup")
    else:
        size = path.stat().st_size / _MIB
        yield Finding(GOOD, f"the database is sound: {events} events, {size:.1f} MiB")


def _check_journal(folder: Path) -> Iterator[Finding]:
    path = folder / f"{DATABASE}-wal"
    size = path.stat().st_size if path.is_file() else 0
    if size > MAX_WAL:
        remedy = "some program holds the database open and reads; stop it, or start the chat anew"
        yield Finding(POOR, f"the journal has {size // _MIB} MiB", remedy)


def _check_files(folder: Path) -> Iterator[Finding]:
    path = folder / DATABASE
    if not path.is_file():
        return
    try:
        with closing(_connect(path)) as db:
            rows = db.execute("SELECT DISTINCT digest FROM file").fetchall()
    except sqlite3.Error:
        return  # has been told already
    missing = sum(not (folder / FOLDER / digest[:2] / digest).is_file() for (digest,) in rows)
    if missing:
        yield Finding(BAD, f"{missing} of {len(rows)} files are not on the disk", f"copy {FOLDER}/ from a backup")
    else:
        yield Finding(GOOD, f"all {len(rows)} files are on the disk")


def _check_disk(folder: Path) -> Iterator[Finding]:
    place = next(one for one in (folder, *folder.absolute().parents) if one.is_dir())
    free = shutil.disk_usage(place).free
    if free < SPARE_BYTES:
        yield Finding(BAD, f"{free // _MIB} MiB are free on the disk", "make room: no files are taken now")
    elif free < 8 * SPARE_BYTES:
        yield Finding(POOR, f"{free // _MIB} MiB are free on the disk", "make room soon")
    else:
        yield Finding(GOOD, f"{free // _MIB} MiB are free on the disk")


def _check_descriptors(folder: Path) -> Iterator[Finding]:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= MIN_DESCRIPTORS:
        yield Finding(GOOD, "enough connections can be open" + ("" if soft < 0 else f": {soft}"))
    else:
        where = "ulimit -n 65536" if hard < 0 or hard >= MIN_DESCRIPTORS else "LimitNOFILE=65536 in the service's unit"
        yield Finding(POOR, f"only {soft} connections can be open", where)


def _check_clock(folder: Path, now_ms: int) -> Iterator[Finding]:
    latest = 0
    if (folder / DATABASE).is_file():
        try:
            with closing(_connect(folder / DATABASE)) as db:
                # The last event of each conversation, by its key: no look through the whole log.
                (latest,) = db.execute(
                    "SELECT coalesce(max(at_ms), 0) FROM conversation JOIN event "
                    "ON event.conversation = conversation.id AND event.seq = head"
                ).fetchone()
        except sqlite3.Error:
            pass  # has been told already
    if now_ms < _BUILT_MS:
        yield Finding(BAD, "the clock is years behind", "set it: timedatectl set-ntp true")
    elif latest > now_ms + 60_000:
        ahead_s = (latest - now_ms) // 1000
        yield Finding(BAD, f"the last message is {ahead_s} s in the future", "the clock was, or is, wrong; set it")
    else:
        yield Finding(GOOD, "the clock is plausible")


def _check_port(port: Port) -> Finding:
    kind = socket.SOCK_STREAM if port.protocol == "tcp" else socket.SOCK_DGRAM
    what = f"{port.protocol} port {port.number}"
    try:
        family, *_, address = socket.getaddrinfo(port.host, port.number, type=kind)[0]
        with socket.socket(family, kind) as probe:
            if kind == socket.SOCK_STREAM:  # as servers do: what only lingers is in nobody's way
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as exc:
        return Finding(BAD, f"{what} cannot be had: {exc.strerror or exc}", _PORT_REMEDIES.get(exc.errno or 0, ""))
    return Finding(GOOD, f"{what} is free")


_PORT_REMEDIES: Final = {
    errno.EADDRINUSE: "another program has it, or the chat is running already",
    errno.EACCES: "ports below 1024 need a right that this user has not; choose a higher one",
    errno.EADDRNOTAVAIL: "this machine has no such address; choose another, or 0.0.0.0 for all",
}
_CHECKS: Final = (_check_folder, _check_database, _check_journal, _check_files, _check_disk, _check_descriptors)


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{_quoted(path)}?mode=ro", uri=True, timeout=2.0)


def _quoted(path: Path) -> str:
    return path.absolute().as_uri().removeprefix("file://")
