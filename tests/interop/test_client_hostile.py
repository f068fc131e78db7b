"""The HTTP client against servers that mean harm or are broken: each ends in one error, soon, in bounded memory."""

import contextlib
import gzip
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator

import brotli
import pytest
import zstandard

from portico.client.blocking import Client
from portico.client.proxies import Proxies
from portico.client.timeouts import Timeouts
from portico.errors import Gone, PeerError, PorticoError, Refused
from portico.http.jar import MOST_PER_DOMAIN, Jar

NO_PROXY = Proxies()
MEGABYTE = bytes(1_000_000)
OK = b"HTTP/1.1 200 OK\r\n"

Answer = Callable[[socket.socket], object]


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Run a server that reads one head from each connection, answers, and closes; give its URL."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listening.accept()
                with sock, contextlib.suppress(OSError):
                    sock.settimeout(10)
                    head = b""
                    while b"\r\n\r\n" not in head and (data := sock.recv(65_536)):
                        head += data
                    answer(sock)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(20)
        assert not thread.is_alive()


def saying(said: bytes) -> Answer:
    return lambda sock: sock.sendall(said)


def for_ever(first: bytes, then: bytes) -> Answer:
    """Say something, then something else until the client leaves."""

    def answer(sock: socket.socket) -> None:
        sock.sendall(first)
        while True:
            sock.sendall(then)

    return answer


def get(url: str, jar: Jar | None = None) -> bytes:
    timeouts = Timeouts(connect_s=5, read_s=5, total_s=20)
    with Client(proxies=NO_PROXY, timeouts=timeouts, jar=jar, max_body=10_000_000) as client:
        return client.get(url).content


ENDLESS = [
    ("a status line", for_ever(b"HTTP/1.1 200 ", b"x" * 65_536)),
    ("a field", for_ever(OK + b"A: ", b"x" * 65_536)),
    ("fields", for_ever(OK, b"Field: value\r\n" * 1000)),
    ("empty lines", for_ever(b"", b"\r\n" * 1000)),
    ("1xx", for_ever(b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 100)),
    ("a chunk's extension", for_ever(OK + b"Transfer-Encoding: chunked\r\n\r\n5;", b"x" * 65_536)),
    ("a chunk's size", for_ever(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 65_536)),
    ("a trailer", for_ever(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"Field: value\r\n" * 1000)),
    ("a body", for_ever(OK + b"\r\n", b"x" * 65_536)),
    ("chunks", for_ever(OK + b"Transfer-Encoding: chunked\r\n\r\n", (b"64\r\n" + b"x" * 100 + b"\r\n") * 500)),
    ("garbage", for_ever(b"", b"\xff" * 65_536)),
]


@pytest.mark.parametrize("answer", [case[1] for case in ENDLESS], ids=[case[0] for case in ENDLESS])
def test_what_never_ends_is_cut_off(answer: Answer) -> None:
    with serving(answer) as url:
        started_s = time.monotonic()
        with pytest.raises((PeerError, Refused)) as caught:
            get(url)
        assert time.monotonic() - started_s < 15
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


def chunked(*chunks: bytes) -> bytes:
    return b"".join([b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks])


