"""Too much, too long, too slow, no text at all: refused with a clear word, while everybody else goes on.

Addresses of the internet are made by a proxy's field, since loopback has no limits but on guessing.
"""

import json
import socket
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from math import ceil
from pathlib import Path

import httpx
import pytest
import websockets.sync.client
from tests.acceptance.chat_hostile.hostile_stage import PATIENCE_S, Chat, Netcat, Somebody, until
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

MAX_MESSAGE = 64 * 1024


@pytest.fixture(scope="module")
def shared_chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chat]:
    """Serve a chat that believes a proxy on this machine."""
    with Chat(tmp_path_factory.mktemp("bounds") / "data", "--forwarded-allow", "127.0.0.1") as chat:
        yield chat


@pytest.fixture
def chat(shared_chat: Chat) -> Iterator[Chat]:
    """Return it; whatever somebody has done to it, others can talk, and what was said is there."""
    _, token = shared_chat.person("user", "Somebody else")
    with shared_chat.socket(token) as other:
        room = other.ask("room.make", title="Quiet")["c"]
        seq = other.say(room, "before")["s"]
        yield shared_chat
        assert other.say(room, "after")["s"] == seq + 1
        texts = [event["b"].get("text") for event in other.get(room, after=seq - 1)["ev"]]
        assert texts == ["before", "after"]
    shared_chat.check()


def mallory(chat: Chat, kind: str = "user") -> str:
    return chat.person(kind, "Mallory")[1]


# Too much


@pytest.mark.parametrize(
    "message",
    ["x" * (MAX_MESSAGE + 1), "字" * 30_000, '{"t":"pong","x":"' + "y" * 10_000_000 + '"}'],
    ids=["a byte too many", "characters that are bytes", "ten megabytes"],
)
def test_a_websocket_message_that_is_too_long(chat: Chat, message: str) -> None:
    with chat.socket(mallory(chat)) as somebody:
        with suppress(ConnectionClosed):
            somebody.send_raw(message)
        assert somebody.end()[0] == 1009


def test_a_websocket_message_in_pieces_that_are_too_long_together(chat: Chat) -> None:
    with chat.bare_socket() as connection:
        with suppress(ConnectionClosed):  # in the middle of it
            connection.send("x" * 1_000 for _ in range(100))
        assert Somebody(connection).end()[0] == 1009


def test_a_small_message_that_inflates_to_a_large_one(chat: Chat) -> None:
    bomb = "x" * 50_000_000
    assert len(zlib.compress(bomb.encode())) < MAX_MESSAGE
    with websockets.sync.client.connect(
        f"ws://127.0.0.1:{chat.port}/ws",
        subprotocols=[Subprotocol("portico.chat.v1")],
        compression="deflate",
        proxy=None,
    ) as connection:
        with suppress(ConnectionClosed):
            connection.send(bomb)
        assert Somebody(connection).end()[0] in (1009, 1006)


def test_a_message_that_is_just_short_enough_is_taken(chat: Chat) -> None:
    with chat.socket(mallory(chat)) as somebody:
        room = somebody.ask("room.make", title="x")["c"]
        assert somebody.say(room, "字" * 8_192)["t"] == "ack"
        assert somebody.say(room, "x" * 8_193)["code"] == "too_big"


def test_a_line_that_is_too_long(chat: Chat) -> None:
    with chat.netcat() as netcat:
        netcat.until("Welcome")
        netcat.sock.sendall(b"x\n" + b"y" * (MAX_MESSAGE + 1))
        shown = netcat.received + netcat.rest()
        assert b"65536" in shown or shown.count(b"\n") >= 2
    assert chat.rows("SELECT 1 FROM event WHERE length(body) > 10000") == []


def test_a_datagram_that_is_too_long(chat: Chat) -> None:
    with chat.sender() as sender:
        assert sender.ask(b"#1 " + b"x" * 9_000) == b"#1 no too_big"
        sender.sock.send(b"#2 " + b"x" * 65_500)
        assert sender.until("#2 no too_big")


