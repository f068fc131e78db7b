import contextlib
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
import trustme

from portico import client
from portico.client.links import MAX_DATAGRAM, MAX_LINE, DatagramLink, Link, tcp, udp
from portico.errors import Gone, PeerError, PorticoError, Refused, UsageError
from portico.net.addresses import Address
from portico.net.tls import client_context
from portico.wire.charset import Charset

Act = Callable[[socket.socket], None]
Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server that treats one connection as it is told; return its HOST:PORT."""
    threads: list[threading.Thread] = []

    def begin(act: Act, context: ssl.SSLContext | None = None) -> str:
        listening = socket.create_server(("127.0.0.1", 0))

        def run() -> None:
            with listening:
                peer, _ = listening.accept()
            with peer:
                peer.settimeout(10)
                if context is None:
                    act(peer)
                    return
                with context.wrap_socket(peer, server_side=True) as spoken:
                    act(spoken)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return f"127.0.0.1:{listening.getsockname()[1]}"

    yield begin
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def pair() -> Iterator[tuple[Link, socket.socket]]:
    """A link, and the other end of it."""
    ours, theirs = socket.socketpair()
    with Link(ours, peer="box:1", timeout_s=10) as link, theirs:
        theirs.settimeout(10)
        yield link, theirs


@pytest.fixture
def clock() -> Iterator[socket.socket]:
    """A UDP socket on loopback, for servers of datagrams."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10)
        yield sock


def place_of(sock: socket.socket) -> str:
    return f"127.0.0.1:{sock.getsockname()[1]}"


def upper(peer: socket.socket) -> None:
    while data := peer.recv(4096):
        peer.sendall(data.upper())


# Streams


def test_a_conversation(serve: Serve) -> None:
    address = serve(upper)
    with client.tcp(address) as link:
        assert link.peer == address
        assert not link.is_tls
        link.send("hello\n")
        link.send(b"there\r\nlast")
        assert link.read_line() == "HELLO"
        link.end()
        assert list(link.lines()) == ["THERE", "LAST"]
        assert link.read_line() is None
        assert link.receive() == b""
        assert link.receive_text() == ""


def test_a_port_alone_is_one_of_this_machine(serve: Serve) -> None:
    port = serve(upper).partition(":")[2]
    with tcp(f":{port}") as link:
        assert link.peer == f"localhost:{port}"


def test_what_is_held_for_a_line_is_received_first(pair: tuple[Link, socket.socket]) -> None:
    link, theirs = pair
    theirs.sendall(b"one\ntwo\n")
    assert link.read_line() == "one"
    assert link.is_heard(0)
    assert link.receive(2) == b"tw"
    assert link.receive() == b"o\n"
    assert not link.is_heard(0)
    theirs.sendall(b"three\n")
    assert link.is_heard(10)
    assert link.read_line() == "three"


def test_a_link_has_a_descriptor_until_it_is_closed(pair: tuple[Link, socket.socket]) -> None:
    link, _ = pair
    assert link.fileno() >= 0
    link.close()
    assert link.fileno() == -1
    link.close()


@pytest.mark.parametrize(
    ("encoding", "sent", "text", "answer"),
    [
        ("auto", "你好".encode(), "你好", "再见".encode()),
        ("auto", "你好，世界".encode("gbk"), "你好，世界", "再见".encode("gbk")),
        ("gbk", "你好".encode("gbk"), "你好", "再见".encode("gbk")),
        ("latin-1", b"\xe9", "é", b"??"),
    ],
)
def test_text_is_in_the_charset_of_the_peer(
    pair: tuple[Link, socket.socket], encoding: str, sent: bytes, text: str, answer: bytes
) -> None:
    link, theirs = pair
    link.charset = Charset(encoding)
    theirs.sendall(sent)
    assert link.receive_text() == text
    link.send("再见")
    assert theirs.recv(99) == answer


def test_a_character_that_is_cut_waits_for_its_rest(pair: tuple[Link, socket.socket]) -> None:
    link, theirs = pair
    data = "好".encode()
    theirs.sendall(data)
    assert link.receive_text(2) == "好"
    theirs.sendall(data[:2])
    theirs.close()
    assert link.receive_text() == "\ufffd"


def test_a_line_without_end_is_given_up(pair: tuple[Link, socket.socket]) -> None:
    link, theirs = pair
    flood = threading.Thread(target=theirs.sendall, args=(b"x" * (MAX_LINE + 1),))
    flood.start()
    with pytest.raises(PeerError, match=f"^box:1 sends a line of more than {MAX_LINE} bytes; use receive"):
        link.read_line()
    flood.join()