PACKED = gzip.compress(b"hello" * 1000)
LENGTH = b"Content-Length: %d\r\n"
TRUNCATED = [
    ("nothing", b""),
    ("a status line", b"HTTP/1.1 200 OK"),
    ("a head", OK + b"Content-Length: 5\r\n"),
    ("a 100 alone", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ("a body", OK + b"Content-Length: 500\r\n\r\n" + b"x" * 499),
    ("no byte of a body", OK + b"Content-Length: 5\r\n\r\n"),
    ("a chunk's size", OK + b"Transfer-Encoding: chunked\r\n\r\n5"),
    ("a chunk", OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhell"),
    ("between chunks", OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(b"hello")),
    ("the last line", OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(b"hello") + b"0\r\n"),
    ("gzip to the end", OK + b"Content-Encoding: gzip\r\n\r\n" + PACKED[:-1]),
    ("gzip by length", OK + b"Content-Encoding: gzip\r\n" + LENGTH % (len(PACKED) - 1) + b"\r\n" + PACKED[:-1]),
    (
        "gzip in chunks",
        OK + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(PACKED[:-1]) + b"0\r\n\r\n",
    ),
]


@pytest.mark.parametrize("said", [case[1] for case in TRUNCATED], ids=[case[0] for case in TRUNCATED])
def test_what_is_cut_short_never_passes_for_whole(said: bytes) -> None:
    with serving(saying(said)) as url, pytest.raises((Gone, PeerError)):
        get(url)


BROKEN = [
    ("another protocol", b"SSH-2.0-OpenSSH_9.2\r\n"),
    ("a version", b"HTTP/9.9 200 OK\r\n\r\n"),
    ("a status of four digits", b"HTTP/1.1 2000 OK\r\n\r\n"),
    ("a negative length", OK + b"Content-Length: -5\r\n\r\nhello"),
    ("a length with a sign", OK + b"Content-Length: +5\r\n\r\nhello"),
    ("two lengths", OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
    ("a length beyond all", OK + b"Content-Length: " + b"9" * 400 + b"\r\n\r\nhello"),
    ("a chunk's size beyond all", OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\n"),
    ("a negative chunk", OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n"),
    ("a coding that nobody knows", OK + b"Content-Encoding: rot13\r\nContent-Length: 5\r\n\r\nuryyb"),
    ("gzip six times", OK + b"Content-Encoding: " + b"gzip," * 6 + b"\r\nContent-Length: 5\r\n\r\nhello"),
    ("no gzip", OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"),
    ("a switch that nobody asked for", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
    ("no name", OK + b": value\r\nContent-Length: 0\r\n\r\n"),
    ("a NUL", OK + b"A: \x00\r\nContent-Length: 0\r\n\r\n"),
    ("a redirect to a file", b"HTTP/1.1 302 x\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"),
    ("a redirect to a socket", b"HTTP/1.1 302 x\r\nLocation: http://unix:/run/x:/\r\nContent-Length: 0\r\n\r\n"),
    ("a redirect to two hosts", b"HTTP/1.1 302 x\r\nLocation: http://a@b@c/\r\nContent-Length: 0\r\n\r\n"),
    ("a redirect to itself", b"HTTP/1.1 302 x\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"),
]


@pytest.mark.parametrize("said", [case[1] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_what_makes_no_sense_is_an_error(said: bytes) -> None:
    with serving(saying(said)) as url, pytest.raises((PeerError, Refused, Gone)) as caught:
        get(url)
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


def bombs() -> dict[str, bytes]:
    """Return 200 MB of zeros in each coding."""
    packed = zlib.compressobj(9, wbits=31)
    gzipped = b"".join([packed.compress(MEGABYTE) for _ in range(200)]) + packed.flush()
    return {
        "gzip": gzipped,
        "gzip, gzip": gzip.compress(gzipped),
        "br": brotli.compress(MEGABYTE * 200, quality=4),
        "zstd": zstandard.compress(MEGABYTE * 200, 1),
    }


@pytest.mark.parametrize(("coding", "bomb"), bombs().items())
def test_a_bomb_fills_no_memory(coding: str, bomb: bytes) -> None:
    said = OK + b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (coding.encode(), len(bomb)) + bomb
    with serving(saying(said)) as url:
        tracemalloc.start()
        with pytest.raises(Refused, match="longer than 10000000 bytes"):
            get(url)
        with Client(proxies=NO_PROXY) as client, client.stream("GET", url) as response:
            assert sum(map(len, response.pieces())) == 200_000_000
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 30_000_000


def test_a_flood_of_cookies_is_bounded() -> None:
    flood = b"".join([b"Set-Cookie: n%d=v; Path=/\r\n" % number for number in range(90)])
    jar = Jar()
    with serving(saying(OK + flood + b"Content-Length: 0\r\n\r\n")) as url:
        for _ in range(3):
            get(url, jar)
        assert len(jar) == MOST_PER_DOMAIN


def test_cookies_for_others_are_dropped() -> None:
    fields = (
        b"Set-Cookie: a=1; Domain=example.com\r\nSet-Cookie: b=2; Domain=0.0.1\r\nSet-Cookie: __Host-c=3\r\n"
        b"Set-Cookie: d=4; Domain=com\r\nSet-Cookie: good=5\r\n"
    )
    jar = Jar()
    with serving(saying(OK + fields + b"Content-Length: 0\r\n\r\n")) as url:
        get(url, jar)
    assert [cookie.name for cookie in jar] == ["good"]


def test_one_byte_at_a_time_is_still_an_answer() -> None:
    said = OK + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(PACKED[:9], PACKED[9:])

    def answer(sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in said + b"0\r\n\r\n":
            sock.sendall(bytes([byte]))

    with serving(answer) as url:
        assert get(url) == b"hello" * 1000


def test_bytes_behind_an_answer_are_not_the_next_one() -> None:
    said = OK + b"Content-Length: 2\r\n\r\nok" + OK + b"Content-Length: 4\r\n\r\nevil"
    with serving(saying(said)) as url, Client(proxies=NO_PROXY) as client:
        for _ in range(3):
            with contextlib.suppress(PorticoError):
                assert client.get(url).content == b"ok"
