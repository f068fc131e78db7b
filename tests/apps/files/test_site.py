"""The static site over a real socket: what each kind of request is answered with."""

import asyncio
import email
import gzip
import json
import os
import resource
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

import brotli
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portico.apps.files.opened import OpenedFile, Version
from portico.apps.files.root import Root
from portico.apps.files.site import Site
from portico.errors import UsageError
from portico.http.target import encode_segment
from portico.server.embedded import event_loop
from portico.server.http import HttpServer
from portico.settings import Files, Limits

TEXT = b"0123456789" * 100
PAGE = b"<p>The quick brown fox jumps over the lazy dog.</p>\n" * 200
SECRET = b"nobody may read this"
SOURCE = Path(__file__).read_bytes()
MTIME_S = 1_700_000_000
MTIME = "Tue, 14 Nov 2023 22:13:20 GMT"
BEFORE = "Tue, 14 Nov 2023 22:13:19 GMT"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}


class Reply(NamedTuple):
    """One answer. fields: lower-case names. is_whole: the body ended where its framing says."""

    status: int
    fields: dict[str, str]
    body: bytes
    is_whole: bool


class Peer:
    """One connection of a client that sends exactly what it is told."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._data = b""

    def close(self) -> None:
        self.socket.close()

    def send(self, target: str, fields: Mapping[str, str] | None = None, method: str = "GET") -> None:
        lines = {"Host": "localhost", **(fields or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.socket.sendall(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1"))

    def ask(self, target: str, fields: Mapping[str, str] | None = None, method: str = "GET") -> Reply:
        self.send(target, fields, method)
        return self.receive(method)

    def receive(self, method: str = "GET") -> Reply:
        head = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        fields: dict[str, str] = {}
        for line in head[1:-2]:
            name, _, value = line.partition(":")
            name = name.lower()
            fields[name] = f"{fields[name]}, {value.strip()}" if name in fields else value.strip()
        status = int(head[0].split()[1])
        if method == "HEAD" or status in (204, 304):
            return Reply(status, fields, b"", True)
        if fields.get("transfer-encoding") == "chunked":
            return Reply(status, fields, *self._chunks())
        return Reply(status, fields, *self._exactly(int(fields["content-length"])))

    def _more(self) -> bool:
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionError:
            return False
        self._data += data
        return bool(data)

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._data:
            assert self._more(), f"the connection ended within {self._data[:200]!r}"
        end = self._data.index(mark) + len(mark)
        taken, self._data = self._data[:end], self._data[end:]
        return taken

    def _exactly(self, count: int) -> tuple[bytes, bool]:
        while len(self._data) < count and self._more():
            pass
        taken, self._data = self._data[:count], self._data[count:]
        return taken, len(taken) == count

    def _chunks(self) -> tuple[bytes, bool]:
        body = b""
        while count := int(self._until(b"\r\n"), 16):
            piece, is_whole = self._exactly(count + 2)
            body += piece[:-2]
            if not is_whole:
                return body, False
        return body, self._until(b"\r\n") == b"\r\n"


class Served:
    """A site in a thread of its own."""

    def __init__(self, roots: Mapping[str, Root], *, names: frozenset[str] | None = frozenset(), **files: Any) -> None:
        self._roots = roots
        self.site = Site(roots, Files(**files), names=names)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,))
        self._thread.start()
        started.wait()

    def _run(self, started: threading.Event) -> None:
        with asyncio.Runner(loop_factory=event_loop) as runner:
            runner.run(self._serve(started))

    async def _serve(self, started: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self.server = HttpServer(self.site, Limits())
        await self.server.open([self._listener])
        started.set()
        await self._stop.wait()
        await self.server.drain(5)
        self.site.close()  # while there is a loop: work for later may be under way

    def ask(self, target: str, fields: Mapping[str, str] | None = None, method: str = "GET") -> Reply:
        peer = Peer(self.port)
        try:
            return peer.ask(target, fields, method)
        finally:
            peer.close()

    def raw(self, data: bytes) -> Reply:
        peer = Peer(self.port)
        try:
            peer.socket.sendall(data)
            return peer.receive()
        finally:
            peer.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._listener.close()


Server = Callable[..., Served]


@pytest.fixture
def serve() -> Iterator[Server]:
    """Return a function that serves a folder, or roots by name, with settings as keywords."""
    opened: list[Served] = []

    def start(roots: Path | Mapping[str, Root], **options: Any) -> Served:
        served = Served({"": Root(roots)} if isinstance(roots, Path) else roots, **options)
        opened.append(served)
        return served

    yield start
    for served in opened:
        served.close()


@pytest.fixture
def peer() -> Iterator[Callable[[Served], Peer]]:
    """Return a function that connects."""
    opened: list[Peer] = []

    def connect(served: Served) -> Peer:
        opened.append(Peer(served.port))
        return opened[-1]

    yield connect
    for one in opened:
        one.close()


def put(path: Path, data: bytes, mtime_s: float = MTIME_S) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (mtime_s, mtime_s))
    return path


def make_tree(parent: Path) -> Path:
    """Make `www`, with everything that servers stumble over, beside `wwwx`, which nobody may see."""
    root = parent / "www"
    put(parent / "wwwx" / "secret.txt", SECRET)
    put(parent / "wwwx" / "secret.gz", gzip.compress(SECRET))
    for name, data in (("file.txt", TEXT), ("page.html", PAGE), ("empty.txt", b""), ("dir/a.txt", b"a\n")):
        put(root / name, data)
    for name in (".git/config", ".env", "dir/.hidden"):
        put(root / name, SECRET)
    put(root / ".well-known" / "security.txt", b"Contact: nobody\n")
    put(root / "pre.css", PAGE)
    for suffix, pack in ((".gz", gzip.compress), (".br", brotli.compress), (".zst", zstandard.compress)):
        put(root / f"pre.css{suffix}", pack(PAGE), MTIME_S + 5)
    put(root / "old.css", PAGE)
    put(root / "old.css.gz", gzip.compress(b"of yesterday"), MTIME_S - 5)
    put(root / "lpre.css", TEXT)
    links = {"link_in": "file.txt", "link_out": "../wwwx/secret.txt", "linkdir_out": "../wwwx", "loop": "loop"}
    links |= {"dangling": "nowhere", "linkdir_in": "dir", "lpre.css.gz": "../wwwx/secret.gz", "two": "three"}
    links |= {"three": "two", "absolute_in": str(root / "file.txt"), "absolute_out": str(parent / "wwwx")}
    links |= {"link_hidden": ".git/config", "up": "..", "indexed/index.html": "../../wwwx/secret.txt"}
    (root / "indexed").mkdir()
    for name, target in links.items():
        (root / name).symlink_to(target)
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
    return root


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served({"": Root(make_tree(tmp_path_factory.mktemp("site")))})
    yield served
    served.close()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


# --- a plain file -----------------------------------------------------------------------------


def test_a_file_comes_with_its_type_validators_and_caching_rule(tree: Served) -> None:
    reply = tree.ask("/file.txt")
    assert (reply.status, reply.body) == (200, TEXT)
    assert reply.fields["content-type"] == "text/plain; charset=utf-8"
    assert reply.fields["last-modified"] == MTIME
    assert reply.fields["etag"] == f'"{MTIME_S * 10**9:x}-3e8"'
    assert reply.fields["accept-ranges"] == "bytes"
    assert reply.fields["cache-control"] == "no-cache"
    assert reply.fields["x-content-type-options"] == "nosniff"
    assert "vary" not in reply.fields


def test_head_says_what_get_says_and_sends_nothing(tree: Served) -> None:
    for target in ("/file.txt", "/page.html", "/pre.css", "/empty.txt"):
        get, head = tree.ask(target), tree.ask(target, method="HEAD")
        assert head.body == b""
        assert {**head.fields, "date": ""} == {**get.fields, "date": ""}


CONDITIONS = [
    ("exact", {"If-None-Match": "TAG"}, 304),
    ("other strength", {"If-None-Match": "W/TAG"}, 304),
    ("in a list", {"If-None-Match": '"x", TAG , "y"'}, 304),
    ("any", {"If-None-Match": "*"}, 304),
    ("another", {"If-None-Match": '"x"'}, 200),
    ("unreadable", {"If-None-Match": "x"}, 200),
    ("a miss beats the date", {"If-None-Match": '"x"', "If-Modified-Since": MTIME}, 200),
    ("not modified since", {"If-Modified-Since": MTIME}, 304),
    ("modified since", {"If-Modified-Since": BEFORE}, 200),
    ("no date", {"If-Modified-Since": "yesterday"}, 200),
    ("match", {"If-Match": "TAG"}, 200),
    ("match any", {"If-Match": "*"}, 200),
    ("match misses", {"If-Match": '"x"'}, 412),
    ("match is strong", {"If-Match": "W/TAG"}, 412),
    ("unmodified since", {"If-Unmodified-Since": MTIME}, 200),
    ("modified meanwhile", {"If-Unmodified-Since": BEFORE}, 412),
    ("match beats the date", {"If-Match": "TAG", "If-Unmodified-Since": BEFORE}, 200),
    ("a 304 beats a range", {"If-None-Match": "TAG", "Range": "bytes=0-1"}, 304),
    ("range, tag", {"If-Range": "TAG", "Range": "bytes=0-1"}, 206),
    ("range, other tag", {"If-Range": '"x"', "Range": "bytes=0-1"}, 200),
    ("range, weak tag", {"If-Range": "W/TAG", "Range": "bytes=0-1"}, 200),
    ("range, date", {"If-Range": MTIME, "Range": "bytes=0-1"}, 206),
    ("range, earlier date", {"If-Range": BEFORE, "Range": "bytes=0-1"}, 200),
    ("range, no date", {"If-Range": "yesterday", "Range": "bytes=0-1"}, 200),
    ("match and range", {"If-Match": "TAG", "Range": "bytes=0-1"}, 206),
]


@pytest.mark.parametrize(("fields", "status"), [row[1:] for row in CONDITIONS], ids=[row[0] for row in CONDITIONS])
def test_conditions(tree: Served, fields: dict[str, str], status: int) -> None:
    tag = tree.ask("/file.txt").fields["etag"]
    sent = {name: value.replace("TAG", tag) for name, value in fields.items()}
    for _ in "ab":  # the second time from what is remembered
        reply = tree.ask("/file.txt", sent)
        assert reply.status == status
        if status in (200, 206):
            assert reply.body == (TEXT if status == 200 else TEXT[:2])
        if status == 304:
            assert (reply.fields["etag"], reply.fields["cache-control"]) == (tag, "no-cache")


RANGES = [
    ("bytes=0-0", 206, "bytes 0-0/1000", TEXT[:1]),
    ("bytes=10-19", 206, "bytes 10-19/1000", TEXT[10:20]),
    ("bytes=990-", 206, "bytes 990-999/1000", TEXT[990:]),
    ("bytes=-1", 206, "bytes 999-999/1000", TEXT[-1:]),
    ("bytes=-2000", 206, "bytes 0-999/1000", TEXT),
    ("bytes=0-", 206, "bytes 0-999/1000", TEXT),
    ("bytes=998-2000", 206, "bytes 998-999/1000", TEXT[998:]),
    ("bytes=0-99999999999999999999999999", 206, "bytes 0-999/1000", TEXT),
    ("bytes=0-1, 2000-3000", 206, "bytes 0-1/1000", TEXT[:2]),
    ("bytes=-0", 416, "bytes */1000", b""),
    ("bytes=1000-", 416, "bytes */1000", b""),
    ("bytes=99999999999999999999999999-", 416, "bytes */1000", b""),
    ("bytes=5-2", 200, None, TEXT),
    ("bytes=", 200, None, TEXT),
    ("bytes=a-b", 200, None, TEXT),
    ("items=0-5", 200, None, TEXT),
    ("bytes=0-99,50-149", 200, None, TEXT),
    ("bytes=" + ",".join(f"{n}-{n}" for n in range(0, 34, 2)), 200, None, TEXT),
]


@pytest.mark.parametrize(("asked", "status", "content_range", "body"), RANGES, ids=[row[0][:30] for row in RANGES])
def test_ranges(tree: Served, asked: str, status: int, content_range: str | None, body: bytes) -> None:
    reply = tree.ask("/file.txt", {"Range": asked})
    assert (reply.status, reply.fields.get("content-range"), reply.body) == (status, content_range, body)
    head = tree.ask("/file.txt", {"Range": asked}, "HEAD")
    assert (head.status, head.fields["content-length"]) == (200, "1000")


def test_an_empty_file_has_no_ranges(tree: Served) -> None:
    for asked in ("bytes=0-", "bytes=-1", "bytes=5-"):
        reply = tree.ask("/empty.txt", {"Range": asked})
        assert (reply.status, reply.body, reply.fields["content-length"]) == (200, b"", "0")


def parts_of(reply: Reply) -> list[tuple[str, str, bytes]]:
    text = b"Content-Type: " + reply.fields["content-type"].encode() + b"\r\n\r\n" + reply.body
    message = email.message_from_bytes(text)
    assert message.is_multipart()
    parts = message.get_payload()
    assert isinstance(parts, list)
    found = []
    for part in parts:
        assert isinstance(part, email.message.Message)
        body = part.get_payload(decode=True)
        assert isinstance(body, bytes)
        found.append((str(part["Content-Type"]), str(part["Content-Range"]), body))
    return found


@pytest.mark.parametrize("size", [1000, 300_000], ids=["from memory", "from an open file"])
def test_several_ranges_come_as_a_multipart_body(tmp_path: Path, serve: Server, size: int) -> None:
    data = (TEXT * 300)[:size]
    put(tmp_path / "f.bin", data)
    end = size - 1
    reply = serve(tmp_path).ask("/f.bin", {"Range": f"bytes=-2, 0-4, {size}-, 20-29"})
    kind = "application/octet-stream"
    assert reply.status == 206
    assert parts_of(reply) == [
        (kind, f"bytes {end - 1}-{end}/{size}", data[-2:]),
        (kind, f"bytes 0-4/{size}", data[:5]),
        (kind, f"bytes 20-29/{size}", data[20:30]),
    ]


def test_no_range_makes_the_answer_much_larger_than_the_file(tmp_path: Path, serve: Server) -> None:
    put(tmp_path / "f.bin", bytes(1_000_000))
    served = serve(tmp_path)
    for spec in ("0-999999", "0-", "-1000000", "0-0"):
        reply = served.ask("/f.bin", {"Range": "bytes=" + ",".join([spec] * 500)})
        assert len(reply.body) <= 1_100_000
    many = ",".join(f"{n}-{n}" for n in range(0, 1000, 2))
    assert len(served.ask("/f.bin", {"Range": "bytes=" + many}).body) <= 1_100_000


METHODS = [("OPTIONS", 204), ("POST", 405), ("PUT", 405), ("DELETE", 405), ("PATCH", 405), ("FOO", 501), ("get", 501)]


@pytest.mark.parametrize(("method", "status"), METHODS)
def test_methods(tree: Served, method: str, status: int) -> None:
    for target in ("/file.txt", "/missing"):
        reply = tree.ask(target, {"Content-Length": "0"} if method == "POST" else None, method)
        assert reply.status == status
        assert reply.fields.get("allow") == (None if status == 501 else "GET, HEAD, OPTIONS")
        assert reply.fields["x-content-type-options"] == "nosniff"


# --- what is not given out ----------------------------------------------------------------------

NOT_SERVED = [
    *("/../wwwx/secret.txt", "/%2e%2e/wwwx/secret.txt", "/..%2fwwwx/secret.txt", "/dir/../../wwwx/secret.txt"),
    *("/link_out", "/linkdir_out/secret.txt", "/linkdir_out", "/linkdir_out/", "/absolute_out/secret.txt"),
    *("/up/wwwx/secret.txt", "/link_hidden", "/loop", "/loop/", "/loop/x", "/two", "/dangling", "/dangling/"),
    *("/.git/config", "/.git/", "/.git", "/.env", "/dir/.hidden", "/dir/../.env", "/%2egit/config"),
    *("/file.txt%00.html", "/%00", "/pipe", "/pipe/", "/socket", "/file.txt/", "/file.txt/x", "/page.html/"),
    *("/missing", "/missing/", "/%", "/%zz", "/%u0041", "/..\\wwwx\\secret.txt", "/%2f/evil", "/dir%0a"),
    *("/dir%0d%0aX:%20y", "//evil.example/..%2fdir", "/.%00./wwwx/secret.txt", "/" + "x" * 300, "/" + "x/" * 3000),
    *("/lpre.css.gz", "/file.txt%2f", "/%2e%2e%2fwwwx/secret.txt", "/%c0%ae%c0%ae/wwwx/secret.txt"),
]


@pytest.mark.parametrize("target", NOT_SERVED, ids=lambda target: target[:40])
def test_what_is_not_served_is_a_404_and_says_nothing_of_why(tree: Served, target: str) -> None:
    for fields in ({}, BROWSER, {"Accept": "application/json"}):
        reply = tree.ask(target, fields)
        assert reply.status == 404
        assert SECRET not in reply.body
        assert b"wwwx" not in reply.body
    assert tree.ask("/file.txt").status == 200


def test_an_index_page_that_leaves_the_folder_is_not_read(tree: Served) -> None:
    reply = tree.ask("/indexed/", BROWSER)
    assert reply.status == 200  # the listing, where it is grey
    assert SECRET not in reply.body


SERVED = [
    ("/link_in", TEXT),
    ("/absolute_in", TEXT),
    ("/linkdir_in/a.txt", b"a\n"),
    ("/.well-known/security.txt", b"Contact: nobody\n"),
    ("/dir/../file.txt", TEXT),
    ("//file.txt", TEXT),
    ("/./dir//a.txt", b"a\n"),
    ("/file.txt?query", TEXT),
    ("/%66ile.txt", TEXT),
    ("http://localhost/file.txt", TEXT),
]


@pytest.mark.parametrize(("target", "body"), SERVED)
def test_what_is_served(tree: Served, target: str, body: bytes) -> None:
    for _ in "ab":
        reply = tree.ask(target)
        assert (reply.status, reply.body) == (200, body)


REFUSED = [
    (b"GET /file.txt HTTP/1.1\r\n\r\n", 400),
    (b"GET /file.txt HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
    (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    (b"GET /file.txt HTTP/1.0\r\n\r\n", 200),
    (b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 204),
]


@pytest.mark.parametrize(("data", "status"), REFUSED, ids=["no Host", "two Hosts", "20 KB", "HTTP/1.0", "asterisk"])
def test_heads_out_of_the_ordinary(tree: Served, data: bytes, status: int) -> None:
    peer = Peer(tree.port)
    peer.socket.sendall(data)
    assert peer.receive("HEAD").status == status
    peer.close()


@pytest.mark.parametrize("target", ["/file.txt/", "/missing", "/linkdir_out/", "/dir/", "/pipe", "/page.html"])
def test_no_request_keeps_a_descriptor(tree: Served, target: str) -> None:
    peer = Peer(tree.port)
    peer.ask(target, BROWSER)
    before = descriptors()
    for _ in range(20):
        peer.ask(target, BROWSER)
    assert descriptors() <= before
    peer.close()


def test_a_peer_that_leaves_while_its_file_is_looked_for_keeps_no_descriptor(tmp_path: Path) -> None:
    put(tmp_path / "large.bin", bytes(200_000))
    put(tmp_path / "large.txt", PAGE * 20)
    before = descriptors()
    served = Served({"": Root(tmp_path)})
    for number in range(40):
        for name, fields in (("large.bin", {}), ("large.txt", {"Accept-Encoding": "br"})):
            (tmp_path / f"{number}{name}").symlink_to(name)
            peer = Peer(served.port)
            peer.send(f"/{number}{name}", fields)
            peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # go with a reset
            peer.close()
    assert served.ask("/large.bin").status == 200
    served.close()
    assert descriptors() <= before


# --- the Host guard -----------------------------------------------------------------------------

HOSTS = [
    ("localhost", 200),
    ("LOCALHOST:8000", 200),
    ("app.localhost:8000", 200),
    ("127.0.0.1", 200),
    ("[::1]:8000", 200),
    ("192.168.1.20:8000", 200),
    ("box.local", 200),
    ("docs.example", 200),
    ("evil.example", 421),
    ("localhost.evil.example", 421),
    ("127.0.0.1.evil.example", 421),
]


@pytest.mark.parametrize(("host", "status"), HOSTS)
def test_host_names(tmp_path: Path, serve: Server, host: str, status: int) -> None:
    put(tmp_path / "file.txt", TEXT)
    served = serve(tmp_path, names=frozenset({"box.local"}), host_name=("Docs.Example",))
    for target in ("/file.txt", "/", "/missing"):
        expected = 404 if (target, status) == ("/missing", 200) else status
        assert served.ask(target, {"Host": host}).status == expected
    assert served.ask("/file.txt", {"Host": host}, "OPTIONS").status == (204 if status == 200 else 421)


def test_production_answers_to_every_host(tmp_path: Path, serve: Server) -> None:
    put(tmp_path / "file.txt", TEXT)
    assert serve(tmp_path, names=None, production=True).ask("/file.txt", {"Host": "evil.example"}).status == 200


# --- redirects ------------------------------------------------------------------------------------

REDIRECTS = [
    ("/dir", "dir/"),
    ("/dir?a=b&c=%20", "dir/?a=b&c=%20"),
    ("/dir?", "dir/?"),
    ("//dir", "dir/"),
    ("//evil.example/../dir", "dir/"),
    ("//evil.example/%2e%2e/dir", "dir/"),
    ("/\\evil.example/../dir", "dir/"),
    ("/%5cevil.example/../dir", "dir/"),
    ("/a%20b", "a%20b/"),
    ("/x:y", "x%3Ay/"),
    ("/%5Cevil.example", "%5Cevil.example/"),
    ("/line%0D%0ASet-Cookie:%20x", "line%0D%0ASet-Cookie%3A%20x/"),
    ("/dir/%ff", "%FF/"),
]


@pytest.mark.parametrize(("target", "location"), REDIRECTS)
def test_a_folder_without_its_slash_is_a_relative_redirect(
    tmp_path: Path, serve: Server, target: str, location: str
) -> None:
    for name in (b"dir", b"a b", b"x:y", b"\\evil.example", b"line\r\nSet-Cookie: x", b"dir/\xff"):
        os.mkdir(os.path.join(os.fsencode(tmp_path), name))
    for status, served in ((307, serve(tmp_path)), (308, serve(tmp_path, production=True, names=None))):
        reply = served.ask(target)
        assert (reply.status, reply.fields["location"]) == (status, location)
        assert "set-cookie" not in reply.fields
        there = urljoin("http://localhost" + target, location)
        assert urlsplit(there).netloc == "localhost"
        assert served.ask(there.removeprefix("http://localhost")).status == 200


# --- codings --------------------------------------------------------------------------------------

SIDECARS = [
    ("zstd, br, gzip", "zstd"),
    ("br, gzip", "br"),
    ("gzip", "gzip"),
    ("gzip, br;q=0.5", "gzip"),
    ("gzip;q=0", ""),
    ("gzip;q=0, *", "zstd"),
    ("*", "zstd"),
    ("identity", ""),
    ("identity;q=0.5, br;q=0.9", "br"),
    ("*;q=0", ""),
    ("deflate", ""),
    ("", ""),
    (None, ""),
]


@pytest.mark.parametrize(("accepted", "coding"), SIDECARS)
@pytest.mark.parametrize("target", ["/pre.css", "/page.html"], ids=["sidecar", "on the fly"])
def test_content_coding(tree: Served, target: str, accepted: str | None, coding: str) -> None:
    fields = {} if accepted is None else {"Accept-Encoding": accepted}
    for _ in "abc":
        reply = tree.ask(target, fields)
        assert (reply.status, reply.fields.get("content-encoding", "")) == (200, coding)
        assert reply.fields["vary"] == "Accept-Encoding"
        assert UNPACK.get(coding, bytes)(reply.body) == PAGE
        same = tree.ask(target, {**fields, "If-None-Match": reply.fields["etag"]})
        assert (same.status, same.fields["vary"]) == (304, "Accept-Encoding")
        assert same.fields["etag"] == reply.fields["etag"]


def test_each_coding_and_level_has_an_entity_tag_of_its_own_and_the_better_level_takes_over(
    tmp_path: Path, serve: Server, peer: Callable[[Served], Peer]
) -> None:
    put(tmp_path / "a.py", SOURCE)
    one = peer(serve(tmp_path))
    bodies: dict[str, bytes] = {}
    better = {"gzip": "-gzip6", "br": "-br9", "zstd": "-zstd12", "identity": ""}

    def are_best() -> bool:
        are_best = True
        for coding, ending in better.items():
            reply = one.ask("/a.py", {"Accept-Encoding": coding})
            tag = reply.fields["etag"]
            assert UNPACK.get(coding, bytes)(reply.body) == SOURCE
            assert bodies.setdefault(tag, reply.body) == reply.body
            are_best = are_best and tag.endswith(f'{ending}"')
        return are_best

    assert within_a_second(are_best)
    assert len(set(bodies.values())) == len(bodies) >= 4


NOT_PACKED = [
    ("small.txt", PAGE[:1023], False),
    ("photo.jpg", PAGE, False),
    ("noise.txt", os.urandom(5000), True),
    ("long-noise.txt", os.urandom(100_000), True),
]


@pytest.mark.parametrize(("name", "data", "has_vary"), NOT_PACKED, ids=[row[0] for row in NOT_PACKED])
def test_what_is_not_worth_compressing_comes_as_it_is(
    tmp_path: Path, serve: Server, name: str, data: bytes, has_vary: bool
) -> None:
    put(tmp_path / name, data)
    served = serve(tmp_path)
    for _ in "ab":
        reply = served.ask(f"/{name}", {"Accept-Encoding": "gzip, br, zstd"})
        assert (reply.body, "content-encoding" in reply.fields, "vary" in reply.fields) == (data, False, has_vary)


@pytest.mark.parametrize("coding", UNPACK)
def test_text_that_is_long_even_when_packed_is_sent_whole_every_time(
    tmp_path: Path, serve: Server, coding: str
) -> None:
    data = os.urandom(200_000).hex().encode()  # packs to half of it, more than one write takes
    put(tmp_path / "a.txt", data)
    served = serve(tmp_path)
    for _ in "abc":
        reply = served.ask("/a.txt", {"Accept-Encoding": coding})
        assert (reply.status, reply.is_whole, reply.fields["content-encoding"]) == (200, True, coding)
        assert 65_536 < len(reply.body) == int(reply.fields["content-length"]) < len(data)
        assert UNPACK[coding](reply.body) == data


def test_text_of_16_mib_and_more_is_not_compressed_on_the_fly(tmp_path: Path, serve: Server) -> None:
    put(tmp_path / "a.txt", bytes(17 << 20))
    reply = serve(tmp_path).ask("/a.txt", {"Accept-Encoding": "gzip"})
    assert (len(reply.body), reply.fields.get("content-encoding")) == (17 << 20, None)


def test_compression_can_be_switched_off(tmp_path: Path, serve: Server) -> None:
    put(tmp_path / "page.html", PAGE)
    reply = serve(tmp_path, compress=False).ask("/page.html", {"Accept-Encoding": "gzip"})
    assert (reply.body, "vary" in reply.fields) == (PAGE, False)


def test_a_range_is_of_a_stored_form_never_of_one_made_on_the_fly(tree: Served) -> None:
    reply = tree.ask("/page.html", {"Accept-Encoding": "gzip", "Range": "bytes=0-9"})
    assert (reply.status, reply.body, "content-encoding" in reply.fields) == (206, PAGE[:10], False)
    packed = tree.ask("/pre.css", {"Accept-Encoding": "gzip"})
    assert packed.fields["accept-ranges"] == "bytes"
    part = tree.ask("/pre.css", {"Accept-Encoding": "gzip", "Range": "bytes=3-9", "If-Range": packed.fields["etag"]})
    assert (part.status, part.body, part.fields["content-encoding"]) == (206, packed.body[3:10], "gzip")
    plain = tree.ask("/pre.css", {"Range": "bytes=3-9", "If-Range": packed.fields["etag"]})
    assert (plain.status, plain.body) == (200, PAGE)
    on_the_fly = tree.ask("/page.html", {"Accept-Encoding": "gzip"})
    assert "accept-ranges" not in on_the_fly.fields


def test_a_range_of_a_form_made_on_the_fly_beside_a_sidecar_is_ignored(tree: Served) -> None:
    reply = tree.ask("/old.css", {"Accept-Encoding": "br", "Range": "bytes=0-9"})
    assert (reply.status, reply.body) == (206, PAGE[:10])  # its sidecar is too old to count


def test_a_sidecar_that_is_older_or_leaves_the_folder_is_not_used(tree: Served) -> None:
    old = tree.ask("/old.css", {"Accept-Encoding": "gzip"})
    assert gzip.decompress(old.body) == PAGE
    linked = tree.ask("/lpre.css", {"Accept-Encoding": "gzip"})
    assert (linked.body, "content-encoding" in linked.fields) == (TEXT, False)


def test_a_sidecar_asked_for_by_name_is_a_file_like_any_other(tree: Served) -> None:
    reply = tree.ask("/pre.css.gz", {"Accept-Encoding": "gzip"})
    assert (reply.fields["content-type"], "content-encoding" in reply.fields) == ("application/gzip", False)
    assert gzip.decompress(reply.body) == PAGE


def test_a_folder_that_is_named_like_a_sidecar_is_none(tmp_path: Path, serve: Server) -> None:
    put(tmp_path / "a.bin", TEXT)
    (tmp_path / "a.bin.gz").mkdir()
    reply = serve(tmp_path).ask("/a.bin", {"Accept-Encoding": "gzip"})
    assert (reply.body, "vary" in reply.fields) == (TEXT, False)


def test_a_range_with_a_sidecar_of_another_coding(tmp_path: Path, serve: Server) -> None:
    put(tmp_path / "a.css", PAGE)
    put(tmp_path / "a.css.gz", gzip.compress(PAGE), MTIME_S + 1)
    reply = serve(tmp_path).ask("/a.css", {"Accept-Encoding": "br", "Range": "bytes=0-9"})
    assert (reply.status, reply.fields["content-encoding"]) == (200, "br")
    assert brotli.decompress(reply.body) == PAGE


# --- odd files ------------------------------------------------------------------------------------

TIMES = [(-1, "Wed, 31 Dec 1969 23:59:59 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (2**40, None)]


@pytest.mark.parametrize(("mtime_s", "modified"), TIMES)
def test_odd_times(tmp_path: Path, serve: Server, mtime_s: int, modified: str | None) -> None:
    file = put(tmp_path / "a.txt", TEXT)
    os.utime(file, (mtime_s, mtime_s))
    if int(file.stat().st_mtime) != mtime_s:
        pytest.skip("this file system has no such times")
    served = serve(tmp_path)
    reply = served.ask("/a.txt")
    assert (reply.body, reply.fields.get("last-modified")) == (TEXT, modified)
    assert served.ask("/a.txt", {"If-None-Match": reply.fields["etag"]}).status == 304
    assert served.ask("/a.txt", {"If-Modified-Since": MTIME}).status == (304 if modified else 200)
    for accept in ("text/html", "application/json", "text/plain"):
        assert served.ask("/", {"Accept": accept}).status == 200


def test_a_huge_sparse_file(tmp_path: Path, serve: Server) -> None:
    size = 1 << 42
    with open(tmp_path / "huge.bin", "wb") as file:
        try:
            file.truncate(size)
        except OSError:
            pytest.skip("this file system has no such files")
    served = serve(tmp_path)
    assert served.ask("/huge.bin", method="HEAD").fields["content-length"] == str(size)
    reply = served.ask("/huge.bin", {"Range": "bytes=-5"})
    assert (reply.body, reply.fields["content-range"]) == (bytes(5), f"bytes {size - 5}-{size - 1}/{size}")


ODD_NAMES = st.binary(min_size=1, max_size=40).filter(lambda name: not (b"/" in name or b"\0" in name))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[bytes, Served]]:
    folder = tmp_path_factory.mktemp("odd")
    served = Served({"": Root(folder)})
    yield os.fsencode(folder), served
    served.close()


class Links(HTMLParser):
    """Collects where the rows of a listing lead."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href") or ""
        if tag == "a" and href.startswith("./"):
            self.found.append(href)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(ODD_NAMES, min_size=1, max_size=5, unique=True), number=st.integers(0, 1 << 60))