def test_a_slow_peer_is_waited_for(pair: tuple[Link, socket.socket]) -> None:
    link, theirs = pair
    taken = bytearray()

    def take() -> None:
        while len(taken) < 10_000_000:
            taken.extend(theirs.recv(1_000_000))

    taking = threading.Thread(target=take)
    taking.start()
    link.send(b"x" * 10_000_000)
    taking.join()
    assert len(taken) == 10_000_000


def test_a_silent_peer_is_given_up_in_time(pair: tuple[Link, socket.socket]) -> None:
    link, _ = pair
    link.timeout_s = 0.01
    with pytest.raises(Gone, match=r"^no answer from box:1 within 0.01 s$"):
        link.receive()
    with pytest.raises(Gone, match=r"^nothing was taken by box:1 within 0.01 s$"):
        link.send(b"x" * 10_000_000)


def test_a_lost_connection_is_said(pair: tuple[Link, socket.socket]) -> None:
    link, theirs = pair
    theirs.close()
    with pytest.raises(Gone, match=r"^the connection to box:1 is lost: broken pipe$"):
        link.send(b"x")
    link.end()


def test_a_closed_link_is_lost(pair: tuple[Link, socket.socket]) -> None:
    link, _ = pair
    link.close()
    with pytest.raises(Gone, match=r"^the connection to box:1 is lost: bad file descriptor$"):
        link.receive()


def test_another_thread_can_be_woken(pair: tuple[Link, socket.socket]) -> None:
    link, _ = pair
    link.timeout_s = None
    found: list[bytes] = []
    waiting = threading.Thread(target=lambda: found.append(link.receive()))
    waiting.start()
    link.abort()
    waiting.join(10)
    assert found == [b""]


def test_both_ways_at_once(serve: Serve) -> None:
    """What is sent is more than the buffers hold: it only arrives because another thread receives."""
    data = b"0123456789abcdef" * 500_000
    with tcp(serve(upper)) as link:

        def send() -> None:
            link.send(data)
            link.end()

        sending = threading.Thread(target=send)
        sending.start()
        received = bytearray()
        while piece := link.receive():
            received += piece
        sending.join()
    assert received == data.upper()


