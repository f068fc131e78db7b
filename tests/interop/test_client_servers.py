"""The HTTP client against the standard library's server, Portico's own, a parser of uploads, and beside curl."""

import contextlib
import functools
import http.server
import json
import os
import shutil
import subprocess
import threading
import wsgiref.simple_server
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.client.stage import okay, serving

from portico.client.blocking import Client
from portico.client.form import Form, Part, file_part, read_form
from portico.client.proxies import Proxies
from portico.errors import Gone, Refused
from portico.http.jar import Jar

NO_PROXY = Proxies()

pytest.importorskip("werkzeug")

from werkzeug import Request, Response  # noqa: E402


@contextlib.contextmanager
def running(server: http.server.HTTPServer) -> Iterator[str]:
    """Run a server of the standard library as long as the block; give its URL without a slash at the end."""
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(proxies=NO_PROXY) as asking:
        yield asking


class QuietFiles(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


class KeepingFiles(QuietFiles):
    protocol_version = "HTTP/1.1"


@pytest.mark.parametrize("handler", [QuietFiles, KeepingFiles])
def test_the_standard_library(client: Client, root: Path, handler: type[QuietFiles]) -> None:
    files = functools.partial(handler, directory=str(root))
    with running(http.server.ThreadingHTTPServer(("127.0.0.1", 0), files)) as url:
        for _ in range(2):
            assert client.get(f"{url}/large.bin").content == (root / "large.bin").read_bytes()
        assert client.head(f"{url}/page.html").values["content-length"] == "26000"
        assert client.get(f"{url}/missing").status == 404
        assert client.get(f"{url}/tree/sub/deeper/ünï çødé.txt").text == "this is sub/deeper/ünï çødé.txt\n"
        assert client.get(f"{url}/tree").url == f"{url}/tree/"
        assert client.request("PUT", f"{url}/x", body=b"x" * 100).status == 501
        client.close()


def test_portico(client: Client, url: str, root: Path) -> None:
    page = client.get(f"{url}/page.html")
    assert page.values["content-encoding"] in ("zstd", "br", "gzip")
    assert page.content == (root / "page.html").read_bytes()
    assert client.get(f"{url}/page.html", fields={"If-None-Match": page.values["etag"]}).status == 304
    assert client.get(f"{url}/large.bin").content == (root / "large.bin").read_bytes()
    part = client.get(f"{url}/large.bin", fields={"Range": "bytes=100-199"})
    assert (part.status, part.content) == (206, (root / "large.bin").read_bytes()[100:200])
    assert client.get(f"{url}/tree?sort=size").url == f"{url}/tree/?sort=size"
    assert client.get(f"{url}/missing").status == 404
    assert client.put(f"{url}/page.html", body=b"x" * 2_000_000).status == 405


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_portico_in_each_coding(client: Client, url: str, root: Path, coding: str) -> None:
    page = client.get(f"{url}/page.html", fields={"Accept-Encoding": coding})
    assert page.values["content-encoding"] == coding
    assert page.content == (root / "page.html").read_bytes()


NAMES = ["a.txt", "sub/b & c.txt", "sub/percent%41.txt", "sub/q?x#y;z.txt", "per cent/+.txt"]


@pytest.mark.parametrize("name", NAMES)
def test_portico_with_odd_names(client: Client, url: str, name: str) -> None:
    typed = name.replace("%", "%25").replace("?", "%3F").replace("#", "%23")
    assert client.get(f"{url}/tree/{typed}").text == f"this is {name}\n"


# --- uploads, taken apart by a parser that others rely on -----------------------------------------


@Request.application
def told(request: Request) -> Response:
    """Say what arrived."""
    answer = {
        "form": [[name, value] for name, value in request.form.items(multi=True)],
        "files": [
            [name, file.filename, file.content_type, file.stream.read().hex()]
            for name, file in request.files.items(multi=True)
        ],
        "cookies": dict(request.cookies),
        "query": [[name, value] for name, value in request.args.items(multi=True)],
    }
    response = Response(json.dumps(answer), content_type="application/json")
    response.set_cookie("count", str(int(request.cookies.get("count", "0")) + 1), max_age=60, httponly=True)
    return response


class QuietCalls(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def werkzeug() -> Iterator[str]:
    server = wsgiref.simple_server.make_server("127.0.0.1", 0, told, handler_class=QuietCalls)
    with running(server) as url:
        yield url


def post(client: Client, url: str, form: Form) -> dict[str, Any]:
    answer: dict[str, Any] = client.post(url, body=form).json()
    return answer


def test_a_form(client: Client, werkzeug: str) -> None:
    answer = client.post(f"{werkzeug}/", data=[("a", "1 2"), ("a", ""), ("你", "&=+%")]).json()
    assert answer["form"] == [["a", "1 2"], ["a", ""], ["你", "&=+%"]]


def test_params(client: Client, werkzeug: str) -> None:
    answer = client.get(f"{werkzeug}/?x=1", params=[("a", "1 2"), ("你", "&=+%#")]).json()
    assert answer["query"] == [["x", "1"], ["a", "1 2"], ["你", "&=+%#"]]


def test_a_form_with_files(client: Client, werkzeug: str, tmp_path: Path) -> None:
    path = tmp_path / "你好 photo;1.png"
    path.write_bytes(os.urandom(700_000))
    words = [
        "text=1\r\n2",
        f'pic=@"{path}"',
        f"raw=@{path};type=application/x-thing;filename=plain",
        "more=x;type=text/csv",
    ]
    answer = post(client, f"{werkzeug}/", read_form(words))
    data = path.read_bytes().hex()
    assert answer["form"] == [["text", "1\r\n2"], ["more", "x"]]
    assert answer["files"] == [
        ["pic", "你好 photo;1.png", "image/png", data],
        ["raw", "plain", "application/x-thing", data],
    ]


ODD: list[Callable[[str], str]] = [lambda name: name, lambda name: f"{name}; x=y", lambda name: f"../{name}"]


@pytest.mark.parametrize("odd", ODD)
def test_odd_names_arrive(client: Client, werkzeug: str, odd: Callable[[str], str]) -> None:
    name = odd("名字 é")
    answer = post(client, f"{werkzeug}/", Form([Part(name, b"1"), Part("f", b"2", filename=name, media_type="text/x")]))
    assert answer["form"] == [[name, "1"]]
    assert answer["files"][0][3] == "32"


def test_a_file_that_shrinks_ends_the_request(client: Client, werkzeug: str, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * 100_000)
    form = Form([file_part("f", path)])
    path.write_bytes(b"x")
    with pytest.raises(Refused, match="changed while it was sent"):
        client.post(f"{werkzeug}/", body=form)


def test_a_session_by_cookie_survives_a_file(werkzeug: str) -> None:
    jar = Jar()
    for count in range(3):
        with Client(proxies=NO_PROXY, jar=jar) as client:
            answer = client.get(f"{werkzeug}/").json()
        assert answer["cookies"] == ({"count": str(count)} if count else {})
        jar = Jar.loads(jar.dumps())


class Dripping(http.server.BaseHTTPRequestHandler):
    """Promises more than it sends."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x" * 400)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_a_cut_says_how_much_came(client: Client) -> None:
    with running(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Dripping)) as url:
        with pytest.raises(Gone, match=r"400.*1000"):
            client.get(url)


# --- as curl does it ------------------------------------------------------------------------------

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl: apt-get install curl")


def curl(*arguments: str | Path) -> bytes:
    command = ["curl", "-sS", "--max-time", "30", "--noproxy", "*", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=True).stdout


@needs_curl
def test_a_jar_goes_to_curl_and_back(werkzeug: str, tmp_path: Path) -> None:
    path = tmp_path / "cookies.txt"
    assert json.loads(curl("-c", path, f"{werkzeug}/"))["cookies"] == {}
    jar = Jar.loads(path.read_text(encoding="latin-1"))
    assert jar.skipped == 0
    with Client(proxies=NO_PROXY, jar=jar) as client:
        assert client.get(f"{werkzeug}/").json()["cookies"] == {"count": "1"}
    path.write_text(jar.dumps(), encoding="latin-1")
    assert json.loads(curl("-b", path, f"{werkzeug}/"))["cookies"] == {"count": "2"}


WORDS = [
    "a=1",
    "a=b=c",
    "empty=",
    "名字=值",
    'say "hi"=x',
    "csv=1,2;type=text/csv",
    "f=@{file}",
    "f=@{file};type=image/gif",
    "f=@{file};filename=other name.txt",
    'f=@{file};filename="quoted;name";type=text/x-y',
    "t=<{file}",
]


@needs_curl
@pytest.mark.parametrize("word", WORDS)
def test_a_word_means_to_us_what_it_means_to_curl(client: Client, werkzeug: str, word: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(os.urandom(1000) if "@" in word else "text 文字".encode())
    typed = word.format(file=path)
    assert post(client, f"{werkzeug}/", read_form([typed])) == json.loads(curl("-F", typed, f"{werkzeug}/"))


TYPED = ["/a/../b", "/a/./b/", "?x=1", "/x?a=b c", "/é?ü", "/%41%2f", "/a;b,c:d@e", "#fragment", "/x#f?y"]


@needs_curl
@pytest.mark.parametrize("typed", TYPED)
def test_a_url_leads_to_where_curl_goes(client: Client, typed: str) -> None:
    with serving([okay(), okay()], [okay(), okay()]) as server:
        curl(server.url + typed.replace(" ", "%20"))
        client.get(server.url + typed)
        lines = [head[0] for head in server.heads()]
    theirs = "".join(f"%{byte:02x}" if byte > 126 else chr(byte) for byte in lines[0].encode("latin-1"))
    # It mixes digits of both cases; they mean the same (RFC 3986 2.1).
    assert lines[1].lower() == theirs.lower()
