"""What can be wrong with a house, found before it hurts: a list of findings, each with what to do.

    examine(folder, ports) -> [Finding, ...]      reads, and changes nothing; the chat may be running or not
    Finding.line(language) -> str                 in English or in Chinese

Each check is a function that gives findings; the table below has all of them.
"""

import errno
import os
import shutil
import socket
import sqlite3
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from time import time_ns
from typing import Final, Literal, NamedTuple

from portico.apps.chat.files import FOLDER, SPARE_BYTES
from portico.apps.chat.house import DATABASE
from portico.apps.chat.schema import VERSION
from portico.net.ports import Holder, holder
from portico.wire.lines import printable

GOOD: Final = "good"
POOR: Final = "poor"  # it works, and will not for ever
BAD: Final = "bad"  # it does not work
MIN_DESCRIPTORS: Final = 4_096  # two for each of 2 000 people
_SOCKET_S: Final = 2.0
MAX_WAL: Final = 256 << 20
_MIB: Final = 1 << 20
_BUILT_MS: Final = 1_735_689_600_000  # 2025-01-01: no clock that is right is before it


LANGUAGES: Final = ("en", "zh")
_LEVELS: Final = {GOOD: "正常", POOR: "注意", BAD: "故障"}

# What is found, and what to do, in each language.
_TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    "no_folder": ("there is no folder {folder}", "没有文件夹 {folder}"),
    "unwritable": ("{folder} cannot be written", "无法写入 {folder}"),
    "open_folder": ("others on this machine can look into {folder}", "本机其他用户可以查看 {folder}"),
    "folder": ("the folder {folder} is there, and nobody else's", "文件夹 {folder} 存在，且只有本用户能访问"),
    "no_database": ("there is no database yet", "还没有数据库"),
    "unreadable": ("the database cannot be read: {why}", "无法读取数据库：{why}"),
    "damaged": ("the database is damaged: {why}", "数据库已损坏：{why}"),
    "version": (
        "the database is of version {version}, this program of {own}",
        "数据库的版本为 {version}，本程序的版本为 {own}",
    ),
    "holes": ("events are missing in conversations {numbers}", "会话 {numbers} 中有事件缺失"),
    "database": (
        "the database is sound: {events} events, {size:.1f} MiB",
        "数据库完好：{events} 条事件，{size:.1f} MiB",
    ),
    "journal": ("the journal has {size} MiB", "数据库日志已有 {size} MiB"),
    "no_files": ("{missing} of {count} files are not on the disk", "{count} 个文件中有 {missing} 个不在磁盘上"),
    "files": ("all {count} files are on the disk", "{count} 个文件都在磁盘上"),
    "disk": ("{free} MiB are free on the disk", "磁盘剩余 {free} MiB"),
    "connections": ("enough connections can be open: {count}", "可同时打开的连接数足够：{count}"),
    "few_connections": ("only {count} connections can be open", "只能同时打开 {count} 个连接"),
    "no_limit": ("any number of connections can be open", "可同时打开的连接数不限"),
    "slow_clock": ("the clock is years behind", "时钟慢了好几年"),
    "future": ("the last message is {ahead_s} s in the future", "最后一条消息的时间比现在晚 {ahead_s} 秒"),
    "clock": ("the clock is plausible", "时钟看起来正常"),
    "free_port": ("{protocol} port {number} is free", "{protocol} 端口 {number} 空闲"),
    "own_port": (
        "{protocol} port {number} is this chat's, which is running",
        "{protocol} 端口 {number} 正由本聊天服务使用",
    ),
    "held_port": ("{protocol} port {number} is held by {holder}", "{protocol} 端口 {number} 被 {holder} 占用"),
    "taken_port": (
        "{protocol} port {number} is held by a program of another user",
        "{protocol} 端口 {number} 被其他用户的程序占用",
    ),
    "no_port": ("{protocol} port {number} cannot be had: {why}", "无法使用 {protocol} 端口 {number}：{why}"),
    "free_socket": ("nobody listens at unix:{path}, and it can be had", "unix:{path} 空闲可用"),
    "held_socket": (
        "a program listens at unix:{path}, as this chat does when it runs",
        "unix:{path} 已有程序在监听（本聊天服务运行时即是如此）",
    ),
    "no_socket": ("unix:{path} cannot be had: {why}", "无法使用 unix:{path}：{why}"),
    "firewall": ("a firewall is on: {name}", "防火墙已开启：{name}"),
    "no_firewall": ("neither ufw nor firewalld is on", "ufw 与 firewalld 均未开启"),
    # what to do
    "is_made": ("the first start makes it", "首次启动时会创建"),
    "own_it": (
        "give it to the user that runs the chat: chown -R USER {folder}",
        "把它交给运行聊天服务的用户：chown -R 用户名 {folder}",
    ),
    "close_it": ("chmod 700 {folder}", "chmod 700 {folder}"),
    "restore": ("stop the chat and restore a backup", "请停止聊天服务并恢复备份"),
    "update": ("update the older one", "请升级较旧的一方"),
    "readers": (
        "some program holds the database open and reads; stop it, or start the chat anew",
        "有程序一直在读数据库，请结束它，或重新启动聊天服务",
    ),
    "copy_files": ("copy {place}/ from a backup", "请从备份中复制 {place}/"),
    "no_room": ("make room: no files are taken now", "请清理磁盘，现在已不接收文件"),
    "some_room": ("make room soon", "请尽快清理磁盘"),
    "ulimit": ("ulimit -n 65536", "ulimit -n 65536"),
    "unit_limit": ("LimitNOFILE=65536 in the service's unit", "在服务的 unit 文件中设置 LimitNOFILE=65536"),
    "set_clock": ("set it: timedatectl set-ntp true", "请校准时钟：timedatectl set-ntp true"),
    "check_clock": ("the clock was, or is, wrong; set it", "时钟曾经或现在不准，请校准"),
    "stop_holder": ("stop that program, or choose another port", "请结束该程序，或换一个端口"),
    "next_port": ("the chat takes the next free one", "聊天服务会使用下一个空闲端口"),
    "other_file": ("another file is in its place; choose another path", "该位置已有其他文件，请换一个路径"),
    "socket_folder": ("make {folder}, and let this user write there", "请创建 {folder}，并允许当前用户写入"),
    "higher_port": (
        "ports below 1024 need a right that this user has not; choose a higher one",
        "1024 以下的端口需要额外权限，请换一个更大的端口",
    ),
    "other_address": (
        "this machine has no such address; choose another, or 0.0.0.0 for all",
        "本机没有这个地址，请换一个，或用 0.0.0.0 表示所有地址",
    ),
    "ufw": (
        "it keeps other devices out until you let them in: sudo ufw allow PORT/tcp, and PORT/udp",
        "放行之前其他设备无法连接：sudo ufw allow 端口/tcp，UDP 为 端口/udp",
    ),
    "firewalld": (
        "it keeps other devices out until you let them in: sudo firewall-cmd --add-port=PORT/tcp, and PORT/udp",
        "放行之前其他设备无法连接：sudo firewall-cmd --add-port=端口/tcp，UDP 为 端口/udp",
    ),
    "elsewhere": (
        "if other devices cannot connect, look at sudo nft list ruleset, and at the router",
        "若其他设备连不上，请查看 sudo nft list ruleset 及路由器的设置",
    ),
}