def test_any_name_is_listed_and_fetched_verbatim(shelf: tuple[bytes, Served], names: list[bytes], number: int) -> None:
    root, served = shelf
    folder = root + b"/%d-%d" % (number, time.monotonic_ns())
    os.mkdir(folder)
    made = set()
    for name in names:
        if name[:1] != b"." and name != b"index.html":
            with open(folder + b"/" + name, "wb") as file:
                file.write(name)
            made.add(name)
    url = f"/{encode_segment(os.path.basename(folder))}/"
    peer = Peer(served.port)
    listing = json.loads(peer.ask(url, {"Accept": "application/json"}).body)
    hrefs = [entry["href"] for entry in listing["entries"]]
    assert sorted(Links(peer.ask(url, BROWSER).body).found) == sorted(hrefs)
    bodies = set()
    for href in hrefs:
        target = urljoin(f"http://localhost{url}", href).removeprefix("http://localhost")
        reply = peer.ask(target)
        assert reply.status == 200
        assert reply.body == unquote_to_bytes(href.removeprefix("./"))
        bodies.add(reply.body)
    peer.close()
    assert bodies == made


# --- changes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [20, 200_000], ids=["small", "large"])
def test_a_changed_file_is_seen_at_once(
    tmp_path: Path, serve: Server, peer: Callable[[Served], Peer], size: int
) -> None:
    file = tmp_path / "a.bin"
    put(file, b"0" * size)
    one = peer(serve(tmp_path))
    for turn in range(1, 8):
        before = one.ask("/a.bin")
        assert before.body[:1] == b"%d" % (turn - 1)
        if turn % 2:
            file.write_bytes(b"%d" % turn * (size + turn))
        else:
            put(tmp_path / "new", b"%d" % turn * size, MTIME_S + turn).replace(file)
        after = one.ask("/a.bin", {"If-None-Match": before.fields["etag"]})
        assert (after.status, after.body[:1]) == (200, b"%d" % turn)
        assert after.fields["etag"] != before.fields["etag"]
    file.unlink()
    assert one.ask("/a.bin").status == 404
    put(file, b"back")
    assert one.ask("/a.bin").body == b"back"


