"""The offer of `portico chat`: where its data and its ports are, what it says of itself."""

import asyncio
import socket
from pathlib import Path

import pytest

from portico.cli.chat_offer import OfferedChat, data_folder
from portico.cli.screen import Screen
from portico.cli.words import Words
from portico.errors import ConfigError
from portico.net.listening import PortTaken, address_of
from portico.server.metrics import Metrics
from portico.server.samples import render
from portico.server.several import Joined
from portico.settings import Listen
from portico.settings.chatting import Chat


@pytest.mark.parametrize(
    ("given", "environ", "found"),
    [
        ("/srv/chat", {}, "/srv/chat"),
        ("", {"HOME": "/home/wang"}, "/home/wang/.local/share/portico/chat"),
        ("", {"HOME": "/home/wang", "XDG_DATA_HOME": "/data"}, "/data/portico/chat"),
        ("", {"HOME": "/home/wang", "XDG_DATA_HOME": "relative"}, "/home/wang/.local/share/portico/chat"),
    ],
)
def test_where_its_data_is(given: str, environ: dict[str, str], found: str) -> None:
    assert data_folder(given, environ) == Path(found)


def test_without_a_home_it_has_to_be_said() -> None:
    with pytest.raises(ConfigError, match="--data DIR"):
        data_folder("", {})


def offered(folder: Path, listen_to: Listen, **settings: object) -> OfferedChat:
    chat = Chat(data=str(folder), line_port=0, udp_port=0, **settings)  # type: ignore[arg-type]
    return OfferedChat(chat, listen_to, "auto")


@pytest.mark.parametrize(
    ("listen_to", "host"),
    [
        (Listen(port=0), "127.0.0.1"),
        (Listen(port=0, lan=True), "*"),
        (Listen(bind=("127.0.0.2:0",)), "127.0.0.2"),
    ],
)
def test_lines_and_datagrams_are_taken_where_the_pages_are(listen_to: Listen, host: str, tmp_path: Path) -> None:
    offer = offered(tmp_path, listen_to)
    places = offer.open_places()
    opened = offer.open()
    assert isinstance(opened, Joined)
    assert {address_of(sock).kind for sock in opened.sockets} == {"tcp", "udp"}
    assert host in {address_of(sock).host for sock in opened.sockets}
    offer.close()
    assert all(sock.fileno() == -1 for sock in opened.sockets)
    for sock in places.sockets:
        sock.close()


def test_it_says_where_it_is_and_how_to_come_in_first(tmp_path: Path) -> None:
    async def visit() -> None:
        offer = offered(tmp_path, Listen(port=0), name="三号店")
        places = offer.open_places()
        offer.open()
        metrics = Metrics()
        offer.watch(metrics)
        await offer.start()
        text = render(metrics.snapshot())
        assert "\nportico_chat_people 0\n" in text
        assert "\nportico_chat_waiting 0\n" in text
        assert "\nportico_chat_unable 0\n" in text
        words, screen = Words("en"), Screen(1, "utf-8", {})
        first, data, *beside = offer.greeting(words, screen, None)
        assert "chat 三号店" in first
        assert str(tmp_path) in data
        assert [scheme in line for scheme, line in zip(("tcp://", "udp://"), beside, strict=True)] == [True, True]
        (warning,) = offer.warnings(words)
        assert f"http://localhost:{address_of(places.sockets[0]).port}/#" in warning
        assert offer.survey(words, screen) is None
        await offer.stop()
        offer.close()
        for sock in places.sockets:
            sock.close()

    asyncio.run(visit())


@pytest.mark.parametrize("with_port", [True, False])
def test_the_first_admin_is_led_to_what_a_browser_can_open(with_port: bool, tmp_path: Path) -> None:
    async def visit() -> str:
        binds = (f"unix:{tmp_path}/chat.sock", *(["localhost:0"] if with_port else []))
        offer = offered(tmp_path / "data", Listen(bind=binds))
        places = offer.open_places()
        offer.open()
        await offer.start()
        (warning,) = offer.warnings(Words("en"))
        await offer.stop()
        offer.close()
        for sock in places.sockets:
            sock.close()
        return warning

    warning = asyncio.run(visit())
    assert warning.startswith("set up: http://localhost:" if with_port else "set up: open /#")


def test_nothing_stays_open_where_one_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        offer = OfferedChat(Chat(data=str(tmp_path), line_port=port), Listen(port=0), "auto")
        with pytest.raises(PortTaken):
            offer.open_places()


def test_without_lines_and_datagrams_it_is_pages_alone(tmp_path: Path) -> None:
    offer = offered(tmp_path, Listen(port=0), lines=False, datagrams=False)
    assert not isinstance(offer.open(), Joined)
    assert offer.warnings(Words("en")) == []
    offer.close()
    offer.close()


def test_the_kernel_finds_out_who_has_gone_without_a_word(tmp_path: Path) -> None:
    offer = offered(tmp_path, Listen(port=0), datagrams=False)
    places = offer.open_places()
    (lines, *_) = offer.beside()
    with socket.create_connection(lines.getsockname()[:2], 10):
        lines.setblocking(True)
        peer, _ = lines.accept()
        with peer:
            assert peer.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
            assert peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 105_000
    for sock in [*places.sockets, *offer.beside()]:
        sock.close()
