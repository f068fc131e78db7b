import os
import socket
from pathlib import Path

import pytest

from portico.net.ports import Holder, holder

HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
REST = "00000000:00000000 00:00000000 00000000  1000        0"


def row(local: str, state: str, inode: int) -> str:
    return f"   0: {local} 00000000:0000 {state} {REST} {inode} 1 00000000\n"


def make_proc(proc: Path, tables: dict[str, str], processes: dict[int, tuple[str, list[str]]]) -> str:
    """Build a /proc from the text of net tables, and from pid to command and what its descriptors stand for."""
    (proc / "net").mkdir()
    (proc / "version").write_text("Linux\n")
    for name, text in tables.items():
        (proc / "net" / name).write_text(HEADER + text)
    for pid, (name, links) in processes.items():
        (proc / str(pid) / "fd").mkdir(parents=True)
        (proc / str(pid) / "comm").write_text(name + "\n")
        for number, link in enumerate(links):
            (proc / str(pid) / "fd" / str(number)).symlink_to(link)
    return str(proc)


LISTENS = {"tcp": row("0100007F:1F40", "0A", 77)}
MINE = ["/dev/null", "socket:[77]"]
TABLE = [
    ("listens", LISTENS, {10: ("python", MINE)}, Holder("python", 10)),
    ("on IPv6", {"tcp6": row("0" * 32 + ":1F40", "0A", 77)}, {10: ("python", MINE)}, Holder("python", 10)),
    ("lowest pid", LISTENS, {100: ("worker", MINE), 20: ("master", MINE)}, Holder("master", 20)),
    ("another port", {"tcp": row("0100007F:1F41", "0A", 77)}, {10: ("python", MINE)}, None),
    ("the peer's port", {"tcp": row("00001F40:0001", "0A", 77)}, {10: ("python", MINE)}, None),
    (
        "listening before connected",
        {"tcp": row("0100007F:1F40", "01", 76) + row("0100007F:1F40", "0A", 77)},
        {5: ("browser", ["socket:[76]"]), 10: ("python", MINE)},
        Holder("python", 10),
    ),
    ("only connected", {"tcp": row("0100007F:1F40", "01", 77)}, {5: ("browser", MINE)}, Holder("browser", 5)),
    ("in TIME_WAIT", {"tcp": row("0100007F:1F40", "06", 0)}, {5: ("browser", ["socket:[0]"])}, None),
    ("hidden descriptors", LISTENS, {10: ("python", [])}, None),
    ("a mangled table", {"tcp": "\n  0: x:1F40\n\xff"}, {10: ("python", MINE)}, None),
    ("control characters", LISTENS, {10: ("a\x1b[2Jb\nc", MINE)}, Holder("a?[2Jb?c", 10)),
    ("a long name", LISTENS, {10: ("x" * 99, MINE)}, Holder("x" * 40, 10)),
    ("no name", LISTENS, {10: ("", MINE)}, Holder("a process", 10)),
    ("UDP does not count", {"udp": row("0100007F:1F40", "07", 77)}, {10: ("python", MINE)}, None),
]


@pytest.mark.parametrize(("tables", "processes", "expected"), [case[1:] for case in TABLE], ids=[c[0] for c in TABLE])
def test_holder_in_a_made_up_proc(
    tmp_path: Path, tables: dict[str, str], processes: dict[int, tuple[str, list[str]]], expected: Holder | None
) -> None:
    assert holder(8000, proc=make_proc(tmp_path, tables, processes)) == expected


def test_holder_of_a_udp_port(tmp_path: Path) -> None:
    proc = make_proc(tmp_path, {"udp": row("0100007F:1F40", "07", 77)}, {10: ("dns", MINE)})
    assert holder(8000, "udp", proc=proc) == Holder("dns", 10)


def test_process_without_a_name_file_or_a_readable_descriptor(tmp_path: Path) -> None:
    proc = make_proc(tmp_path, LISTENS, {10: ("python", MINE)})
    (tmp_path / "10" / "comm").unlink()
    (tmp_path / "10" / "fd" / "a").write_text("not a link")
    (tmp_path / "9").mkdir()
    assert holder(8000, proc=proc) == Holder("a process", 10)


def test_nothing_is_known_without_proc(tmp_path: Path) -> None:
    assert holder(8000, proc=str(tmp_path / "absent")) is None


def test_proc_that_cannot_be_listed(tmp_path: Path) -> None:
    proc = make_proc(tmp_path, LISTENS, {})
    for path in (tmp_path / "version", tmp_path / "net" / "tcp"):
        path.unlink()
    assert holder(8000, proc=proc) is None


def test_holder_as_text() -> None:
    assert str(Holder("python", 4711)) == "python (pid 4711)"


@pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="the system has no /proc")
@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")], ids=["IPv4", "IPv6"]
)
def test_this_process_is_found(family: socket.AddressFamily, host: str) -> None:
    with socket.create_server((host, 0), family=family) as server:
        found = holder(server.getsockname()[1])
    assert found is not None
    assert found.pid == os.getpid()
    with open("/proc/self/comm", encoding="utf-8") as comm:
        assert found.name == comm.read().strip()


@pytest.mark.skipif(not os.path.exists("/proc/net/udp"), reason="the system has no /proc")
def test_this_process_is_found_on_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        found = holder(server.getsockname()[1], "udp")
    assert found is not None
    assert found.pid == os.getpid()


@pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="the system has no /proc")
def test_a_free_port_has_no_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert holder(port) is None
