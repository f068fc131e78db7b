"""Python's own clients, requests and httpx."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

httpx = pytest.importorskip("httpx", reason="needs httpx: pip install httpx")
requests = pytest.importorskip("requests", reason="needs requests: pip install requests")

Fetch = Callable[[str], bytes]


def fetch_with_http_client(url: str) -> bytes:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().read()
    finally:
        connection.close()


def fetch_with_urllib(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as response:
        return bytes(response.read())


def fetch_with_requests(url: str) -> bytes:
    return bytes(requests.get(url, timeout=30).content)


def fetch_with_httpx(url: str) -> bytes:
    return bytes(httpx.get(url, timeout=30).content)


CLIENTS = [fetch_with_http_client, fetch_with_urllib, fetch_with_requests, fetch_with_httpx]


@pytest.mark.parametrize("fetch", CLIENTS)
def test_whole_files(url: str, root: Path, fetch: Fetch) -> None:
    for name in ("large.bin", "page.html", "tree/a.txt"):
        assert fetch(f"{url}/{name}") == (root / name).read_bytes()


@pytest.mark.parametrize("fetch", CLIENTS)
def test_odd_names(url: str, root: Path, fetch: Fetch) -> None:
    for path in (root / "tree").rglob("*.txt"):
        assert fetch(f"{url}/{quote(str(path.relative_to(root)))}") == path.read_bytes()


def test_http_client_keeps_its_connection(url: str, root: Path) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.connect()
    sock = connection.sock
    for number in range(20):
        connection.request("GET" if number % 2 else "HEAD", "/page.html")
        body = connection.getresponse().read()
        assert body == ((root / "page.html").read_bytes() if number % 2 else b"")
        assert connection.sock is sock
    connection.close()


def test_urllib_is_told_of_errors(url: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(f"{url}/missing", timeout=30)
    assert raised.value.code == 404
    raised.value.close()
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(f"{url}/page.html", data=bytes(3_000_000), timeout=30)
    assert raised.value.code == 405
    raised.value.close()


def test_requests_and_codings_redirects_and_conditions(url: str, root: Path) -> None:
    with requests.Session() as session:
        page = session.get(f"{url}/page.html", timeout=30)
        assert page.headers["Content-Encoding"] in ("gzip", "br", "zstd")
        assert page.content == (root / "page.html").read_bytes()
        again = session.get(f"{url}/page.html", headers={"If-None-Match": page.headers["ETag"]}, timeout=30)
        assert (again.status_code, again.content) == (304, b"")
        folder = session.get(f"{url}/tree", params={"sort": "size"}, headers={"Accept": "application/json"}, timeout=30)
        assert folder.url == f"{url}/tree/?sort=size"
        assert {entry["name"] for entry in folder.json()["entries"]} == {"a.txt", "sub", "per cent"}


def test_requests_in_parts(url: str, root: Path) -> None:
    data = (root / "large.bin").read_bytes()
    with requests.Session() as session:
        step = 1_000_003
        ranges = [(start, min(start + step, len(data)) - 1) for start in range(0, len(data), step)]
        parts = [session.get(f"{url}/large.bin", headers={"Range": f"bytes={a}-{b}"}, timeout=30) for a, b in ranges]
        assert {part.status_code for part in parts} == {206}
        assert b"".join(part.content for part in parts) == data


def test_httpx_streams_and_refuses_nothing_we_send(url: str, root: Path) -> None:
    with httpx.Client(timeout=30) as client:
        with client.stream("GET", f"{url}/large.bin") as response:
            assert b"".join(response.iter_bytes()) == (root / "large.bin").read_bytes()
        page = client.get(f"{url}/page.html", headers={"Accept-Encoding": "gzip"})
        assert (page.headers["content-encoding"], page.content) == ("gzip", (root / "page.html").read_bytes())
        assert client.request("OPTIONS", f"{url}/page.html").status_code == 204
        assert client.post(f"{url}/page.html", content=bytes(2_000_000)).status_code == 405


def test_several_shares_and_settings_from_the_command_line(start: Callable[..., str], root: Path) -> None:
    url = start(f"left={root / 'tree'}", f"page={root / 'page.html'}", "--base", "/x", "--header", "X-A: 1", "--quiet")
    assert requests.get(f"{url}/x/left/a.txt", timeout=30).content == b"this is a.txt\n"
    page = requests.get(f"{url}/x/page", timeout=30)
    assert (page.content, page.headers["X-A"]) == ((root / "page.html").read_bytes(), "1")
    assert requests.get(f"{url}/left/a.txt", timeout=30).status_code == 404
