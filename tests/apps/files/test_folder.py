"""A folder's listing as an answer."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from portico.apps.files.folder import answer_folder, kind_of, language_of
from portico.apps.files.mounts import Listed
from portico.apps.files.opened import NotServed
from portico.apps.files.policy import read_policy
from portico.apps.files.root import Entry, Root
from portico.http.message import Request, Response
from portico.settings import Files


def request(query: str | None = None, **values: str) -> Request:
    made = Request()
    made.query = query
    made.values = {name.replace("_", "-"): value for name, value in values.items()}
    return made


def answer(listed: Listed, asked: Request, **files: str) -> tuple[Response, bytes]:
    """Return the answer and its whole body."""

    async def run() -> tuple[Response, bytes]:
        response = await answer_folder(listed, asked, read_policy(Files(**files)))  # type: ignore[arg-type]
        body = response.body
        assert isinstance(body, bytes | AsyncIterator)
        return response, body if isinstance(body, bytes) else b"".join([piece async for piece in body])

    return asyncio.run(run())


def listing_of(path: Path, segments: tuple[bytes, ...] = ()) -> Listed:
    return Listed(Root(path), segments, segments, [])


LANGUAGES = [({}, "en"), ({"accept_language": "zh-CN,zh;q=0.9,en;q=0.8"}, "zh"), ({"accept_language": "fr"}, "en")]


@pytest.mark.parametrize(("values", "language"), LANGUAGES)
def test_language(values: dict[str, str], language: str) -> None:
    assert language_of(request(**values)) == language


KINDS = [
    ({}, "text/html"),
    ({"accept": "*/*"}, "text/html"),
    ({"accept": "*/*", "user_agent": "Wget/1.21"}, "text/html"),
    ({"accept": "*/*", "user_agent": "curl/8.5.0"}, "text/plain"),
    ({"accept": "*/*", "user_agent": "portico/0.1.0"}, "text/plain"),
    ({"user_agent": "HTTPie/3.2"}, "text/plain"),
    ({"accept": "text/html", "user_agent": "curl/8.5.0"}, "text/html"),
    ({"accept": "application/json;q=0.9, text/html;q=0.1"}, "application/json"),
    ({"accept": "text/plain"}, "text/plain"),
    ({"accept": "text/html;q=0, */*"}, "application/json"),
    ({"accept": "image/png"}, "text/html"),
]


@pytest.mark.parametrize(("values", "kind"), KINDS)
def test_kind(values: dict[str, str], kind: str) -> None:
    assert kind_of(request(**values)) == kind


def test_each_form_of_a_small_folder_comes_whole(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a & b.txt").write_bytes(b"abc")
    for kind, mark in (
        ("text/html", b"a &amp; b.txt"),
        ("application/json", b"a%20%26%20b.txt"),
        ("text/plain", b"a & b"),
    ):
        response, body = answer(listing_of(tmp_path, (b"sub",)), request(accept=kind))
        fields = dict(response.fields)
        assert (response.status, response.body) == (200, body)
        assert mark in body
        assert fields["Content-Type"].partition(";")[0] == kind
        assert fields["Vary"] == "Accept, Accept-Language, User-Agent"
        assert fields["Cache-Control"] == "no-cache"
        assert ("Content-Security-Policy" in fields) == (kind == "text/html")


def test_sorting_and_the_base_reach_the_page(tmp_path: Path) -> None:
    for name, size in (("a", 1), ("b", 3), ("c", 2)):
        (tmp_path / name).write_bytes(bytes(size))
    _, body = answer(listing_of(tmp_path), request("sort=-size", accept="application/json"), base="/pre/fix")
    listing = json.loads(body)
    assert [entry["name"] for entry in listing["entries"]] == ["b", "c", "a"]
    assert listing["path"] == "/pre/fix/"


BASES = [
    ("/", "/", "/"),
    ("/my docs", "/my%20docs/", "/my docs/"),
    ("/my%20docs/100%25/", "/my%20docs/100%25/", "/my docs/100%/"),
    ("/a%22b", "/a%22b/", '/a"b/'),
    ("/%E6%96%87%E6%A1%A3", "/%E6%96%87%E6%A1%A3/", "/文档/"),
    ("/%FF", "/%FF/", "/\\xff/"),
]


@pytest.mark.parametrize(("base", "path", "told"), BASES)
def test_the_base_is_encoded_for_programs_and_readable_for_people(
    tmp_path: Path, base: str, path: str, told: str
) -> None:
    (tmp_path / "a b").mkdir()
    listed = listing_of(tmp_path, (b"a b",))
    _, body = answer(listed, request(accept="application/json"), base=base)
    assert json.loads(body)["path"] == f"{path}a%20b/"
    _, body = answer(listed, request(accept="text/plain"), base=base)
    assert body.decode().startswith(f"{told}a b/\n")


@pytest.mark.parametrize("base", [base for base, _, _ in BASES])
def test_the_crumbs_of_a_page_are_the_same_below_any_base(tmp_path: Path, base: str) -> None:
    (tmp_path / "a b").mkdir()
    _, body = answer(listing_of(tmp_path, (b"a b",)), request(accept="text/html"), base=base)
    crumbs = body.partition(b"<ol>")[2].partition(b"</ol>")[0]
    assert crumbs == (
        b'<li><a class=home rel=up href="../"><bdi>Home</bdi></a><li aria-current=page><h1><bdi>a b</bdi></h1>'
    )


READMES = [
    (("README.md",), "README.md"),
    (("readme.txt", "README.md"), "README.md"),
    (("README",), "README"),
    (("notes.md",), None),
]


@pytest.mark.parametrize(("names", "shown"), READMES)
def test_readme(tmp_path: Path, names: tuple[str, ...], shown: str | None) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"Words of " + name.encode())
    _, body = answer(listing_of(tmp_path), request(accept="text/html"))
    assert (b"Words of " in body) == (shown is not None)
    if shown is not None:
        assert b"Words of " + shown.encode() in body
    _, body = answer(listing_of(tmp_path), request(accept="text/plain"))
    assert b"Words of" not in body


def test_a_readme_that_is_a_folder_a_secret_or_too_long_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"Words")
    folder = tmp_path / "folder"
    (folder / "README").mkdir(parents=True)
    (folder / "README.md").symlink_to("../secret")
    (folder / "README.txt").write_bytes(b"Words" * 60_000)
    _, body = answer(listing_of(folder), request(accept="text/html"))
    assert b"Words" not in body
    assert b"README.txt" in body


def test_the_top_of_several_roots(tmp_path: Path) -> None:
    entries = [Entry(b"left", "folder", None, None, False, True)]
    _, body = answer(Listed(None, (), (), entries), request(accept="text/html"))
    assert b'href="./left/"' in body


def test_what_is_no_folder_is_not_served(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"a")
    for segments in ((b"a.txt",), (b"none",)):
        with pytest.raises(NotServed):
            answer(listing_of(tmp_path, segments), request())


def test_a_large_folder_streams(tmp_path: Path) -> None:
    for number in range(2000):
        (tmp_path / f"{number}.txt").touch()
    response, body = answer(listing_of(tmp_path), request(accept="application/json"))
    assert not isinstance(response.body, bytes | tuple)
    entries = json.loads(body)["entries"]
    assert [entry["name"] for entry in entries] == [f"{number}.txt" for number in range(2000)]


# --- a hundred thousand entries -------------------------------------------------------------------

ENTRIES = 100_000
# What a busy machine may take for what takes a few milliseconds on an idle one.
NOISE_S = 0.25
SERVER = """
import sys
from portico.apps.files.web import HttpWebServer
server = HttpWebServer(0, sys.argv[1])
print(server.port, flush=True)
server.start()
"""


@pytest.fixture(scope="module")
def huge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Serve a folder of 100 000 files from a process of its own; return the port."""
    folder = tmp_path_factory.mktemp("huge")
    (folder / "many").mkdir()
    (folder / "small.txt").write_bytes(b"small")
    first = os.path.join(folder, "many", "0.txt")
    with open(first, "wb"):
        pass
    for number in range(1, ENTRIES):
        if number % 30_000 == 0:  # file systems limit the names of one file
            first = os.path.join(folder, "many", f"{number}.txt")
            with open(first, "wb"):
                continue
        os.link(first, os.path.join(folder, "many", f"{number}.txt"))
    with subprocess.Popen([sys.executable, "-c", SERVER, folder], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.terminate()


def test_the_first_bytes_of_a_huge_listing_come_at_once(huge: int) -> None:
    waits_s = []
    for _ in range(4):
        connection = HTTPConnection("127.0.0.1", huge, timeout=60)
        began_s = time.perf_counter()
        connection.request("GET", "/many/", headers={"Accept": "text/html"})
        response = connection.getresponse()
        response.read(1)
        waits_s.append(time.perf_counter() - began_s)
        connection.close()
    assert min(waits_s[1:]) < NOISE_S


def test_nobody_waits_for_a_huge_listing(huge: int) -> None:
    listing = HTTPConnection("127.0.0.1", huge, timeout=60)
    other = HTTPConnection("127.0.0.1", huge, timeout=60)
    listing.request("GET", "/many/", headers={"Accept": "application/json"})
    response = listing.getresponse()
    slowest_s, pieces = 0.0, []
    while piece := response.read1(1 << 20):
        pieces.append(piece)
        if len(pieces) % 10 == 1:
            began_s = time.perf_counter()
            other.request("GET", "/small.txt")
            assert other.getresponse().read() == b"small"
            slowest_s = max(slowest_s, time.perf_counter() - began_s)
    entries = json.loads(b"".join(pieces))["entries"]
    assert (len(entries), entries[-1]["name"]) == (ENTRIES, f"{ENTRIES - 1}.txt")
    assert slowest_s < NOISE_S
    listing.close()
    other.close()
