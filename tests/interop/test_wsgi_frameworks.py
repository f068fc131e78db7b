"""WSGI frameworks, unchanged, under `portico run`: each has the same sample application in `apps/`.

Each runs in threads and on the loop. What one cannot do by itself is left out in `CANNOT`, with the reason.
"""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

APPS = Path(__file__).parent / "apps"
COMMAND = "import sys; from portico.cli.main import main; sys.exit(main())"
FRAMEWORKS = {
    "flask": "flask_app",
    "werkzeug": "werkzeug_app",
    "bottle": "bottle_app",
    "falcon": "falcon_app",
    "django": "django_wsgi_app",
}
LINES = "".join(f"line {number}\n" for number in range(1000))

CANNOT = {
    ("bottle", "chunks"): "Bottle decodes chunks itself, from a stream that has none any more",
    ("django", "many_chunks"): "Django takes a body without Content-Length for none",
    ("bottle", "many_chunks"): "Bottle decodes chunks itself, from a stream that has none any more",
}

Start = Callable[[str, str], str]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Return a function that runs a framework's application, once for each number of threads; it returns the URL."""
    running: list[subprocess.Popen[str]] = []
    urls: dict[tuple[str, str], str] = {}

    def run(framework: str, threads: str) -> str:
        if (framework, threads) in urls:
            return urls[framework, threads]
        words = ("run", f"{FRAMEWORKS[framework]}:app", "--app-dir", APPS, "--interface", "wsgi", "--threads", threads)
        complaints = tmp_path_factory.mktemp(framework) / "errors"
        with complaints.open("w") as errors:
            process = subprocess.Popen(
                [sys.executable, "-c", COMMAND, *map(str, words), "-b", "127.0.0.1:0"],
                stdout=subprocess.PIPE,
                stderr=errors,
                stdin=subprocess.DEVNULL,
                text=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        running.append(process)
        assert process.stdout is not None
        for line in process.stdout:
            found = re.search(r"http://[\w.]+:\d+", line)
            if found is not None:
                urls[framework, threads] = found[0]
                return found[0]
        raise AssertionError(complaints.read_text())

    yield run
    for process in running:
        process.terminate()
        process.communicate()
    assert [process.returncode for process in running] == [0] * len(running)


@pytest.fixture(params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    pytest.importorskip(name)
    wish = request.node.originalname.removeprefix("test_")
    if (name, wish) in CANNOT:
        pytest.skip(CANNOT[name, wish])
    return name


@pytest.fixture(params=["4", "0"], ids=["threads", "loop"])
def threads(request: pytest.FixtureRequest) -> str:
    number: str = request.param
    return number


@pytest.fixture
def client(start: Start, framework: str, threads: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=start(framework, threads)) as client:
        yield client


def test_hello(client: httpx.Client) -> None:
    for _ in range(3):
        response = client.get("/")
        assert (response.status_code, response.text) == (200, "hello")
        assert response.headers["content-type"].startswith("text/plain")
    assert client.head("/").status_code in (200, 405)


def test_echo(client: httpx.Client) -> None:
    data = {"text": "你好", "list": [1, 2.5, None, True], "large": "x" * 100_000}
    assert client.post("/echo", json=data).json() == data


def test_form(client: httpx.Client) -> None:
    data = {"name": "Zoë & Co", "age": "5"}
    assert client.post("/form", data=data).json() == data


def test_upload(client: httpx.Client) -> None:
    data = os.urandom(2_000_000)
    answer = client.post("/upload", files={"file": ("large.bin", data)}).json()
    assert answer == {"name": "large.bin", "sha256": hashlib.sha256(data).hexdigest()}


def send_chunks(client: httpx.Client, count: int) -> None:
    pieces = [os.urandom(1000) for _ in range(count)]
    answer = client.post("/raw", content=iter(pieces))
    assert answer.text == hashlib.sha256(b"".join(pieces)).hexdigest()


def test_chunks(client: httpx.Client) -> None:
    """Few enough of them to be buffered, so that even who needs a length gets them."""
    send_chunks(client, 20)


def test_many_chunks(client: httpx.Client) -> None:
    send_chunks(client, 90)


def test_stream(client: httpx.Client) -> None:
    response = client.get("/stream")
    assert response.text == LINES
    assert response.headers["transfer-encoding"] == "chunked"


def test_late(client: httpx.Client) -> None:
    """A body that fails half-way never looks complete."""
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/late")
    assert client.get("/").text == "hello"


def test_boom(client: httpx.Client) -> None:
    assert client.get("/boom").status_code == 500
    assert client.get("/").text == "hello"


def test_cookies(client: httpx.Client) -> None:
    response = client.get("/cookies")
    assert response.json() == {}
    assert len(response.headers.get_list("set-cookie")) == 2
    assert client.get("/cookies").json() == {"first": "1", "second": "2"}


def test_redirect(client: httpx.Client) -> None:
    assert client.get("/redirect").status_code == 302
    assert client.get("/redirect", follow_redirects=True).text == "hello"


def test_name(client: httpx.Client) -> None:
    assert client.get("/name/ünï çødé", params={"q": "a b&c"}).text == "ünï çødé a b&c"


def test_file(client: httpx.Client, framework: str) -> None:
    response = client.get("/file")
    assert response.content == (APPS / f"{FRAMEWORKS[framework]}.py").read_bytes()
    assert response.headers["content-length"] == str(len(response.content))


def test_missing(client: httpx.Client) -> None:
    assert client.get("/missing").status_code == 404