@pytest.mark.parametrize("path", ["/api/signin", "/api/visitor", "/api/link", "/api/signup"])
def test_json_that_is_too_long_or_none(chat: Chat, path: str) -> None:
    bodies = {
        b'{"name": "' + b"x" * 17_000 + b'"}': (413, "too_big"),
        b'{"name": "\xff\xfe"}': (400, "proto"),
        b'{"name": "\\ud800"}': (400, "proto"),
        b"[" * 15_000: (400, "proto"),
        b"[1]": (400, "proto"),
        b'{"login": 5, "name": 5, "token": 5, "lang": 5}': (400, "proto"),
        b'{"login": ' + b"9" * 5_000 + b"}": (400, "proto"),
        b"": (400, "proto"),
    }
    with chat.http() as http:
        for body, expected in bodies.items():
            answer = http.post(path, content=body, headers={"Content-Type": "application/json"})
            found = (answer.status_code, answer.json()["code"])
            assert found == expected or (path == "/api/signup" and found == (404, "not_offered")), body[:40]
        assert http.post(path, content=b"name=x").status_code in (404, 415)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
        (b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"POST /api/visitor HTTP/1.1\r\nHost: a\r\nContent-Length: 9" + b"9" * 30 + b"\r\n\r\n", 400),
        (b"POST /api/visitor HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
    ],
)
def test_requests_that_are_none(chat: Chat, request_: bytes, status: int) -> None:
    with socket.create_connection(("127.0.0.1", chat.port), PATIENCE_S) as sock:
        sock.sendall(request_)
        assert sock.recv(100).startswith(f"HTTP/1.1 {status} ".encode())


