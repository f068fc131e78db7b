"""TLS over a line. What it carries for the client is in test_http.py."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator

import pytest
import trustme

from portico.client.network import Poll, SocketLine, run
from portico.client.secure import TlsLine, start_tls
from portico.errors import Gone, PorticoError, Refused

Act = Callable[[ssl.SSLSocket], object]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def secure(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("box").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


class Stage:
    """A line to a server in TLS, which does one thing after another on a thread of its own."""

    def __init__(self, secure: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
        here, self.there = socket.socketpair()
        here.setblocking(False)
        self.there.settimeout(10)
        self.line = SocketLine(here, Poll(here).wait, "box:1")
        self._secure, self._trusting = secure, trusting
        self._thread = threading.Thread()

    def begin(self, act: Act, host: str = "box") -> TlsLine:
        """Agree on TLS, and let the server do its part."""

        def serve() -> None:
            try:
                self.there = self._secure.wrap_socket(self.there, server_side=True)
                act(self.there)
            except OSError:
                pass  # the client has left

        self._thread = threading.Thread(target=serve)
        self._thread.start()
        return run(start_tls(self.line, self._trusting, host, 10))

    def done(self) -> None:
        """Wait for the server to have done its part."""
        self._thread.join()

    def close(self) -> None:
        self.line.close()
        if self._thread.ident is not None:
            self._thread.join()
        self.there.close()


@pytest.fixture
def stage(secure: ssl.SSLContext, trusting: ssl.SSLContext) -> Iterator[Stage]:
    stage = Stage(secure, trusting)
    yield stage
    stage.close()


def echo(there: ssl.SSLSocket) -> None:
    while data := there.recv(65536):
        there.sendall(data)
    there.unwrap()


def says(data: bytes) -> Act:
    """Make a server that says something, and farewell."""

    def act(there: ssl.SSLSocket) -> None:
        there.sendall(data)
        there.unwrap()

    return act


def test_bytes_go_both_ways(stage: Stage) -> None:
    tls = stage.begin(echo)
    assert tls.receive_now(10) is None
    data = memoryview(b"question" * 5_000)
    sent = run(tls.push(data, 10))
    received = b""
    while len(received) < sent:
        assert run(tls.is_heard(10))
        received += run(tls.receive(1000, 10))
    assert received == bytes(data[:sent])
    assert tls.receive_now(10) is None
    assert not run(tls.is_heard(0.001))
    run(tls.push(memoryview(b"x"), 10))
    buffer = memoryview(bytearray(10))
    assert (run(tls.receive_into(buffer, 10)), buffer[0]) == (1, ord("x"))
    tls.close()


def test_what_is_agreed_on_is_said(stage: Stage) -> None:
    tls = stage.begin(echo)
    assert tls.describe().startswith("TLSv1.3, TLS_")
    assert ", certificate for box until " in tls.describe()
    tls.close()


def test_a_server_that_nobody_looked_at_has_no_names(secure: ssl.SSLContext) -> None:
    careless = ssl.create_default_context()
    careless.check_hostname = False
    careless.verify_mode = ssl.CERT_NONE
    stage = Stage(secure, careless)
    tls = stage.begin(echo)
    assert "certificate" not in tls.describe()
    tls.close()
    stage.close()


def test_many_records_fill_one_buffer(stage: Stage) -> None:
    tls = stage.begin(says(b"x" * 60_000))
    buffer = memoryview(bytearray(60_001))
    count = 0
    while more := run(tls.receive_into(buffer[count:], 10)):
        count += more
    assert (count, run(tls.receive(10, 10)), tls.receive_now(10)) == (60_000, b"", b"")
    tls.close()


def test_a_buffer_that_is_full_leaves_the_rest(stage: Stage) -> None:
    tls = stage.begin(lambda there: there.sendall(b"abcdef"))
    assert run(tls.receive_into(memoryview(bytearray(2)), 10)) == 2
    assert run(tls.is_heard(0))
    assert (tls.receive_now(2), run(tls.receive(9, 10))) == (b"cd", b"ef")
    tls.close()


def test_an_end_without_a_farewell_is_a_cut(stage: Stage) -> None:
    def cut(there: ssl.SSLSocket) -> None:
        there.sendall(b"half")
        socket.socket.shutdown(there, socket.SHUT_RDWR)

    tls = stage.begin(cut)
    assert run(tls.receive(10, 10)) == b"half"
    with pytest.raises(Gone, match="connection to box was cut: it ended without TLS's farewell"):
        run(tls.receive(10, 10))
    with pytest.raises(Gone, match="farewell"):
        run(tls.receive_into(memoryview(bytearray(10)), 10))
    assert tls.receive_now(10) == b""
    tls.close()


def test_records_that_are_none_break_it(stage: Stage) -> None:
    tls = stage.begin(lambda there: None)
    stage.done()
    with socket.socket(fileno=stage.there.detach()) as plain:
        plain.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)
        with pytest.raises(Gone, match="TLS with box broke"):
            run(tls.receive(10, 10))
    tls.close()


def test_silence_is_waited_for_only_so_long(stage: Stage) -> None:
    tls = stage.begin(echo)
    with pytest.raises(Gone, match=r"sent nothing for 0\.001 s"):
        run(tls.receive(10, 0.001))
    tls.close()


def test_whoever_speaks_before_taking_more_is_listened_to(stage: Stage) -> None:
    may_read = threading.Event()
    received = bytearray()

    def speak(there: ssl.SSLSocket) -> None:
        there.sendall(b"stop")
        may_read.wait(10)
        while data := there.recv(65536):
            received.extend(data)

    tls = stage.begin(speak)
    sent = 0
    data = memoryview(bytes(range(256)) * 20_000)
    while count := run(tls.push(data[sent:], 10)):
        sent += count
    assert tls.receive_now(10) == b"stop"
    may_read.set()
    while sent < len(data):
        sent += run(tls.push(data[sent:], 10))
    tls.close()
    stage.done()
    assert bytes(received) == bytes(data)


def test_a_farewell_goes_without_waiting(stage: Stage) -> None:
    heard: list[bytes] = []

    def listen(there: ssl.SSLSocket) -> None:
        there.sendall(b"hi")
        heard.append(there.recv(10))
        heard.append(there.recv(10))

    tls = stage.begin(listen)
    assert run(tls.receive(10, 10)) == b"hi"  # what is left unread when a socket closes resets the connection
    tls.push_now(memoryview(b"bye"))
    tls.close()
    tls.close()
    stage.done()
    assert heard == [b"bye", b""]


@pytest.mark.parametrize("host", ["other", "127.0.0.1"])
def test_a_certificate_for_another_is_refused(stage: Stage, host: str) -> None:
    with pytest.raises(Refused, match="the certificate is not for"):
        stage.begin(echo, host)
    assert stage.line.fileno() == -1


@pytest.mark.parametrize(("answer", "error"), [(b"HTTP/1.1 400 Bad Request\r\n\r\n", Refused), (b"", Gone)])
def test_whoever_does_not_speak_tls(
    secure: ssl.SSLContext, trusting: ssl.SSLContext, answer: bytes, error: type[PorticoError]
) -> None:
    stage = Stage(secure, trusting)
    stage.there.sendall(answer)
    stage.there.shutdown(socket.SHUT_WR)
    with pytest.raises(error, match=r"does not speak TLS|does it speak it at all"):
        run(start_tls(stage.line, trusting, "box", 10))
    stage.close()