def within_a_second(ask: Callable[[], bool]) -> bool:
    """Ask again and again, like an impatient visitor, until the answer is yes or 3 s are over."""
    until_s = time.monotonic() + 3
    while time.monotonic() < until_s:
        if ask():
            return True
    return False


def test_a_sidecar_that_appears_is_seen_within_a_second(
    tmp_path: Path, serve: Server, peer: Callable[[Served], Peer]
) -> None:
    put(tmp_path / "a.bin", TEXT)
    one = peer(serve(tmp_path))
    assert one.ask("/a.bin", {"Accept-Encoding": "gzip"}).body == TEXT
    put(tmp_path / "a.bin.gz", gzip.compress(TEXT))
    assert within_a_second(lambda: "content-encoding" in one.ask("/a.bin", {"Accept-Encoding": "gzip"}).fields)
    (tmp_path / "a.bin.gz").unlink()
    assert within_a_second(lambda: one.ask("/a.bin", {"Accept-Encoding": "gzip"}).body == TEXT)


def test_a_page_that_appears_takes_over_from_the_application(
    tmp_path: Path, serve: Server, peer: Callable[[Served], Peer]
) -> None:
    put(tmp_path / "index.html", b"application")
    one = peer(serve(tmp_path, spa=True))
    assert one.ask("/about").body == b"application"
    put(tmp_path / "about", b"file")

    def asked() -> bool:
        one.ask("/other")
        return one.ask("/about").body == b"file"

    assert within_a_second(asked)