class Finding(NamedTuple):
    """One thing that was looked at. level: GOOD, POOR or BAD. key: what was found. cure: what to do, "" for nothing.

    values: of the places in the texts.
    """

    level: str
    key: str
    cure: str = ""
    values: Mapping[str, object] = {}

    def what(self, language: str = "en") -> str:
        """Say what was found. language: one of LANGUAGES."""
        return self._said(self.key, language)

    def remedy(self, language: str = "en") -> str:
        """Say what to do, "" where nothing is to be done."""
        return self._said(self.cure, language) if self.cure else ""

    def line(self, language: str = "en") -> str:
        """Return all of it as one line, which a terminal can show."""
        told = "; " if language == "en" else "；"
        level = f"{self.level:4}" if language == "en" else _LEVELS[self.level]
        return printable(f"{level}  {told.join(filter(None, (self.what(language), self.remedy(language))))}")

    def _said(self, key: str, language: str) -> str:
        return _TEXTS[key][LANGUAGES.index(language)].format(**self.values)


class Port(NamedTuple):
    """A port that the chat is to listen on. protocol: tcp or udp. is_fixed: another one would not do."""

    protocol: Literal["tcp", "udp"]
    host: str
    number: int
    is_fixed: bool = True


class SocketFile(NamedTuple):
    """A socket file that the chat is to listen on; `@` and a name is one in the abstract name space."""

    path: str