def pieces(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield b"x" * 65_536


def test_a_file_that_is_too_large_leaves_nothing_on_the_disk(chat: Chat) -> None:
    with chat.socket(mallory(chat, "admin")) as root:
        assert root.ask("admin.settings.set", values={"max_file_mib": 1})["t"] == "ok"
    with chat.http(mallory(chat)) as http:
        for content in (b"x" * (1 << 20) + b"y", pieces(17)):  # with its length, and without
            answer = http.post("/api/files?name=x", content=content)
            assert (answer.status_code, answer.json()["code"]) == (413, "too_big")
        assert http.post("/api/files?name=x", content=b"").json()["code"] == "empty"
        # One that breaks off.
        with socket.create_connection(("127.0.0.1", chat.port), PATIENCE_S) as sock:
            token = http.headers["Authorization"]
            fields = f"Host: a\r\nAuthorization: {token}\r\nContent-Length: 900000\r\n\r\n"
            sock.sendall(f"POST /api/files?name=x HTTP/1.1\r\n{fields}".encode() + b"x" * 100_000)
        assert http.post("/api/files?name=%FF%00/../../x", content=pieces(1)).json()["name"].isprintable()
    until(lambda: not list((chat.folder / "files").glob("incoming-*")), "what broke off is gone")
    assert len(list((chat.folder / "files").glob("??/*"))) == 1


# No text


def test_bytes_that_are_no_text_on_a_websocket(chat: Chat) -> None:
    with chat.bare_socket() as connection:
        connection.send(b"\xff\xfe", text=True)
        assert Somebody(connection).end()[0] == 1007
    with chat.socket(mallory(chat)) as somebody:
        somebody.send_raw(b'{"t":"pong"}')
        assert somebody.end()[0] == 1003


def test_bytes_that_are_no_text_over_tcp_and_udp(chat: Chat) -> None:
    with chat.netcat() as netcat:
        netcat.sock.sendall(bytes(range(128, 256)) * 10 + b"\n\xc3\x28\xa0\xa1\xf0\x28\x8c\xbc\nthe end\n")
        netcat.until("#")
        netcat.rest()
    with chat.sender() as sender:
        for number, data in enumerate((b"\xff\xfe", b"\xc3\x28", bytes(range(1, 256)), b"\xed\xa0\x80")):
            assert sender.ask(b"#%d " % number + data).startswith(b"#%d " % number)
    for (body,) in chat.rows("SELECT body FROM event WHERE via IN ('tcp', 'udp')"):
        json.loads(body)


# Too slow


def test_whoever_is_too_slow_is_let_go_by_every_way(tmp_path: Path) -> None:
    slow = ("--first-byte-timeout", "1s", "--head-timeout", "1s", "--rate-window", "1s")
    requests = (
        b"",  # nothing
        b"GET / HT",  # half a head
        b"POST /api/visitor HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{",
    )
    handshake = (
        b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: portico.chat.v1\r\n\r\n"
    )
    with Chat(tmp_path / "data", *slow) as chat, ExitStack() as stack:
        began_s = time.monotonic()
        sockets = [
            stack.enter_context(socket.create_connection(("127.0.0.1", chat.port), PATIENCE_S))
            for _ in range(len(requests) + 2)
        ]
        for sock, data in zip(sockets, (*requests, handshake, handshake + b"\x81\xfe\x10\x00abcd"), strict=True):
            sock.sendall(data)
        _, token = chat.person("user", "Somebody else")
        with chat.socket(token) as other:
            assert other.ask("me")["t"] == "ok"
            for sock in sockets[: len(requests)]:
                while sock.recv(65_536):
                    pass
            for sock in sockets[len(requests) :]:
                received = b""
                while b"no hello within 10 s" not in received:
                    received += (piece := sock.recv(65_536))
                    assert piece, received
            assert other.ask("me")["t"] == "ok"
        assert time.monotonic() - began_s < PATIENCE_S


# Too often


def flood(somebody: Somebody, conversation: int, count: int) -> None:
    """Send messages as fast as they go, many frames at once."""
    for start in range(0, count, 50):
        numbers = range(start, min(start + 50, count))
        frame = {"t": "send", "c": conversation, "b": {"text": "spam"}}
        somebody.send_raw("\n".join(json.dumps({**frame, "cid": f"spam-{number}"}) for number in numbers))


@pytest.mark.parametrize(("kind", "burst", "per_s"), [("visitor", 20, 5), ("user", 60, 20)])
def test_whoever_sends_too_many_is_told_muted_and_closed_out(chat: Chat, kind: str, burst: int, per_s: int) -> None:
    number, token = chat.person(kind, "Spammer")
    began_s = time.monotonic()
    with chat.socket(token) as somebody:
        target = somebody.ask("desk.start")["c"]
        flood(somebody, target, burst + 10)
        refused = somebody.heard(lambda frame: frame["t"] == "nack")
        assert refused["code"] == "rate"
        assert refused["retry"] > 0
        with pytest.raises(ConnectionClosed) as caught:
            flood_on(somebody, target)
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4009, "too many, for too long")
    (count,) = chat.rows("SELECT count(*) FROM event WHERE sender = ? AND kind = 'msg'", number)[0]
    assert burst <= count <= burst + per_s * (time.monotonic() - began_s) + 1
    with chat.socket(token) as somebody, pytest.raises(ConnectionClosed):  # who comes back goes on where it was
        flood_on(somebody, target)


def flood_on(somebody: Somebody, conversation: int) -> None:
    """Send messages for as long as the server lets one."""
    for _ in range(100):
        flood(somebody, conversation, 50)
        somebody.send({"t": "hello", "v": 1, "tok": ""})
        somebody.heard(lambda frame: frame.get("why") == "hello has been said already")


def test_asking_typing_and_marking_too_often(chat: Chat) -> None:
    number, token = chat.person("visitor", "Eager")
    with chat.socket(token) as somebody:
        target = somebody.ask("desk.start")["c"]
        frames = (
            {"t": "typ", "c": target},
            {"t": "mark", "c": target, "read": 1},
            {"t": "mark", "c": target, "read": 2},
        )
        somebody.send_raw("\n".join(json.dumps(frame) for frame in frames * 20))
        codes = [somebody.ask("me").get("code") for _ in range(80)]
        assert codes.count("rate") >= 20
    (read,) = chat.rows("SELECT read FROM member WHERE person = ?", number)[0]
    assert read == 2


def test_one_new_conversation_after_the_other(chat: Chat) -> None:
    number, token = chat.person("visitor", "Restless")
    with chat.socket(token) as somebody:
        codes = []
        for _ in range(10):
            answer = somebody.ask("desk.start")
            codes.append(answer.get("code"))
            if answer["t"] == "ok":
                somebody.ask("desk.close", c=answer["c"])
        assert codes == [None] * 5 + ["rate"] * 5
    assert chat.rows("SELECT count(*) FROM desk_case WHERE visitor = ?", number) == [(5,)]