def test_a_changed_file_under_compression_is_never_a_server_error(tmp_path: Path, serve: Server) -> None:
    served = serve(tmp_path)
    file = tmp_path / "a.txt"
    over = threading.Event()

    def change() -> None:
        turn = 0
        while not over.is_set():
            turn += 1
            data = bytes([65 + turn % 26]) * 100_000 if turn % 2 else os.urandom(90_000 + turn)
            (tmp_path / "new").write_bytes(data)
            (tmp_path / "new").replace(file)

    file.write_bytes(b"A" * 100_000)
    thread = threading.Thread(target=change)
    thread.start()
    try:
        peers = [Peer(served.port) for _ in range(6)]
        for _ in range(40):
            for one in peers:
                one.send("/a.txt", {"Accept-Encoding": "gzip"})
            for one in peers:
                reply = one.receive()
                assert reply.status == 200
                body = UNPACK.get(reply.fields.get("content-encoding", ""), bytes)(reply.body)
                assert len(body) == 100_000 or 90_000 < len(body) < 100_000
                assert len(set(body)) in (1, 256)
        for one in peers:
            one.close()
    finally:
        over.set()
        thread.join()


def test_a_file_that_shrinks_while_it_is_sent_cuts_the_connection(tmp_path: Path, serve: Server) -> None:
    file = tmp_path / "a.bin"
    file.write_bytes(bytes(64 << 20))
    peer = Peer(serve(tmp_path).port)
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    peer.send("/a.bin")
    peer.socket.recv(1000, socket.MSG_PEEK)
    os.truncate(file, 1000)
    reply = peer.receive()
    assert (reply.status, reply.is_whole) == (200, False)
    assert len(reply.body) < 64 << 20
    peer.close()