def examine(
    folder: Path,
    ports: Sequence[Port | SocketFile] = (),
    *,
    now_ms: Callable[[], int] = lambda: time_ns() // 1_000_000,
    root: Path = Path("/"),
) -> list[Finding]:
    """Look at a house and the machine it is on.

    ports: that it is to listen on, or is listening on now. root: of the file system, where the firewall is looked for.
    """
    found = [finding for check in _CHECKS for finding in check(folder)]
    found += _check_clock(folder, now_ms())
    found += (_check_port(one, folder) if isinstance(one, Port) else _check_socket(one.path) for one in ports)
    found.append(_check_firewall(root))
    return found


def is_well(findings: Iterable[Finding]) -> bool:
    """Tell whether nothing is BAD."""
    return all(finding.level != BAD for finding in findings)


def _check_folder(folder: Path) -> Iterator[Finding]:
    values = {"folder": folder}
    if not folder.is_dir():
        yield Finding(POOR, "no_folder", "is_made", values)
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield Finding(BAD, "unwritable", "own_it", values)
    elif stat.S_IMODE(folder.stat().st_mode) & 0o077:
        yield Finding(POOR, "open_folder", "close_it", values)
    else:
        yield Finding(GOOD, "folder", values=values)


def _check_database(folder: Path) -> Iterator[Finding]:
    path = folder / DATABASE
    if not path.is_file():
        yield Finding(POOR, "no_database", "is_made")
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
        yield Finding(BAD, "unreadable", "restore", {"why": exc})
        return
    if problem != "ok":
        yield Finding(BAD, "damaged", "restore", {"why": problem})
    elif version != str(VERSION):
        yield Finding(BAD, "version", "update", {"version": version, "own": VERSION})
    elif holes:
        yield Finding(BAD, "holes", "restore", {"numbers": ", ".join(str(one) for (one,) in holes)})
    else:
        yield Finding(GOOD, "database", values={"events": events, "size": path.stat().st_size / _MIB})