def test_uploads_too_often(chat: Chat) -> None:
    with chat.http(mallory(chat, "visitor")) as http:
        statuses = [http.post("/api/files?name=x", content=b"x").status_code for _ in range(8)]
    assert statuses == [200] * 5 + [429] * 3


def posts(chat: Chat, address: str, path: str, body: object, count: int) -> list[httpx.Response]:
    """Send the same again and again from an address."""
    with chat.http() as http:
        return [http.post(path, json=body, headers={"X-Forwarded-For": address}) for _ in range(count)]


def test_guessing_passwords_takes_longer_and_longer(chat: Chat) -> None:
    body = {"login": "victim", "password": "wrong"}
    answers = posts(chat, "203.0.113.10", "/api/signin", body, 60)
    assert [answer.status_code for answer in answers[:10]] == [401] * 10
    assert {answer.status_code for answer in answers[10:]} == {429}
    waits = [answer.json()["retry"] for answer in answers[10:]]
    assert max(waits[:9]) < 30 <= waits[9]
    assert waits[19] > 55
    assert waits[49] > 400
    assert answers[-1].headers["Retry-After"] == str(ceil(waits[-1]))
    # Another address is another matter, but not for the same login at once.
    assert posts(chat, "203.0.113.11", "/api/signin", {"login": "other", "password": "x"}, 1)[0].status_code == 401
    assert posts(chat, "203.0.113.11", "/api/signin", body, 1)[0].status_code in (401, 429)


@pytest.mark.parametrize(
    ("path", "body", "allowed", "refused"),
    [("/api/link", {"token": "guessed"}, 10, 401), ("/api/visitor", {}, 30, 200)],
)
def test_coming_in_too_often_from_one_address(chat: Chat, path: str, body: object, allowed: int, refused: int) -> None:
    found = [answer.status_code for answer in posts(chat, "203.0.113.20", path, body, allowed + 5)]
    assert found == [refused] * allowed + [429] * 5
    assert posts(chat, "203.0.113.21", path, body, 1)[0].status_code == refused


def test_connecting_too_often_from_one_address(chat: Chat) -> None:
    statuses = []
    for _ in range(35):
        try:
            with chat.bare_socket(X_Forwarded_For="203.0.113.30"):
                statuses.append(101)
        except InvalidStatus as exc:
            statuses.append(exc.response.status_code)
    assert statuses[:30] == [101] * 30
    assert statuses.count(429) >= 3


def test_a_blocked_address_gets_in_nowhere(chat: Chat) -> None:
    with chat.socket(mallory(chat, "admin")) as root:
        assert root.ask("admin.blocks.add", kind="address", value="203.0.113.40/29")["t"] == "ok"
        assert posts(chat, "203.0.113.41", "/api/visitor", {}, 1)[0].json()["code"] == "blocked"
        assert posts(chat, "203.0.113.41", "/api/signin", {"login": "a", "password": "b"}, 1)[0].status_code == 403
        with pytest.raises(InvalidStatus) as caught, chat.bare_socket(X_Forwarded_For="203.0.113.41"):
            pass
        assert caught.value.response.status_code == 403
        # What a stranger writes in front of the proxy's own word does not count.
        answer = posts(chat, "203.0.113.99, 203.0.113.41", "/api/visitor", {}, 1)[0]
        assert answer.json()["code"] == "blocked"


def test_a_flood_of_lines_is_closed_out(chat: Chat) -> None:
    with chat.netcat() as netcat:
        netcat.type("hello")
        netcat.until("✓")
        netcat.type(*["spam"] * 600)
        assert drained(netcat).endswith(b"*** too many, for too long\n")


def drained(netcat: Netcat) -> bytes:
    """Return what still comes until the server has closed."""
    try:
        while piece := netcat.sock.recv(65_536):
            netcat.received += piece
    except ConnectionResetError:  # it did not read all that was sent
        pass
    return netcat.received
