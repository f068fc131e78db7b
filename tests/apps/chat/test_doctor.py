"""The doctor: every finding, on houses that are well and houses that are not, in both languages."""

import os
import re
import resource
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from string import Formatter

import pytest

from portico.apps.chat import doctor
from portico.apps.chat.doctor import (
    BAD,
    GOOD,
    MAX_WAL,
    MIN_DESCRIPTORS,
    POOR,
    Finding,
    Port,
    SocketFile,
    examine,
    is_well,
)
from portico.apps.chat.house import DATABASE
from portico.apps.chat.store import Store

NOW_MS = 1_800_000_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A house with two messages, closed."""
    path = tmp_path / "house"
    path.mkdir(mode=0o700)
    Store(path / DATABASE).close()
    change(
        path,
        "INSERT INTO person (kind, name, made_ms) VALUES ('user', 'Li', 1)",
        "INSERT INTO conversation (kind, made_ms, head) VALUES ('room', 1, 2)",
        f"INSERT INTO event VALUES (1, 1, {NOW_MS - 9}, 1, 'msg', '{{}}', NULL, NULL, 'ws')",
        f"INSERT INTO event VALUES (1, 2, {NOW_MS - 5}, 1, 'msg', '{{}}', NULL, NULL, 'ws')",
    )
    return path


def change(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


def look(folder: Path, *ports: Port, now_ms: int = NOW_MS) -> list[Finding]:
    return examine(folder, ports, now_ms=lambda: now_ms)


def one(findings: list[Finding], words: str) -> Finding:
    (found,) = [finding for finding in findings if words in finding.what()]
    return found


def test_a_house_that_is_well(folder: Path) -> None:
    findings = look(folder)
    assert is_well(findings)
    assert "2 events" in one(findings, "database is sound").what()
    assert one(findings, "nobody else's").level == GOOD
    assert one(findings, "all 0 files").level == GOOD
    assert one(findings, "clock").level == GOOD


def test_it_changes_nothing_and_may_be_asked_while_the_chat_runs(folder: Path) -> None:
    store = Store(folder / DATABASE)
    assert is_well(look(folder))
    store.close()
    assert [path.name for path in folder.iterdir()] == [DATABASE]


def test_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    findings = look(tmp_path / "a" / "b")
    assert is_well(findings)
    assert one(findings, "no folder").remedy() == "the first start makes it"
    assert one(findings, "no database").level == POOR


def test_a_folder_that_others_can_read(folder: Path) -> None:
    folder.chmod(0o755)
    assert one(look(folder), "others on this machine").remedy() == f"chmod 700 {folder}"


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE meta SET value = '99' WHERE key = 'version'", "version 99"),
        ("DELETE FROM meta WHERE key = 'version'", "version none"),
        ("DELETE FROM event WHERE seq = 1", "missing in conversations 1"),
        ("DROP TABLE conversation", "cannot be read"),
    ],
)
def test_a_database_that_is_not_well(folder: Path, statement: str, words: str) -> None:
    change(folder, "PRAGMA foreign_keys = 0", statement)
    findings = look(folder)
    assert one(findings, words).level == BAD
    assert one(findings, words).remedy()
    assert not is_well(findings)


def test_a_file_that_is_no_database(folder: Path) -> None:
    (folder / DATABASE).write_bytes(b"something else " * 1000)
    findings = look(folder)
    assert [finding.level for finding in findings].count(BAD) == 1
    assert "restore" in one(findings, "cannot be read").remedy()


def test_a_damaged_page(folder: Path) -> None:
    data = bytearray((folder / DATABASE).read_bytes())
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        (root,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'device_of'").fetchone()
    data[(root - 1) * 4096 : root * 4096] = bytes(4096)
    (folder / DATABASE).write_bytes(data)
    assert not is_well(look(folder))


def test_files_that_are_missing(folder: Path) -> None:
    for digest in ("aa" * 32, "bb" * 32):
        change(
            folder,
            "INSERT INTO file (digest, name, type, size, uploader, made_ms) "
            f"VALUES ('{digest}', 'a', 'text/plain', 1, 1, 1)",
        )
    place = folder / "files" / "aa" / ("aa" * 32)
    place.parent.mkdir(parents=True)
    place.write_text("x")
    assert one(look(folder), "1 of 2 files").level == BAD


def test_a_journal_that_grows(folder: Path) -> None:
    with (folder / f"{DATABASE}-wal").open("wb") as journal:
        journal.truncate(MAX_WAL + 1)
    assert one(look(folder), "the journal has 256 MiB").level == POOR


@pytest.mark.parametrize(
    ("now_ms", "words"), [(NOW_MS - 120_000, "119 s in the future"), (1_000_000_000_000, "years behind")]
)
def test_a_clock_that_is_wrong(folder: Path, now_ms: int, words: str) -> None:
    assert one(look(folder, now_ms=now_ms), words).level == BAD


def test_ports_that_are_free_and_that_are_not(folder: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket(type=socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        ports = [
            Port("tcp", "127.0.0.1", taken.getsockname()[1]),
            Port("udp", "127.0.0.1", other.getsockname()[1], is_fixed=False),
            Port("tcp", "127.0.0.1", 0),
            Port("tcp", "192.0.2.1", 8765),  # RFC 5737: nobody has it
        ]
        findings = examine(folder, ports, now_ms=lambda: NOW_MS, root=tmp_path)[-5:-1]
    assert [finding.level for finding in findings] == [BAD, POOR, GOOD, BAD]
    assert f"(pid {os.getpid()})" in findings[0].what()
    assert findings[0].remedy() == "stop that program, or choose another port"
    assert findings[1].remedy() == "the chat takes the next free one"
    assert "no such address" in findings[3].remedy()
    assert findings[2].line() == "good  tcp port 0 is free"
    assert findings[0].line().startswith("bad   tcp port ")


def test_socket_files(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    name = f"@portico-doctor-{os.getpid()}"
    paths = ["held", "stale", "free", "none/x", "file", "x" * 200]
    with socket.socket(socket.AF_UNIX) as held, socket.socket(socket.AF_UNIX) as stale:
        held.bind(str(tmp_path / "held"))
        held.listen()
        stale.bind(str(tmp_path / "stale"))
        sockets = [*(SocketFile(str(tmp_path / path)) for path in paths), SocketFile(name)]
        findings = examine(folder, sockets, now_ms=lambda: NOW_MS, root=tmp_path)[-8:-1]
    found = [finding.key for finding in findings]
    assert found[:4] == ["held_socket", "free_socket", "free_socket", "no_socket"]
    assert found[4:] == ["no_socket", "no_socket", "free_socket"]
    assert [finding.cure for finding in findings[3:6]] == ["socket_folder", "other_file", ""]
    assert "AF_UNIX path too long" in findings[5].line()


def test_a_port_of_this_very_chat_is_well(folder: Path, tmp_path: Path) -> None:
    store = Store(folder / DATABASE)
    with socket.create_server(("127.0.0.1", 0)) as own:
        port = Port("tcp", "127.0.0.1", own.getsockname()[1])
        *_, found, _ = examine(folder, [port], now_ms=lambda: NOW_MS, root=tmp_path)
    store.close()
    assert (found.level, found.what()) == (GOOD, f"tcp port {port.number} is this chat's, which is running")


def test_a_port_below_1024_without_the_right_to_it(folder: Path) -> None:
    found = Finding(BAD, "no_port", "higher_port", {"protocol": "tcp", "number": 80, "why": "Permission denied"})
    assert found.line() == (
        "bad   tcp port 80 cannot be had: Permission denied; "
        "ports below 1024 need a right that this user has not; choose a higher one"
    )


@pytest.mark.parametrize(
    ("path", "content", "level", "words"),
    [
        ("etc/ufw/ufw.conf", "# off\nENABLED=no\n", GOOD, "neither ufw nor firewalld is on"),
        ("etc/ufw/ufw.conf", "ENABLED=yes\nLOGLEVEL=low\n", POOR, "a firewall is on: ufw"),
        ("run/firewalld/db", "", POOR, "a firewall is on: firewalld"),
    ],
)
def test_a_firewall_that_is_on(folder: Path, tmp_path: Path, path: str, content: str, level: str, words: str) -> None:
    (tmp_path / "root" / path).parent.mkdir(parents=True)
    (tmp_path / "root" / path).write_text(content)
    found = examine(folder, now_ms=lambda: NOW_MS, root=tmp_path / "root")[-1]
    assert (found.level, found.what()) == (level, words)
    assert found.remedy()


# In both languages


def test_every_text_is_there_in_both_languages_with_the_same_places() -> None:
    for key, texts in doctor._TEXTS.items():
        english, chinese = ({name for _, name, _, _ in Formatter().parse(text) if name} for text in texts)
        assert english == chinese, key
        is_bare = not re.sub(r"\{\w+\}|[ -~]", "", texts[1])
        assert is_bare == (texts[0] == texts[1]), key  # what is typed is the same in both


def test_a_finding_in_chinese(folder: Path) -> None:
    folder.chmod(0o755)
    (found,) = [one for one in look(folder) if one.key == "open_folder"]
    assert found.line("zh") == f"注意  本机其他用户可以查看 {folder}；chmod 700 {folder}"


def test_the_name_of_a_folder_moves_no_cursor(tmp_path: Path) -> None:
    found = look(tmp_path / "a\x1b[2Jb")
    assert "\\x1b[2J" in found[0].line()
    assert all(line.isprintable() for one in found for line in (one.line(), one.line("zh")))


def test_how_many_connections_can_be_open(folder: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = one(look(folder), "can be open")
    assert found.level == (GOOD if before[0] < 0 or before[0] >= MIN_DESCRIPTORS else POOR)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        assert one(look(folder), "only 256").remedy()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
