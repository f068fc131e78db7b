import gzip
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.client.stage import HOLD, okay, serving

from portico.client import blocking
from portico.client.blocking import Client
from portico.client.proxies import Proxies
from portico.errors import Gone, PeerError, Refused, UsageError

DIRECT = Proxies()
NOTHING = b"HTTP/1.1 204 x\r\n\r\n"


def test_a_client_has_a_method_for_each_method() -> None:
    with serving([NOTHING] * 6) as server, Client(proxies=DIRECT) as client:
        plain = [method(server.url, params={"a": "b"}) for method in (client.get, client.head, client.delete)]
        sending = [method(server.url, body=b"x") for method in (client.post, client.put, client.patch)]
    assert [response.status for response in plain + sending] == [204] * 6
    assert [head[0].split()[0] for head in server.heads()] == "GET HEAD DELETE POST PUT PATCH".split()
    assert server.connections == 1


def test_there_is_a_function_for_each_method() -> None:
    functions = (blocking.get, blocking.head, blocking.delete, blocking.post, blocking.put, blocking.patch)
    with serving([NOTHING]) as server:
        assert [function(server.url).status for function in functions] == [204] * 6
    assert [head[0].split()[0] for head in server.heads()] == "GET HEAD DELETE POST PUT PATCH".split()


def test_a_closed_client_asks_nothing() -> None:
    client = Client(proxies=DIRECT)
    client.close()
    with pytest.raises(UsageError, match="closed"):
        client.get("http://127.0.0.1:1/")


def test_a_client_without_connections_is_none() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        Client(max_connections=0)


# --- streams ----------------------------------------------------------------------------------


def test_a_stream_gives_its_pieces_as_they_come() -> None:
    with serving([okay(b"x" * 500_000)] * 2) as server, Client(proxies=DIRECT) as client:
        with client.stream("GET", server.url) as response:
            pieces = list(response.pieces(1000))
        with client.stream("GET", server.url) as response:
            raw = list(response.raw_pieces(1000))
    for found in (pieces, raw):
        assert b"".join(found) == b"x" * 500_000
        assert {len(piece) <= 1000 for piece in found} == {True}
    assert server.connections == 1


def test_what_is_decoded_comes_in_bounded_pieces() -> None:
    packed = gzip.compress(b"\0" * 10_000_000)
    with serving([okay(packed, "Content-Encoding: gzip")] * 2) as server, Client(proxies=DIRECT) as client:
        with client.stream("GET", server.url) as response:
            sizes = [len(piece) for piece in response.pieces(5000)]
            assert (sum(sizes), max(sizes)) == (10_000_000, 5000)
        with client.stream("GET", server.url) as response:
            assert b"".join(response.raw_pieces()) == packed


def test_a_stream_that_is_left_early_is_closed() -> None:
    with serving([okay(b"x" * 500_000), HOLD], [okay()]) as server, Client(proxies=DIRECT) as client:
        with client.stream("GET", server.url) as response:
            pieces = response.pieces(100_000)
            assert set(next(pieces)) == set(b"x")
        with pytest.raises(UsageError, match="closed"):
            next(pieces)
        assert client.get(server.url).content == b"hello"
        assert server.connections == 2


def test_a_body_goes_by_once() -> None:
    with serving([okay()]) as server, Client(proxies=DIRECT) as client:
        with client.stream("GET", server.url) as response:
            assert list(response.pieces()) == [b"hello"]
            for again in (response.pieces, response.raw_pieces):
                with pytest.raises(UsageError, match="read already"):
                    list(again())
            with pytest.raises(UsageError, match="read already"):
                response.read()


def test_content_stays() -> None:
    with serving([okay()]) as server, Client(proxies=DIRECT) as client:
        with client.stream("GET", server.url) as response:
            assert (response.content, response.read(), response.text) == (b"hello", b"hello", "hello")
        assert response.content == b"hello"


COPIED = [
    ("a length", okay(b"x" * 1_000_000)),
    ("chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nf4240\r\n" + b"x" * 1_000_000 + b"\r\n0\r\n\r\n"),
    ("until the end", b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_000_000),
    ("packed", okay(gzip.compress(b"x" * 1_000_000), "Content-Encoding: gzip")),
]


@pytest.mark.parametrize("answer", [row[1] for row in COPIED], ids=[row[0] for row in COPIED])
def test_a_body_is_copied_to_a_file(tmp_path: Path, answer: bytes) -> None:
    counts: list[int] = []
    with serving([answer]) as server, Client(proxies=DIRECT) as client, (tmp_path / "f").open("wb") as file:
        with client.stream("GET", server.url) as response:
            assert response.copy_to(file.fileno(), counts.append) == 1_000_000
            with pytest.raises(UsageError, match="read already"):
                response.copy_to(file.fileno())
    assert (tmp_path / "f").read_bytes() == b"x" * 1_000_000
    assert sum(counts) == 1_000_000


def test_a_connection_serves_again_after_a_copy(tmp_path: Path) -> None:
    with serving([okay(b"x" * 1_000_000), okay(b""), okay()]) as server, Client(proxies=DIRECT) as client:
        with (tmp_path / "f").open("wb") as file:
            for _ in range(2):
                with client.stream("GET", server.url) as response:
                    response.copy_to(file.fileno())
        assert client.get(server.url).content == b"hello"
        assert server.connections == 1


def test_a_copy_that_is_cut_short_is_an_error(tmp_path: Path) -> None:
    with serving([okay(b"x" * 1_000_000)[:-1]]) as server, Client(proxies=DIRECT) as client:
        with (tmp_path / "f").open("wb") as file, client.stream("GET", server.url) as response:
            with pytest.raises(Gone, match="after 999999 of 1000000 bytes of the body"):
                response.copy_to(file.fileno())
    assert (tmp_path / "f").stat().st_size == 999_999


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    with serving([okay(b"x" * 1_000_000)]) as server, Client(proxies=DIRECT) as client:
        with (tmp_path / "f").open("rb") as file, client.stream("GET", server.url) as response:
            with pytest.raises(Refused, match="cannot be written: bad file descriptor"):
                response.copy_to(file.fileno())


def test_a_pipe_that_nobody_reads_is_an_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with serving([okay()]) as server, Client(proxies=DIRECT) as client, client.stream("GET", server.url) as response:
        with pytest.raises(Refused, match="broken pipe"):
            response.copy_to(writing)
    os.close(writing)


# --- the whole --------------------------------------------------------------------------------


def test_many_threads_use_one_client() -> None:
    found: list[bytes] = []

    def work() -> None:
        for _ in range(10):
            found.append(client.get(server.url).content)

    with serving([okay()] * 200) as server, Client(proxies=DIRECT, max_connections=3) as client:
        threads = [threading.Thread(target=work) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.connections <= 3
    assert found == [b"hello"] * 100


def test_json_that_is_none_is_the_server_s_fault() -> None:
    with serving([okay(b'{"a": [1.0]}'), okay(b"<html>")]) as server, Client(proxies=DIRECT) as client:
        assert client.get(server.url).json() == {"a": [1.0]}
        with pytest.raises(PeerError, match="not JSON"):
            client.get(server.url).json()


def test_no_event_loop_and_no_tls_are_loaded_for_what_needs_none() -> None:
    code = "import sys, portico.client.blocking; print(sorted({'asyncio', 'ssl', 'uvloop'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
