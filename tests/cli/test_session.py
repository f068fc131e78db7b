"""A session from its banner to its totals, acted on a terminal or in a pipe, within this process."""

import asyncio
import fcntl
import logging
import os
import pty
import signal
import socket
import struct
import sys
import termios
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.running import DEADLINE_S, Output, StartTerminal, fetch, kept_process, variables

from portico.cli.hosted import Composition, HostedApp
from portico.cli.places import Moved, Places, open_places
from portico.cli.plan import Plan
from portico.cli.screen import Screen
from portico.cli.session import Session
from portico.cli.shared import SharedFiles
from portico.cli.shares import Share
from portico.cli.words import Language, Words
from portico.errors import ConfigError
from portico.net.lan import lan_addresses
from portico.net.listening import close
from portico.net.ports import Holder
from portico.settings import App, Files, Limits, Listen, Log

BIG = 64 * 1024 * 1024  # more than the kernel takes from a server whose peer does not read
needs_lan = pytest.mark.skipif(not lan_addresses(), reason="this machine has only loopback")


def offer(path: str) -> SharedFiles:
    return SharedFiles((Share("", path),), Files())


class Stage:
    """A session in a terminal. begin: makes it; act: runs it beside a scene; said: waits for its words."""

    def __init__(self, site: Path, master: int, slave: int) -> None:
        self.site = site
        self.output = Output(master)
        self.places = open_places(Listen(port=0))
        self.port: int = self.places.sockets[0].getsockname()[1]
        self.plan = Plan(offer=offer(str(site)), is_lan_ours=True, keys_fd=slave)
        self.language: Language = "en"
        self.environ = {"TERM": "xterm"}
        self._master = master
        self._slave = slave

    def session(self) -> Session:
        screen = Screen(self._slave, "utf-8", self.environ)
        return Session(self.plan, self.places, screen, Words(self.language))

    def change(self, **changes: object) -> None:
        from dataclasses import replace

        self.plan = replace(self.plan, **changes)  # type: ignore[arg-type]

    def act(self, scene: Callable[[], Awaitable[None]]) -> int:
        """Run the session beside a scene; return its exit code."""
        session = self.session()

        async def main() -> int:
            running = asyncio.ensure_future(session.run())
            playing = asyncio.ensure_future(scene())
            done, _ = await asyncio.wait((running, playing), return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
            return running.result()

        return asyncio.run(main())

    async def said(self, pattern: str) -> str:
        return (await asyncio.to_thread(self.output.until, pattern))[0]

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    async def fetched(self, target: str = "/a.txt", host: str = "127.0.0.1") -> str:
        return await asyncio.to_thread(fetch, self.port, target)


def stop() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def stage(site: Path) -> Iterator[Stage]:
    """A session at a terminal of 100 columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 100, 0, 0))
    found = Stage(site, master, slave)
    yield found
    close(found.places.sockets)
    os.close(master)
    os.close(slave)


def test_from_the_banner_to_the_totals(stage: Stage) -> None:
    (stage.site / ".env").touch()

    async def scene() -> None:
        assert "(read-only)" in await stage.said(r"portico \S+   serving .*")
        await stage.said(f"➜  http://localhost:{stage.port}/\n     LAN: off; press l")
        await stage.said("keys  o open")
        await stage.said("1 file, 6 B\n  not served: .env")
        await stage.fetched()
        await stage.said("200  GET  /a.txt")
        await stage.fetched("/missing")
        await stage.said("404  GET  /missing")
        stop()
        await stage.said(r"served 2 requests, .* to 1 device in \d+ s")

    assert stage.act(scene) == 0
    assert b"\x1b[32m" in stage.output.raw


def test_in_chinese(stage: Stage) -> None:
    stage.language = "zh"

    async def scene() -> None:
        await stage.said("正在共享")
        await stage.said("1 个文件")
        stop()
        await stage.said("共处理 0 个请求")

    assert stage.act(scene) == 0


def test_equal_requests_share_a_line(stage: Stage) -> None:
    async def scene() -> None:
        await stage.said("1 file")
        for count in (1, 2, 3):
            await stage.fetched()
            await stage.said(f"x{count}" if count > 1 else "/a.txt")
        stop()

    stage.act(scene)
    assert stage.output.raw.count(b"\x1b[A\x1b[2K") == 2


def test_a_port_that_was_taken_is_told(stage: Stage) -> None:
    stage.places = Places(stage.places.sockets, Moved(8000, Holder("nc", 4711)))

    async def scene() -> None:
        await stage.said(rf"8000 is used by nc \(pid 4711\), using {stage.port}")
        stop()

    stage.act(scene)


def test_one_file_has_a_link_of_its_own(stage: Stage) -> None:
    stage.change(offer=offer(str(stage.site / "a.txt")))

    async def scene() -> None:
        await stage.said(f"http://localhost:{stage.port}/a.txt")
        assert (await stage.fetched()).endswith("hello\n")
        stop()

    stage.act(scene)


def test_the_whole_disk_is_warned_of(stage: Stage) -> None:
    stage.change(offer=offer("/"))

    async def scene() -> None:
        await stage.said("careful, this is the whole file system")
        stop()
        await stage.said("served 0 requests")

    stage.act(scene)


def test_quiet_has_a_banner_and_totals_alone(stage: Stage) -> None:
    stage.change(log=Log(quiet=True))

    async def scene() -> None:
        await stage.said("1 file")
        await stage.fetched()
        stop()
        await stage.said("served 1 request")

    stage.act(scene)
    assert "GET" not in stage.output.text


def test_a_log_that_cannot_be_written_is_told_in_the_end(stage: Stage) -> None:
    stage.change(log=Log(log_file="/dev/full"))

    async def scene() -> None:
        await stage.said("1 file")
        await stage.fetched()
        stop()
        await stage.said("1 log line could not be written")

    stage.act(scene)


def test_a_log_file_that_cannot_be_opened(stage: Stage) -> None:
    stage.change(log=Log(log_file=str(stage.site)))
    with pytest.raises(ConfigError, match="cannot write the access log"):
        stage.session()


def test_a_session_that_cannot_be_made_leaves_nothing_behind(stage: Stage) -> None:
    before = list(logging.getLogger("portico").handlers)
    stage.change(offer=offer(str(stage.site / "missing")))
    with pytest.raises(ConfigError):
        stage.session()
    assert logging.getLogger("portico").handlers == before


def test_help_and_qr_code_on_a_key(stage: Stage) -> None:
    async def scene() -> None:
        await stage.said("1 file")
        stage.press("?")
        await stage.said("a second ctrl-c cuts them")
        stage.press("x")
        stage.press("q")
        await stage.said("a phone cannot reach localhost")
        stop()

    stage.act(scene)


def test_a_browser_on_a_key(start_terminal: StartTerminal, tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    os.mkfifo(opened)
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\necho $1 > {opened}\n")
    browser.chmod(0o755)
    terminal = start_terminal("serve", "-p", "0", BROWSER=f"{browser} %s")
    link = f"http://localhost:{terminal.port()}/"
    terminal.wait_for_modes((False, False))
    terminal.press("o")
    terminal.output.until(f"opening {link}")
    assert opened.read_text() == f"{link}\n"


def test_no_browser_on_a_key(start_terminal: StartTerminal) -> None:
    terminal = start_terminal("serve", "-p", "0")
    link = f"http://localhost:{terminal.port()}/"
    terminal.wait_for_modes((False, False))
    terminal.press("o")
    terminal.output.until(f"no browser found here; open {link}|opening {link}")


def test_no_browser_within_this_process(stage: Stage) -> None:
    async def scene() -> None:
        await stage.said("1 file")
        stage.press("o")
        await stage.said(f"no browser found here; open http://localhost:{stage.port}/")
        stop()

    if sys.platform == "darwin":
        pytest.skip("there is always a window there")
    with variables(BROWSER="", DISPLAY="", WAYLAND_DISPLAY=""):
        stage.act(scene)


def test_systemd_sees_that_the_loop_turns(stage: Stage, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.settimeout(DEADLINE_S)
        systemd.bind(str(tmp_path / "notify"))
        heard: list[bytes] = []

        async def scene() -> None:
            while heard.count(b"WATCHDOG=1") < 3:
                heard.append(await asyncio.to_thread(systemd.recv, 999))
            stop()
            while heard[-1] != b"STOPPING=1":
                heard.append(await asyncio.to_thread(systemd.recv, 999))

        with variables(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="20000"):
            assert stage.act(scene) == 0
    assert heard[0] == b"READY=1"


@needs_lan
def test_the_lan_is_opened_and_closed_with_a_key(stage: Stage) -> None:
    address = lan_addresses()[0].address

    async def scene() -> None:
        await stage.said("1 file")
        stage.press("l")
        await stage.said("for anyone on this network")
        await stage.said("█")
        with socket.create_connection((address, stage.port), DEADLINE_S):
            stage.press("q")
            await stage.said("█")
        stage.press("l")
        await stage.said("off again")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, stage.port), DEADLINE_S)
        await stage.fetched()
        stop()

    stage.act(scene)


@needs_lan
def test_the_lan_is_closed_and_opened_with_a_key(stage: Stage) -> None:
    close(stage.places.sockets)
    stage.places = open_places(Listen(port=stage.port, lan=True))

    async def scene() -> None:
        await stage.said("for anyone on this network")
        await stage.said("█")
        stage.press("l")
        await stage.said("off again")
        await stage.fetched()
        stage.press("l")
        await stage.said("for anyone on this network")
        stop()

    assert stage.act(scene) == 0


@needs_lan
def test_a_port_taken_on_the_lan_is_told(stage: Stage) -> None:
    address = lan_addresses()[0].address
    with socket.create_server((address, stage.port), family=socket.AF_INET6 if ":" in address else socket.AF_INET):

        async def scene() -> None:
            await stage.said("1 file")
            stage.press("l")
            await stage.said(f"{stage.port} is used by")
            await stage.fetched()
            stop()

        stage.act(scene)


def test_addresses_that_were_chosen_stay(stage: Stage) -> None:
    stage.change(is_lan_ours=False)

    async def scene() -> None:
        await stage.said("1 file")
        stage.press("l")
        await stage.said("the addresses were chosen with --bind")
        stop()

    stage.act(scene)
    assert "LAN: off; press" not in stage.output.text


def test_without_a_terminal_there_are_no_keys(stage: Stage) -> None:
    stage.environ = {}

    async def scene() -> None:
        await stage.said("this machine only; --lan shares")
        await stage.said("1 file")
        os.kill(os.getpid(), signal.SIGTERM)
        await stage.said("served 0 requests")

    assert stage.act(scene) == 0
    assert b"\x1b" not in stage.output.raw
    assert "keys" not in stage.output.text


def slow_reader(stage: Stage) -> socket.socket:
    """Ask for a large file and read none of it."""
    with open(stage.site / "big", "wb") as file:
        file.truncate(BIG)
    sock = socket.create_connection(("127.0.0.1", stage.port), DEADLINE_S)
    sock.sendall(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return sock


def test_ctrl_c_waits_for_transfers(stage: Stage) -> None:
    def drain(sock: socket.socket) -> int:
        received = 0
        while data := sock.recv(1 << 20):
            received += len(data)
        return received

    async def scene() -> None:
        await stage.said("1 file")
        with slow_reader(stage) as sock:
            await asyncio.to_thread(sock.recv, 1)
            stop()
            await stage.said("1 transfer under way; ctrl-c again to stop now")
            assert await asyncio.to_thread(drain, sock) >= BIG
        await stage.said("served 1 request, 64 MB")

    assert stage.act(scene) == 0


def test_a_second_ctrl_c_cuts_them(stage: Stage) -> None:
    async def scene() -> None:
        await stage.said("1 file")
        with slow_reader(stage) as sock:
            await asyncio.to_thread(sock.recv, 1)
            stop()
            await stage.said("1 transfer under way")
            stop()
            await stage.said("served 1 request")

    assert stage.act(scene) == 130


def test_what_lasts_longer_than_the_drain_is_cut(stage: Stage) -> None:
    stage.change(limits=Limits(drain=0.1))

    async def scene() -> None:
        await stage.said("1 file")
        with slow_reader(stage) as sock:
            await asyncio.to_thread(sock.recv, 1)
            stop()
            await stage.said("1 transfer was cut")

    assert stage.act(scene) == 0


WAITING = """
import asyncio, os
async def app(scope, receive, send):
    os.write({fd}, b"asked\\n")
    try:
        await asyncio.Event().wait()
    finally:
        os.write({fd}, b"cut off\\n")
"""


def test_a_second_ctrl_c_cuts_an_application_that_waits_for_something_else(stage: Stage) -> None:
    (stage.site / "waits_for_ever.py").write_text(WAITING.format(fd=stage.plan.keys_fd))
    stage.change(
        offer=HostedApp(Composition("waits_for_ever:app", App(app_dir=str(stage.site), lifespan="off"), Files()))
    )

    async def scene() -> None:
        await stage.said(r"running waits_for_ever:app   \(ASGI\)")
        with socket.create_connection(("127.0.0.1", stage.port), DEADLINE_S) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await stage.said("asked")
            stop()
            await stage.said("under way")
            stop()
            await stage.said("cut off")
        await stage.said("served 1 request")

    with kept_process():
        assert stage.act(scene) == 130
