"""ASGI frameworks, unchanged, under `portico run`: each has the same sample application in `apps/`.

What one cannot do by itself is left out in `CANNOT`, with the reason.
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
import websockets
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

APPS = Path(__file__).parent / "apps"
COMMAND = "import sys; from portico.cli.main import main; sys.exit(main())"
FRAMEWORKS = ("starlette", "fastapi", "quart", "litestar", "sanic", "django")
LINES = "".join(f"line {number}\n" for number in range(1000))

CANNOT = {
    ("django", "state"): "Django has no lifespan",
    ("django", "talk"): "Django has no WebSockets of its own",
    ("django", "farewell"): "Django has no WebSockets of its own",
    ("django", "refuse"): "Django has no WebSockets of its own",
    ("starlette", "late"): "Starlette's BaseHTTPMiddleware ends a stream that failed as if it were whole",
    ("sanic", "late"): "Sanic ends a stream that failed as if it were whole",
    ("sanic", "farewell"): "Sanic sends no close message over ASGI",
    ("sanic", "refuse"): "Sanic refuses a handshake with a message that ASGI does not allow there",
}

Start = Callable[[str], str]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Return a function that runs a framework's application, once, and returns its URL."""
    running: list[subprocess.Popen[str]] = []
    urls: dict[str, str] = {}

    def run(framework: str) -> str:
        if framework in urls:
            return urls[framework]
        words = ("run", f"{framework}_app:app", "--app-dir", APPS, "--interface", "asgi", "-p", "0", "-b", "127.0.0.1")
        complaints = tmp_path_factory.mktemp(framework) / "errors"
        with complaints.open("w") as errors:
            process = subprocess.Popen(
                [sys.executable, "-c", COMMAND, *map(str, words)],
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
                urls[framework] = found[0]
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


@pytest.fixture
def client(start: Start, framework: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=start(framework)) as client:
        yield client


def talk_to(start: Start, framework: str, path: str) -> ClientConnection:
    url = start(framework).replace("http:", "ws:")
    return connect(url + path, subprotocols=[Subprotocol("chat")], proxy=None)


def test_hello(client: httpx.Client) -> None:
    for _ in range(3):
        response = client.get("/")
        assert (response.status_code, response.text) == (200, "hello")
        assert response.headers["content-type"].startswith("text/plain")
    assert client.head("/").status_code in (200, 405)


def test_echo(client: httpx.Client) -> None:
    data = {"text": "你好", "list": [1, 2.5, None, True], "large": "x" * 300_000}
    assert client.post("/echo", json=data).json() == data


def test_form(client: httpx.Client) -> None:
    data = {"name": "Zoë & Co", "age": "5"}
    assert client.post("/form", data=data).json() == data


def test_upload(client: httpx.Client) -> None:
    data = os.urandom(2_000_000)
    answer = client.post("/upload", files={"file": ("large.bin", data)}).json()
    assert answer == {"name": "large.bin", "sha256": hashlib.sha256(data).hexdigest()}


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
    assert client.get("/redirect").status_code in (302, 307)
    assert client.get("/redirect", follow_redirects=True).text == "hello"


def test_name(client: httpx.Client) -> None:
    assert client.get("/name/ünï çødé", params={"q": "a b&c"}).text == "ünï çødé a b&c"


def test_file(client: httpx.Client, framework: str) -> None:
    response = client.get("/file")
    assert response.content == (APPS / f"{framework}_app.py").read_bytes()
    assert response.headers["content-length"] == str(len(response.content))


def test_missing(client: httpx.Client) -> None:
    assert client.get("/missing").status_code == 404


def test_state(client: httpx.Client) -> None:
    assert client.get("/state").text == "from the lifespan"


def test_talk(start: Start, framework: str) -> None:
    with talk_to(start, framework, "/talk") as talk:
        assert talk.subprotocol == "chat"
        for text in ("hello", "你好", "x" * 200_000):
            talk.send(text)
            assert talk.recv() == text.upper()


def test_farewell(start: Start, framework: str) -> None:
    with talk_to(start, framework, "/talk") as talk:
        talk.send("bye")
        with pytest.raises(websockets.ConnectionClosed) as closed:
            talk.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4000, "as you wish")


def test_refuse(start: Start, framework: str) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        talk_to(start, framework, "/refuse")
    assert refused.value.response.status_code == 403