def _check_journal(folder: Path) -> Iterator[Finding]:
    path = folder / f"{DATABASE}-wal"
    size = path.stat().st_size if path.is_file() else 0
    if size > MAX_WAL:
        yield Finding(POOR, "journal", "readers", {"size": size // _MIB})


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
    values = {"missing": missing, "count": len(rows), "place": FOLDER}
    yield Finding(BAD, "no_files", "copy_files", values) if missing else Finding(GOOD, "files", values=values)


def _check_disk(folder: Path) -> Iterator[Finding]:
    place = next(one for one in (folder, *folder.absolute().parents) if one.is_dir())
    free = shutil.disk_usage(place).free
    level, cure = (BAD, "no_room") if free < SPARE_BYTES else (POOR, "some_room")
    values = {"free": free // _MIB}
    yield Finding(GOOD, "disk", values=values) if free >= 8 * SPARE_BYTES else Finding(level, "disk", cure, values)


def _check_descriptors(folder: Path) -> Iterator[Finding]:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        yield Finding(GOOD, "no_limit")
    elif soft >= MIN_DESCRIPTORS:
        yield Finding(GOOD, "connections", values={"count": soft})
    else:
        cure = "ulimit" if hard < 0 or hard >= MIN_DESCRIPTORS else "unit_limit"
        yield Finding(POOR, "few_connections", cure, {"count": soft})


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
        yield Finding(BAD, "slow_clock", "set_clock")
    elif latest > now_ms + 60_000:
        yield Finding(BAD, "future", "check_clock", {"ahead_s": (latest - now_ms) // 1000})
    else:
        yield Finding(GOOD, "clock")


def _check_port(port: Port, folder: Path) -> Finding:
    kind = socket.SOCK_STREAM if port.protocol == "tcp" else socket.SOCK_DGRAM
    values: dict[str, object] = {"protocol": port.protocol, "number": port.number}
    try:
        family, *_, address = socket.getaddrinfo(port.host, port.number, type=kind)[0]
        with socket.socket(family, kind) as probe:
            if kind == socket.SOCK_STREAM:  # as servers do: what only lingers is in nobody's way
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            return _held(port, folder, values)
        cure = _PORT_CURES.get(exc.errno or 0, "")
        return Finding(BAD, "no_port", cure, {**values, "why": exc.strerror or exc})
    return Finding(GOOD, "free_port", values=values)


def _check_socket(path: str) -> Finding:
    values: dict[str, object] = {"path": path}
    is_abstract = path.startswith("@")
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(_SOCKET_S)
            probe.connect(f"\0{path[1:]}" if is_abstract else path)
    except (FileNotFoundError, ConnectionRefusedError):  # what nobody listens at any more gives way
        pass
    except OSError as exc:
        return Finding(BAD, "no_socket", "", {**values, "why": exc.strerror or exc})
    else:
        return Finding(GOOD, "held_socket", values=values)
    if not is_abstract and os.path.exists(path) and not stat.S_ISSOCK(os.stat(path).st_mode):
        return Finding(BAD, "no_socket", "other_file", {**values, "why": os.strerror(errno.EEXIST)})
    folder = os.path.dirname(os.path.abspath(path))
    if not is_abstract and not os.access(folder, os.W_OK | os.X_OK):
        why = os.strerror(errno.EACCES if os.path.isdir(folder) else errno.ENOENT)
        return Finding(BAD, "no_socket", "socket_folder", {**values, "why": why, "folder": folder})
    return Finding(GOOD, "free_socket", values=values)


def _held(port: Port, folder: Path, values: Mapping[str, object]) -> Finding:
    """Say who has a port."""
    who = holder(port.number, port.protocol)
    if who is not None and _has_open(who, folder / DATABASE):
        return Finding(GOOD, "own_port", values=values)
    level, cure = (BAD, "stop_holder") if port.is_fixed else (POOR, "next_port")
    return Finding(level, "taken_port" if who is None else "held_port", cure, {**values, "holder": who})


def _has_open(who: Holder, path: Path) -> bool:
    """Tell whether a process has a file open; false where that cannot be seen."""
    try:
        return any(os.path.samefile(one, path) for one in Path(f"/proc/{who.pid}/fd").iterdir() if one.exists())
    except OSError:
        return False


def _check_firewall(root: Path) -> Finding:
    """Look for the two firewalls that tell everybody whether they are on."""
    try:
        has_ufw = "ENABLED=yes" in (root / "etc/ufw/ufw.conf").read_text(errors="replace").split()
    except OSError:
        has_ufw = False
    if has_ufw or (root / "run/firewalld").exists():
        name = "ufw" if has_ufw else "firewalld"
        return Finding(POOR, "firewall", name, {"name": name})
    return Finding(GOOD, "no_firewall", "elsewhere")


_PORT_CURES: Final = {errno.EACCES: "higher_port", errno.EADDRNOTAVAIL: "other_address"}
_CHECKS: Final = (_check_folder, _check_database, _check_journal, _check_files, _check_disk, _check_descriptors)


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{_quoted(path)}?mode=ro", uri=True, timeout=2.0)


def _quoted(path: Path) -> str:
    return path.absolute().as_uri().removeprefix("file://")