# TLS


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context, and that of a client which trusts it."""
    ca = trustme.CA()
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1", "localhost").configure_cert(server)
    return server, client_context(ca_file=str(path))


def test_a_conversation_in_tls(serve: Serve, trusted: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    def answer(peer: socket.socket) -> None:
        peer.sendall(b"hello " + peer.recv(99) + b"\nand more")
        assert isinstance(peer, ssl.SSLSocket)
        peer.unwrap()

    server, ours = trusted
    with tcp(f"tls://{serve(answer, server)}", tls=ours) as link:
        assert link.is_tls
        link.send("box")
        link.end()
        assert link.is_heard(10)
        assert link.read_line() == "hello box"
        assert link.is_heard(0)
        assert link.receive() == b"and more"
        assert link.receive() == b""


def test_much_goes_both_ways_at_once_in_tls(serve: Serve, trusted: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    data = b"0123456789abcdef" * 200_000

    def answer(peer: socket.socket) -> None:
        left = len(data)
        while left:
            piece = peer.recv(65536)
            left -= len(piece)
            peer.sendall(piece)

    server, ours = trusted
    with tcp(serve(answer, server), tls=ours) as link:
        sending = threading.Thread(target=link.send, args=(data,))
        sending.start()
        received = bytearray()
        while len(received) < len(data):
            received += link.receive()
        sending.join()
    assert received == data


def test_an_end_without_farewell_is_no_end(serve: Serve, trusted: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    def cut(peer: socket.socket) -> None:
        peer.recv(99)
        socket.socket.shutdown(peer, socket.SHUT_RDWR)

    server, ours = trusted
    with tcp(serve(cut, server), tls=ours) as link:
        link.send(b"x")
        with pytest.raises(Gone, match=r"was cut: it ended without TLS's farewell$"):
            link.receive()


def test_a_server_without_trust_is_refused(serve: Serve, trusted: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    def greet(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(b"220 mail.test\r\n")
        with contextlib.suppress(ConnectionResetError):  # the client hangs up
            peer.recv(99)

    address = serve(greet)
    with pytest.raises(Refused, match=rf"^{address} does not speak TLS; use http:// or tcp://$"):
        tcp(f"tls://{address}")

    def take(peer: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the client hangs up
            trusted[0].wrap_socket(peer, server_side=True).close()

    address = serve(take)
    with pytest.raises(Refused, match=rf"^the certificate of {address} comes from an authority that this machine"):
        tcp(f"tls://{address}")


def test_a_context_that_makes_no_sense_leaves_nothing_open(serve: Serve) -> None:
    def ignore(peer: socket.socket) -> None:
        assert peer.recv(99) == b""

    with pytest.raises(Refused, match=r"^TLS with 127.0.0.1:\d+ failed: "):
        tcp(serve(ignore), tls=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))


# Datagrams


def answering(sock: socket.socket, answers: list[bytes | None]) -> threading.Thread:
    """Answer each datagram by the next of the list, None not at all."""

    def run() -> None:
        for answer in answers:
            _, peer = sock.recvfrom(65536)
            if answer is not None:
                sock.sendto(answer, peer)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_question_and_its_answer(clock: socket.socket) -> None:
    thread = answering(clock, ["下午".encode("gbk")])
    with client.udp(place_of(clock)) as link:
        assert link.ask("%X") == "下午"
        assert link.charset.name == "gb18030"
        assert link.peer == f"udp://{place_of(clock)}"
    thread.join()


def test_a_question_that_is_lost_is_asked_again(clock: socket.socket) -> None:
    thread = answering(clock, [None, b"12:00"])
    with udp(f"udp://{place_of(clock)}", timeout_s=0.7) as link:
        assert link.ask(b"") == "12:00"
    thread.join()


def test_what_came_before_the_question_is_no_answer(clock: socket.socket) -> None:
    with udp(place_of(clock)) as link:
        link.send(b"")
        _, peer = clock.recvfrom(9)
        clock.sendto(b"old", peer)
        assert link.is_heard(10)
        thread = answering(clock, [b"new"])
        assert link.ask("?") == "new"
        thread.join()


def test_silence_is_an_error(clock: socket.socket) -> None:
    with udp(place_of(clock), timeout_s=0.02) as link:
        with pytest.raises(Gone, match=r"^no answer from udp://127.0.0.1:\d+ within 0.02 s, asked 3 times$"):
            link.ask("?")
        with pytest.raises(Gone, match=r"^no answer from udp://127.0.0.1:\d+ within 0.02 s$"):
            link.receive()


def test_nobody_there_is_an_error() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        address = place_of(sock)
    with udp(address) as link, pytest.raises(Refused, match=rf"^nothing listens on udp://{address}; check the port"):
        link.ask("?")


def test_a_datagram_has_a_largest_size(clock: socket.socket) -> None:
    with udp(place_of(clock)) as link:
        link.send(b"x" * MAX_DATAGRAM)
        assert len(clock.recv(MAX_DATAGRAM + 1)) == MAX_DATAGRAM
        with pytest.raises(UsageError, match=f"^a datagram of {MAX_DATAGRAM + 1} bytes is too large; {MAX_DATAGRAM}"):
            link.send(b"x" * (MAX_DATAGRAM + 1))


# Words that make no sense


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: tcp("udp://localhost:9"), UsageError, "udp://localhost:9 is UDP, which has no connections; use udp()"),
        (lambda: udp("unix:x"), UsageError, "unix:x is not UDP; use tcp(), or write udp://HOST:PORT"),
        (lambda: tcp("localhost"), UsageError, "'localhost' has no port"),
        (lambda: tcp("localhost:9", encoding="rot13"), UsageError, "'rot13' is not a charset"),
        (lambda: udp(Address("udp", "a.invalid", 9)), Refused, "there is no host called 'a.invalid'"),
    ],
)
def test_mistakes_get_one_line(call: Callable[[], object], kind: type[PorticoError], message: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value).startswith(message)


def test_the_names_are_those_of_the_modules() -> None:
    assert (client.tcp, client.udp, client.Link, client.DatagramLink) == (tcp, udp, Link, DatagramLink)
    assert set(client.__all__) <= set(dir(client))
    with pytest.raises(AttributeError, match="has no attribute 'socket'; it has "):
        client.socket  # noqa: B018


def test_a_socket_client_loads_no_asyncio_and_no_ssl() -> None:
    code = "from portico.client import tcp, udp\nimport sys\nprint('asyncio' in sys.modules, 'ssl' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
