"""A conversation in a terminal that is written down; the real one is met in test_connect.py."""

import asyncio
import io
import os
import select
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output
from tests.cli.running import DEADLINE_S

from portico.cli.history import History
from portico.cli.passing import Manner
from portico.cli.talks import Talk
from portico.cli.terminal import Conversation, Remembered
from portico.cli.views import BothAsHex, LineView, View
from portico.client.links import DatagramLink, Link
from portico.errors import Gone

Act = Callable[["Desk"], Coroutine[Any, Any, None]]


class Screen(io.StringIO):
    """What a terminal was sent, and a sign that there is more."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def write(self, text: str) -> int:
        count = super().write(text)
        self.written.set()
        return count


class Desk:
    """Someone at a terminal, and the peer whom they talk to."""

    def __init__(self, keys: PipeInput, screen: Screen, peer: socket.socket) -> None:
        self.peer = peer
        self._keys = keys
        self._screen = screen

    def press(self, keys: str) -> None:
        self._keys.send_text(keys)

    async def shows(self, text: str) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while text not in self.screen():
                self._screen.written.clear()
                if text not in self.screen():
                    await asyncio.to_thread(self._screen.written.wait, DEADLINE_S)

    async def hears(self) -> bytes:
        return await asyncio.wait_for(asyncio.to_thread(self.peer.recv, 4096), DEADLINE_S)

    def screen(self) -> str:
        return self._screen.getvalue().replace("\r\n", "\n")


@contextmanager
def pair(kind: int) -> Iterator[tuple[Talk, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    theirs.settimeout(DEADLINE_S)
    link = Link(ours, peer="box:1", timeout_s=None) if kind == socket.SOCK_STREAM else None
    talk = Talk(link or DatagramLink(ours, peer="box:1", timeout_s=None))
    with theirs, closing(talk):
        yield talk, theirs


def converse(
    act: Act, manner: Manner | None = None, *, kind: int = socket.SOCK_STREAM, view: View | None = None, path: str = ""
) -> tuple[int, str]:
    """Hold a conversation; return the exit code, and all that was on the screen."""
    screen = Screen()
    output = Vt100_Output(screen, lambda: Size(rows=50, columns=80))

    async def hold(keys: PipeInput, talk: Talk, peer: socket.socket) -> int:
        conversation = Conversation(
            talk,
            manner or Manner(),
            view or LineView(talk.charset),
            painted=lambda text: f"[{text}]",
            history=History(path),
        )
        acting = asyncio.create_task(act(Desk(keys, screen, peer)))
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await conversation.run()
        finally:
            await acting

    with pair(kind) as (talk, peer), create_pipe_input() as keys, create_app_session(input=keys, output=output):
        return asyncio.run(hold(keys, talk, peer)), screen.getvalue().replace("\r\n", "\n")


def test_a_conversation_to_its_end(tmp_path: Path) -> None:
    async def act(desk: Desk) -> None:
        desk.peer.sendall(b"welcome\nand ")
        await desk.shows("[welcome\n]")
        await desk.shows("[and \n]")  # after a moment of silence
        desk.press("hello\r")
        assert await desk.hears() == b"hello\n"
        desk.peer.sendall("你好\n".encode("gbk"))
        await desk.shows("[你好\n]")
        desk.press("再见\r")
        assert await desk.hears() == "再见\n".encode("gbk")
        desk.press("\x04")
        assert await desk.hears() == b""
        desk.peer.sendall(b"last words")
        desk.peer.close()

    path = tmp_path / "history"
    code, screen = converse(act, path=str(path))
    assert code == 0
    assert "[last words\n]" in screen
    assert path.read_text().splitlines() == ["hello", "再见"]


def test_what_was_typed_before_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_text("first\nlatest\n")
    remembered = Remembered(History(str(path)))
    assert list(remembered.load_history_strings()) == ["latest", "first"]
    remembered.store_string("and now")
    assert path.read_text() == "first\nlatest\nand now\n"


def test_ctrl_c_ends_it_all() -> None:
    async def act(desk: Desk) -> None:
        await desk.shows(">")
        desk.press("half\x03")
        assert await desk.hears() == b""

    assert converse(act)[0] == 130


def test_a_peer_who_leaves_ends_what_is_being_typed() -> None:
    async def act(desk: Desk) -> None:
        desk.press("half")
        await desk.shows("half")
        desk.peer.close()

    assert converse(act)[0] == 0


def test_escapes_of_the_peer_do_not_get_through() -> None:
    async def act(desk: Desk) -> None:
        await desk.shows(">")
        desk.peer.sendall(b"\x1b]0;title\x07\x1b[2J\n")
        desk.peer.close()

    screen = converse(act)[1]
    assert "[\\x1b]0;title\\x07\\x1b[2J\n]" in screen
    assert "\x1b]0;" not in screen


def test_a_connection_that_is_lost_is_said() -> None:
    async def act(desk: Desk) -> None:
        desk.press("unread\r")
        assert await asyncio.to_thread(desk.peer.recv, 1, socket.MSG_PEEK) == b"u"
        desk.peer.close()  # with something in it: a reset

    with pytest.raises(Gone, match=r"^the connection to box:1 is lost: connection reset by peer$"):
        converse(act)


def test_lines_end_as_old_protocols_want_and_both_sides_are_seen() -> None:
    async def act(desk: Desk) -> None:
        desk.press("hi\r")
        assert await desk.hears() == b"hi\r\n"
        await desk.shows("[> 00000000  68 69 0d 0a ")
        desk.peer.sendall(b"ho")
        await desk.shows("[< 00000000  68 6f ")
        desk.peer.close()

    assert converse(act, Manner(has_crlf=True), view=BothAsHex())[0] == 0


def test_what_we_send_is_seen_before_it_goes() -> None:
    class Watching(BothAsHex):
        peer: socket.socket
        unsent = 0

        def sent(self, data: bytes) -> str:
            self.unsent += not select.select([self.peer], [], [], 0)[0]
            return super().sent(data)

    view = Watching()

    async def act(desk: Desk) -> None:
        view.peer = desk.peer
        for line in ("one", "two"):
            desk.press(f"{line}\r")
            await desk.shows(f"|{line}.|")
            assert await desk.hears() == f"{line}\n".encode()
        desk.peer.close()

    assert converse(act, view=view)[0] == 0
    assert view.unsent == 2


def test_what_is_kept_stays_after_the_peer_has_ended_its_side() -> None:
    async def act(desk: Desk) -> None:
        desk.peer.sendall(b"that is all\n")
        desk.peer.shutdown(socket.SHUT_WR)
        await desk.shows("[that is all\n]")
        desk.press("thanks\r")
        assert await desk.hears() == b"thanks\n"
        desk.press("\x04")
        assert await desk.hears() == b""

    assert converse(act, Manner(is_kept=True))[0] == 0


def test_each_line_is_a_datagram_and_ctrl_d_waits_a_little() -> None:
    async def act(desk: Desk) -> None:
        desk.press("36.6\r\r")
        assert await desk.hears() == b"36.6"
        assert await desk.hears() == b""
        desk.press("\x04")
        desk.peer.send(b"97.88\n")
        await desk.shows("[97.88\n]")

    assert converse(act, Manner(wait_s=0.3), kind=socket.SOCK_DGRAM)[0] == 0


def test_a_termination_gives_the_terminal_back() -> None:
    async def act(desk: Desk) -> None:
        await desk.shows(">")
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(asyncio.CancelledError):
        converse(act)
    assert signal.getsignal(signal.SIGTERM) == before