def test_old_resources_make_room(tmp_path: Path, serve: Server, peer: Callable[[Served], Peer]) -> None:
    put(tmp_path / "a.txt", b"a")
    served = serve(tmp_path)
    one = peer(served)
    for number in range(4200):
        one.send("/" * (1 + number % 50) + "./" * (number // 50) + "a.txt", method="HEAD")
        assert one.receive("HEAD").status == 200
    assert len(served.site._resources) == 4096


def test_one_file_larger_than_all_that_may_be_held_is_still_served(
    tmp_path: Path, serve: Server, peer: Callable[[Served], Peer]
) -> None:
    served = serve(tmp_path)
    one = peer(served)
    served.site._held_bytes = 1 << 40
    for name in ("a.txt", "b.txt"):
        put(tmp_path / name, name.encode())
        assert one.ask(f"/{name}").body == name.encode()
    assert list(served.site._resources) == ["/b.txt"]


# --- settings -------------------------------------------------------------------------------------


def test_index_page(tmp_path: Path, serve: Server) -> None:
    put(tmp_path / "index.html", b"<p>start")
    put(tmp_path / "sub" / "index.html", b"<p>sub")
    served = serve(tmp_path)
    for target, body in (("/", b"<p>start"), ("/sub/", b"<p>sub"), ("/index.html", b"<p>start"), ("/?x", b"<p>start")):
        reply = served.ask(target)
        assert (reply.body, reply.fields["content-type"]) == (body, "text/html; charset=utf-8")
    assert served.ask("/sub").fields["location"] == "sub/"


def test_an_index_that_is_a_folder_is_none(tmp_path: Path, serve: Server) -> None:
    (tmp_path / "index.html").mkdir()
    put(tmp_path / "about.html" / "x", b"x")
    assert b"index.html" in serve(tmp_path).ask("/", BROWSER).body
    assert serve(tmp_path, spa=True, clean_urls=True).ask("/about").status == 404


SPA = [
    ("/", 200),
    ("/users/7", 200),
    ("/users/7?tab=1", 200),
    ("/users/", 200),
    ("/app.js", 404),
    ("/assets/missing.css", 404),
    ("/.env", 404),
    ("/../x", 404),
]


@pytest.mark.parametrize(("target", "status"), SPA)
def test_spa(tmp_path: Path, serve: Server, target: str, status: int) -> None:
    put(tmp_path / "index.html", b"<p>application")
    put(tmp_path / ".env", SECRET)
    served = serve(tmp_path, spa=True)
    for _ in "ab":
        reply = served.ask(target, BROWSER)
        assert (reply.status, reply.body == b"<p>application") == (status, status == 200)


def test_spa_without_its_page(tmp_path: Path, serve: Server) -> None:
    assert serve(tmp_path, spa=True).ask("/users").status == 404


def test_a_route_of_a_spa_below_a_folder_with_a_listing(tmp_path: Path, serve: Server) -> None:
    put(tmp_path / "index.html", b"<p>application")
    put(tmp_path / "assets" / "a.txt", b"a")
    assert b"a.txt" in serve(tmp_path, spa=True).ask("/assets/").body
    assert serve(tmp_path, spa=True, listing=False).ask("/assets/").body == b"<p>application"


CLEAN = [("/about", b"about"), ("/about.html", b"about"), ("/sub/deep", b"deep"), ("/both", b"plain")]


@pytest.mark.parametrize(("target", "body"), CLEAN)
def test_clean_urls(tmp_path: Path, serve: Server, target: str, body: bytes) -> None:
    for name, data in (
        ("about.html", b"about"),
        ("sub/deep.html", b"deep"),
        ("both.html", b"page"),
        ("both", b"plain"),
    ):
        put(tmp_path / name, data)
    served = serve(tmp_path, clean_urls=True)
    reply = served.ask(target)
    assert (reply.status, reply.body) == (200, body)
    if target == "/about":
        assert reply.fields["content-type"] == "text/html; charset=utf-8"
    assert [served.ask(other).status for other in ("/missing", "/x.y", "/about/")] == [404, 404, 404]


@pytest.mark.parametrize("size", [10, 100_000], ids=["small", "large"])
def test_404_page(tmp_path: Path, serve: Server, size: int) -> None:
    page = b"x" * size
    put(tmp_path / "404.html", page)
    served = serve(tmp_path)
    for target in ("/missing", "/missing/", "/%00"):
        reply = served.ask(target)
        assert (reply.status, reply.body) == (404, page)
        assert reply.fields["content-type"] == "text/html; charset=utf-8"
        assert reply.fields["cache-control"] == "no-store"
        assert not {"etag", "last-modified", "accept-ranges"} & set(reply.fields)
    assert served.ask("/missing", method="HEAD").fields["content-length"] == str(size)
    assert served.ask("/404.html").status == 200


def test_error_pages(tmp_path: Path, serve: Server) -> None:
    put(tmp_path / "oops" / "404.html", b"not here")
    put(tmp_path / "oops" / "405.html", b"not so")
    put(tmp_path / "oops" / "412.html", b"not that one")
    pages = ("404=oops/404.html", "405=/oops/405.html", "412=oops/412.html", "421=oops/missing.html")
    served = serve(tmp_path, error_page=pages)
    assert served.ask("/missing").body == b"not here"
    refused = served.ask("/oops/404.html", {"Content-Length": "0"}, "POST")
    assert (refused.status, refused.body, refused.fields["allow"]) == (405, b"not so", "GET, HEAD, OPTIONS")
    failed = served.ask("/oops/404.html", {"If-Match": '"x"'})
    assert (failed.status, failed.body) == (412, b"not that one")
    assert served.ask("/", {"Host": "evil.example"}).status == 421


def test_an_error_page_that_is_missing_or_a_folder_gives_ours(tmp_path: Path, serve: Server) -> None:
    (tmp_path / "folder").mkdir()
    for page in ("404=nowhere.html", "404=folder"):
        reply = serve(tmp_path, error_page=(page,)).ask("/missing", BROWSER)
        assert reply.status == 404
        assert b"<h1>" in reply.body


def test_our_404_page_suggests_and_speaks_chinese(tmp_path: Path, serve: Server) -> None:
    put(tmp_path / "docs" / "guide.html", b"")
    put(tmp_path / "docs" / ".guide.htm", b"")
    served = serve(tmp_path)
    reply = served.ask("/docs/giude.html", BROWSER)
    assert b'href="/docs/guide.html"' in reply.body
    assert b".guide.htm" not in reply.body
    assert "sha256-" in reply.fields["content-security-policy"]
    assert "没" in served.ask("/docs/x", {**BROWSER, "Accept-Language": "zh-CN"}).body.decode()
    quiet = serve(tmp_path, production=True, names=None).ask("/docs/giude.html", BROWSER)
    assert (quiet.status, b"guide.html" in quiet.body) == (404, False)


@pytest.mark.parametrize("accept", ["application/json", "text/plain"])
def test_programs_get_a_404_they_can_read(tree: Served, accept: str) -> None:
    reply = tree.ask("/missing", {"Accept": accept})
    assert (reply.status, reply.fields["content-type"].partition(";")[0]) == (404, accept)
    assert reply.fields["x-content-type-options"] == "nosniff"


BASES = [("/docs", 307, "docs/"), ("/docs?q", 307, "docs/?q"), ("/docs/", 200, None), ("/docs/a.txt", 200, None)]
BASES += [("/", 404, None), ("/a.txt", 404, None), ("/docsx", 404, None), ("/docs/../a.txt", 404, None)]
BASES += [("/docs/sub", 307, "sub/"), ("/docs/missing", 404, None)]


@pytest.mark.parametrize(("target", "status", "location"), BASES)
@pytest.mark.parametrize("base", ["/docs", "docs/", "/docs/"])
def test_base(tmp_path: Path, serve: Server, base: str, target: str, status: int, location: str | None) -> None:
    put(tmp_path / "a.txt", b"a")
    (tmp_path / "sub").mkdir()
    reply = serve(tmp_path, base=base).ask(target, BROWSER)
    assert (reply.status, reply.fields.get("location")) == (status, location)
    if target == "/docs/missing":
        assert b'href="/docs/"' in reply.body


def test_a_hint_below_a_base_leads_there(tmp_path: Path, serve: Server) -> None:
    put(tmp_path / "sub" / "guide.html", b"")
    reply = serve(tmp_path, base="/docs").ask("/docs/sub/guide.htm", BROWSER)
    assert b'href="/docs/sub/guide.html"' in reply.body


def test_headers_are_added_to_every_answer_and_replace_ours(tmp_path: Path, serve: Server) -> None:
    put(tmp_path / "a.txt", b"a")
    added = ("X-Who: us", "cache-control: max-age=5", "X-Content-Type-Options: sniff")
    served = serve(tmp_path, header=added)
    asked: list[tuple[str, dict[str, str], str]] = [("/a.txt", {}, "GET"), ("/", BROWSER, "GET")]
    asked += [("/x", {}, "GET"), ("/a.txt", {"If-None-Match": "*"}, "GET"), ("/a.txt", {"If-Match": '"x"'}, "GET")]
    asked += [("/a.txt", {"Range": "bytes=0-0"}, "GET"), ("/a.txt", {"Range": "bytes=9-"}, "GET")]
    asked += [("/a.txt", {}, "OPTIONS"), ("/a.txt", {}, "DELETE"), ("/a.txt", {}, "FOO"), ("/x", BROWSER, "GET")]
    for target, fields, method in asked:
        reply = served.ask(target, fields, method)
        assert reply.fields["x-who"] == "us"
        assert reply.fields["cache-control"] == "max-age=5"
        assert reply.fields["x-content-type-options"] == "sniff"


def test_cors(tmp_path: Path, serve: Server) -> None:
    put(tmp_path / "a.txt", b"a")
    served = serve(tmp_path, cors=True)
    origin = {"Origin": "https://elsewhere.example"}
    for target, fields in (("/a.txt", {}), ("/a.txt", {"If-None-Match": "*"}), ("/missing", {}), ("/", {})):
        assert served.ask(target, {**origin, **fields}).fields["access-control-allow-origin"] == "*"
    assert "access-control-allow-methods" not in served.ask("/a.txt", origin).fields
    asked = {**origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range"}
    preflight = served.ask("/a.txt", asked, "OPTIONS")
    assert preflight.status == 204
    assert preflight.fields["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
    assert preflight.fields["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in preflight.fields
    assert "access-control-allow-origin" not in serve(tmp_path).ask("/a.txt", origin).fields


def test_isolate(tmp_path: Path, serve: Server) -> None:
    put(tmp_path / "a.txt", b"a")
    fields = serve(tmp_path, isolate=True).ask("/a.txt").fields
    assert fields["cross-origin-opener-policy"] == "same-origin"
    assert fields["cross-origin-embedder-policy"] == "require-corp"


def test_only_hashed_names_are_immutable(tmp_path: Path, serve: Server) -> None:
    for name in ("app.3f9ac1d2.js", "jquery-3.7.1.min.js"):
        put(tmp_path / name, b"1")
    served = serve(tmp_path)
    assert served.ask("/app.3f9ac1d2.js").fields["cache-control"] == "public, max-age=31536000, immutable"
    assert served.ask("/jquery-3.7.1.min.js").fields["cache-control"] == "no-cache"


def test_a_base_that_is_no_path() -> None:
    with pytest.raises(UsageError, match="--base"):
        Site({}, Files(base="/../x"), names=None)


# --- several roots, and one file ----------------------------------------------------------------


def test_several_roots(tmp_path: Path, serve: Server) -> None:
    put(tmp_path / "one" / "a.txt", b"a")
    put(tmp_path / "two" / "b.txt", b"b")
    put(tmp_path / "notes.md", b"# Notes")
    roots = {"left": Root(tmp_path / "one"), "right": Root(tmp_path / "two")}
    served = serve({**roots, "talk": Root.for_file(tmp_path / "notes.md")})
    listing = json.loads(served.ask("/", {"Accept": "application/json"}).body)
    assert [(entry["name"], entry["href"]) for entry in listing["entries"]] == [
        ("left", "./left/"),
        ("right", "./right/"),
        ("talk", "./talk"),
    ]
    expected = {"/left/a.txt": b"a", "/right/b.txt": b"b", "/talk": b"# Notes"}
    assert {target: served.ask(target).body for target in expected} == expected
    assert served.ask("/left").fields["location"] == "left/"
    for target in ("/a.txt", "/left/b.txt", "/talk/", "/talk/notes.md", "/notes.md", "/left/../one/a.txt", "/x/"):
        assert served.ask(target, BROWSER).status == 404
    assert serve({"a": Root(tmp_path / "one")}, listing=False).ask("/").status == 404


def test_one_file(tmp_path: Path, serve: Server, peer: Callable[[Served], Peer]) -> None:
    put(tmp_path / "notes & more.txt", TEXT)
    put(tmp_path / "notes & more.txt.gz", SECRET)
    put(tmp_path / "beside.txt", SECRET)
    one = peer(serve({"": Root.for_file(tmp_path / "notes & more.txt")}))
    location = one.ask("/?x").fields["location"]
    assert location == "notes%20%26%20more.txt?x"
    before = descriptors()
    for _ in range(5):
        assert one.ask("/notes%20%26%20more.txt", {"Accept-Encoding": "gzip"}).body == TEXT
        for target in ("/beside.txt", "/notes%20%26%20more.txt/", "/notes%20%26%20more.txt.gz"):
            assert one.ask(target, BROWSER).status == 404
    assert descriptors() <= before


# --- listings -------------------------------------------------------------------------------------

EVIL = [b'"><svg onload=alert(1)>', b"<script>alert(2)</script>", b"javascript:alert(3)", b"</script><b>", b"&lt;i&gt;"]


def test_a_listing_with_evil_names_is_inert_and_its_policy_matches(tmp_path: Path, serve: Server) -> None:
    for name in EVIL:
        safe = name.replace(b"/", b"_")
        with open(os.path.join(os.fsencode(tmp_path), safe), "wb"):
            pass
    served = serve(tmp_path)
    first, second = served.ask("/", BROWSER), served.ask("/", BROWSER)
    nonces = []
    for reply in (first, second):
        policy = reply.fields["content-security-policy"]
        nonce = policy.partition("'nonce-")[2].partition("'")[0]
        nonces.append(nonce)
        page = reply.body.decode()
        assert "default-src 'none'" in policy
        assert page.count(f'nonce="{nonce}"') == page.count("<script") + page.count("<style") == 2
        rows = page.partition("<tbody>")[2].partition("</table>")[0]
        assert not [bad for bad in ("<svg", "<script", "<b>", "<i>", 'href="javascript') if bad in rows]
        assert reply.fields["cache-control"] == "no-cache"
    assert nonces[0] != nonces[1]


FORMS: list[tuple[dict[str, str], str]] = [
    (BROWSER, "text/html"),
    ({}, "text/html"),
    ({"Accept": "*/*"}, "text/html"),
    ({"Accept": "*/*", "User-Agent": "curl/8.5.0"}, "text/plain"),
    ({"User-Agent": "curl/8.5.0"}, "text/plain"),
    ({"Accept": "text/html", "User-Agent": "curl/8.5.0"}, "text/html"),
    ({"Accept": "application/json", "User-Agent": "curl/8.5.0"}, "application/json"),
    ({"Accept": "application/json"}, "application/json"),
    ({"Accept": "text/plain"}, "text/plain"),
    ({"Accept": "image/png"}, "text/html"),
]


@pytest.mark.parametrize(("fields", "kind"), FORMS)
def test_the_form_of_a_listing(tree: Served, fields: dict[str, str], kind: str) -> None:
    for method in ("GET", "HEAD"):
        reply = tree.ask("/", fields, method)
        assert (reply.status, reply.fields["content-type"].partition(";")[0]) == (200, kind)
        assert reply.fields["vary"] == "Accept, Accept-Language, User-Agent"


def test_odd_entries_are_grey(tree: Served) -> None:
    listing = json.loads(tree.ask("/", {"Accept": "application/json"}).body)
    served = {entry["name"]: entry["served"] for entry in listing["entries"]}
    assert not any(name.startswith(".") and name != ".well-known" for name in served)
    grey = {name for name, is_served in served.items() if not is_served}
    assert grey == {
        *("link_out", "linkdir_out", "absolute_out", "loop", "two", "three", "dangling", "lpre.css.gz"),
        *("pipe", "socket", "up", "link_hidden"),
    }


def test_without_listing_a_folder_is_a_404(tmp_path: Path, serve: Server) -> None:
    put(tmp_path / "dir" / "a.txt", b"a")
    served = serve(tmp_path, listing=False)
    assert [served.ask(target).status for target in ("/", "/dir/", "/dir/a.txt")] == [404, 404, 200]


def test_head_of_a_long_listing(tmp_path: Path, serve: Server) -> None:
    for number in range(3000):
        (tmp_path / f"{number:060}.txt").touch()
    served = serve(tmp_path)
    assert served.ask("/", BROWSER, "HEAD").status == 200
    reply = served.ask("/", BROWSER)
    assert (reply.is_whole, reply.fields["transfer-encoding"]) == (True, "chunked")
    assert len(Links(reply.body).found) == 3000


# --- when descriptors run out ---------------------------------------------------------------------


def test_503_while_no_descriptor_is_left(tmp_path: Path, serve: Server, peer: Callable[[Served], Peer]) -> None:
    put(tmp_path / "a.txt", b"a")
    put(tmp_path / "b.txt", b"b")
    (tmp_path / "link").symlink_to("b.txt")
    (tmp_path / "folder").mkdir()
    served = serve(tmp_path)
    one = peer(served)
    assert one.ask("/a.txt", BROWSER).body == b"a"
    assert one.ask("/folder/", BROWSER).status == 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    kept = [os.dup(0) for _ in range(3)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(kept) + 1, hard))
    try:
        while True:
            kept.append(os.dup(0))
    except OSError:
        replies = [one.ask(target, BROWSER) for target in ("/b.txt", "/link", "/folder/", "/a.txt", "/missing")]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in kept:
            os.close(fd)
    assert [reply.status for reply in replies] == [503, 503, 503, 200, 503]
    assert one.ask("/b.txt").body == b"b"
    assert one.ask("/link").body == b"b"


STARVED = """
import os, resource, sys, threading
from portico.apps.files.web import HttpWebServer
server = HttpWebServer(0, sys.argv[1])
print(server.port, flush=True)

def starve():
    sys.stdin.readline()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 1, hard))
    kept = []
    try:
        while True:
            kept.append(os.dup(0))
    except OSError:
        print("starved", flush=True)

threading.Thread(target=starve, daemon=True).start()
server.start()
"""


@pytest.mark.parametrize("accept", ["text/html", "application/json", "text/plain"])
def test_the_first_refusal_needs_no_descriptor(tmp_path: Path, accept: str) -> None:
    put(tmp_path / "a.txt", b"a")
    put(tmp_path / "b.txt", b"b")
    command = [sys.executable, "-c", STARVED, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        peer = Peer(int(process.stdout.readline()))
        try:
            assert peer.ask("/a.txt").status == 200
            process.stdin.write("now\n")
            process.stdin.flush()
            assert process.stdout.readline() == "starved\n"
            reply = peer.ask("/b.txt", {"Accept": accept})
            assert (reply.status, reply.fields["content-type"].partition(";")[0]) == (503, accept)
        finally:
            peer.close()
            process.kill()


# --- what only a race can bring about -------------------------------------------------------------


class Drained(Root):
    """A root that has no descriptor left after so many openings."""

    left = 1 << 30

    def open(self, segments: tuple[bytes, ...], *, wait: bool = True) -> Any:
        self.left -= 1
        if self.left < 0:
            from portico.apps.files.opened import NoDescriptors

            raise NoDescriptors("none left")
        return super().open(segments, wait=wait)


class Unreadable(Root):
    """A root on a disk that fails."""

    def open(self, segments: tuple[bytes, ...], *, wait: bool = True) -> Any:
        found = super().open(segments, wait=wait)
        if isinstance(found, OpenedFile):
            found.close()
            fd = os.open(os.path.join(self.path, *segments), os.O_WRONLY)
            return OpenedFile(fd, Version.of(os.fstat(fd)))
        return found


def test_a_disk_that_fails_is_a_404(tmp_path: Path, serve: Server) -> None:
    put(tmp_path / "a.txt", b"a")
    before = descriptors()
    served = serve({"": Unreadable(tmp_path)})
    opened = descriptors()
    assert served.ask("/a.txt").status == 404
    assert descriptors() - opened <= 1
    assert before < opened


def test_descriptors_that_run_out_between_two_looks(tmp_path: Path, serve: Server) -> None:
    put(tmp_path / "b.txt", b"b")
    root = Drained(tmp_path)
    served = serve({"": root})
    for left, target in ((0, "/"), (1, "/"), (0, "/b.txt"), (1, "/b.txt"), (2, "/b.txt"), (3, "/b.txt")):
        root.left = left
        assert served.ask(target).status in (503, 404)
    root.left = 100
    assert served.ask("/b.txt").body == b"b"


def test_a_closed_site_has_let_go_of_everything(tmp_path: Path) -> None:
    put(tmp_path / "large.bin", bytes(200_000))
    before = descriptors()
    served = Served({"": Root(tmp_path)})
    assert len(served.ask("/large.bin").body) == 200_000
    served.close()
    assert descriptors() <= before
