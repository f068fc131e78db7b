"""What the client does as a whole, for threads and for tasks alike: each case runs on every network."""

import asyncio
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import trustme
import uvloop
from tests.client.stage import HOLD, Answer, AtHead, okay, receive_body, redirect, serving

from portico.client.asking import Asking, Profile
from portico.client.http import AsyncClient, Engine
from portico.client.loop import LoopNetwork
from portico.client.network import BlockingNetwork, run
from portico.client.proxies import Proxies
from portico.client.response import AsyncResponse
from portico.client.timeouts import Timeouts
from portico.errors import Gone, PeerError, Refused, UsageError
from portico.http.jar import Jar

NO_PROXY = Proxies()
Ask = Callable[..., list[AsyncResponse]]


@pytest.fixture(params=["threads", "asyncio", "uvloop"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Ask for URLs one after the other with one client, on each network; return the responses, read."""
    network = BlockingNetwork() if request.param == "threads" else LoopNetwork()
    runners: dict[str, Any] = {"threads": run, "asyncio": asyncio.run, "uvloop": uvloop.run}

    async def work(method: str, urls: tuple[str, ...], profile: Profile, asking: Asking) -> list[AsyncResponse]:
        engine = Engine(profile, network, AsyncResponse)
        responses = []
        try:
            for url in urls:
                responses.append(await engine.send(method, url, asking))
                await responses[-1].read()
        finally:
            engine.close()
        return responses

    def asking_with(*urls: str, method: str = "GET", profile: Profile | None = None, **asking: Any) -> Any:
        profile = profile or Profile(proxies=NO_PROXY)
        return runners[request.param](work(method, urls, profile, cast("Asking", asking)))

    return asking_with


# --- one request ------------------------------------------------------------------------------


def test_a_request_says_who_asks_whom_for_what(ask: Ask) -> None:
    with serving([okay()]) as server:
        [response] = ask(f"{server.url}/a b?c=d#e")
    assert (response.status, response.reason, response.version, response.content) == (200, "OK", 11, b"hello")
    assert (response.url, response.length, response.history) == (f"{server.url}/a%20b?c=d", 5, ())
    [[line, host, agent, *others]] = server.heads()
    assert (line, host) == ("GET /a%20b?c=d HTTP/1.1", f"Host: {server.authority}")
    assert agent.startswith("User-Agent: portico/")
    assert others == ["Accept: */*", "Accept-Encoding: gzip, br, zstd"]


BODIES: list[tuple[str, bytes, bytes]] = [
    ("a length", okay(), b"hello"),
    ("nothing", okay(b""), b""),
    ("204", b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ("304", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b""),
    (
        "chunks",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nA: b\r\n\r\n",
        b"hello",
    ),
    ("until the end", b"HTTP/1.1 200 OK\r\n\r\nhello", b"hello"),
    ("HTTP/1.0", b"HTTP/1.0 200 OK\r\n\r\nhello", b"hello"),
    ("interim", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + okay(), b"hello"),
    ("large", okay(b"x" * 3_000_000), b"x" * 3_000_000),
]


@pytest.mark.parametrize(("answer", "content"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES])
def test_a_body_comes_whole(ask: Ask, answer: bytes, content: bytes) -> None:
    with serving([answer]) as server:
        assert ask(server.url)[0].content == content


CUT: list[tuple[str, bytes, str]] = [
    ("no answer", b"", "closed the connection without an answer"),
    ("half a head", b"HTTP/1.1 200 OK\r\nContent-", "closed the connection without an answer"),
    ("only an interim one", b"HTTP/1.1 100 Continue\r\n\r\n", "closed the connection without an answer"),
    ("half a body", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", "after 5 of 10 bytes of the body"),
    (
        "half the chunks",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "in the middle of the body, after 5 bytes",
    ),
]


@pytest.mark.parametrize(("answer", "message"), [row[1:] for row in CUT], ids=[row[0] for row in CUT])
def test_what_is_cut_short_is_an_error(ask: Ask, answer: bytes, message: str) -> None:
    with serving([answer]) as server, pytest.raises(Gone, match=message):
        ask(server.url)


WRONG: list[tuple[str, bytes, str]] = [
    ("not HTTP", b"220 mail.example ESMTP\r\n", "does not begin an HTTP response"),
    ("a field that is none", b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "field line"),
    ("101", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "switches to another protocol"),
    ("no chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "not a chunk size"),
    ("interim without end", b"HTTP/1.1 102 x\r\n\r\n" * 100, "interim responses"),
    ("a coding that nobody knows", okay(b"x", "Content-Encoding: rot13"), "encoded as 'rot13'"),
    ("no gzip", okay(b"x" * 20, "Content-Encoding: gzip"), "no gzip stream"),
    ("a location that is none", redirect("ftp://x/"), "redirects to where we cannot follow"),
]


@pytest.mark.parametrize(("answer", "message"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_what_http_forbids_is_an_error(ask: Ask, answer: bytes, message: str) -> None:
    with serving([answer]) as server, pytest.raises(PeerError, match=message):
        ask(server.url)


def test_a_silent_server_is_waited_for_only_so_long(ask: Ask) -> None:
    with serving([HOLD]) as server, pytest.raises(Gone, match=r"sent nothing for 0\.05 s"):
        ask(server.url, timeouts=Timeouts(read_s=0.05))
    with serving([okay()[:-1], HOLD]) as server, pytest.raises(Gone, match=r"sent nothing for 0\.05 s"):
        ask(server.url, profile=Profile(proxies=NO_PROXY, timeouts=Timeouts(read_s=0.05)))


def drip(sock: socket.socket, request: bytes) -> None:
    """Send a byte at a time, for ever."""
    sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    sock.settimeout(0.01)
    while True:
        sock.sendall(b"x")
        try:
            sock.recv(1)
        except TimeoutError:
            continue
        return


def test_a_request_has_an_end_where_one_is_set(ask: Ask) -> None:
    with serving([drip]) as server, pytest.raises(Gone, match=r"not done after 0\.1 s"):
        ask(server.url, timeouts=Timeouts(read_s=5, total_s=0.1))


def test_nobody_listens(ask: Ask) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(Refused, match="nothing listens"):
            ask(f"http://127.0.0.1:{sock.getsockname()[1]}/")


def test_a_body_in_memory_is_bounded(ask: Ask) -> None:
    with serving([okay(b"x" * 2000)]) as server, pytest.raises(Refused, match="longer than 1000 bytes"):
        ask(server.url, profile=Profile(proxies=NO_PROXY, max_body=1000))


def test_codings_come_off(ask: Ask) -> None:
    import gzip

    packed = gzip.compress(b"hello" * 100_000)
    with serving([okay(packed, "Content-Encoding: gzip"), okay(packed, "Content-Encoding: gzip")]) as server:
        [response] = ask(server.url)
        assert (response.content, response.length) == (b"hello" * 100_000, len(packed))
    with serving([okay(packed, "Content-Encoding: gzip")]) as server:
        assert ask(server.url, profile=Profile(proxies=NO_PROXY, decode=False))[0].content == packed
        assert "Accept-Encoding: identity" in server.heads()[0]
    with serving([okay(packed[:-1], "Content-Encoding: gzip")]) as server, pytest.raises(PeerError, match="middle"):
        ask(server.url)


# --- bodies that are sent ---------------------------------------------------------------------


SENT: list[tuple[str, dict[str, Any], str, bytes]] = [
    ("bytes", {"body": b"abc"}, "Content-Type: application/octet-stream", b"abc"),
    ("text", {"body": "中"}, "Content-Type: text/plain; charset=utf-8", "中".encode()),
    ("json", {"json": {"a": [1, "中"]}}, "Content-Type: application/json", '{"a":[1,"中"]}'.encode()),
    ("null", {"json": None}, "Content-Type: application/json", b"null"),
    ("a form", {"data": {"a": "b c", "d": "&"}}, "Content-Type: application/x-www-form-urlencoded", b"a=b%20c&d=%26"),
    ("pieces", {"body": [b"ab", b"", b"c"]}, "Transfer-Encoding: chunked", b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"),
    ("nothing", {"body": b""}, "Content-Length: 0", b""),
    ("much", {"body": b"x" * 900_000}, "Content-Length: 900000", b"x" * 900_000),
]


@pytest.mark.parametrize(("asking", "line", "body"), [row[1:] for row in SENT], ids=[row[0] for row in SENT])
def test_a_body_is_sent(ask: Ask, asking: dict[str, Any], line: str, body: bytes) -> None:
    with serving([okay()]) as server:
        if isinstance(asking.get("body"), list):
            asking["fields"] = {"Expect": None}
        ask(server.url, method="POST", **asking)
    assert server.asked[0].endswith(b"\r\n\r\n" + body)
    assert line in server.heads()[0]


def continues(sock: socket.socket, request: bytes) -> None:
    sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    body, _ = receive_body(sock, request)
    sock.sendall(okay(b"%d" % len(body)))


LARGE = b"x" * 3_000_000


def test_a_large_body_waits_for_its_permission(ask: Ask) -> None:
    with serving([continues]) as server:
        assert ask(server.url, method="PUT", body=LARGE)[0].content == b"3000000"
    assert "Expect: 100-continue" in server.heads()[0]


def late(sock: socket.socket, request: bytes) -> None:
    """Say nothing about Expect, as servers of HTTP/1.0 do."""
    body, _ = receive_body(sock, request)
    sock.sendall(okay(b"%d" % len(body)))


def test_a_large_body_waits_for_its_permission_only_a_moment() -> None:
    engine = Engine(Profile(proxies=NO_PROXY), BlockingNetwork(), AsyncResponse)
    with serving([late]) as server:
        began_s = time.monotonic()
        assert run(run(engine.send("PUT", server.url, Asking(body=LARGE))).read()) == b"3000000"
        assert time.monotonic() - began_s >= 1
    engine.close()


def test_a_large_body_that_is_not_wanted_is_not_sent(ask: Ask) -> None:
    with serving([b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!"], [okay()]) as server:
        first, second = ask(server.url, server.url, method="PUT", body=LARGE)[:2]
    assert (first.status, first.content, second.status) == (413, b"no!", 200)
    assert len(server.asked[0]) < 1000
    assert server.connections == 2


def test_a_server_that_does_not_know_expect_is_asked_without(ask: Ask) -> None:
    refusal: list[Answer] = [b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"]
    with serving(refusal, [okay()]) as server:
        assert ask(server.url, method="PUT", body=LARGE)[0].status == 200
    assert [any(line.startswith("Expect") for line in lines) for lines in server.heads()] == [True, False]
    assert server.asked[1].endswith(LARGE)


def forbids(sock: socket.socket, request: bytes) -> None:
    """Answer at once, and read nothing until the client leaves."""
    sock.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
    sock.recv(1, socket.MSG_PEEK)
    gone = select.poll()
    gone.register(sock, select.POLLRDHUP)
    gone.poll(10_000)


def forbids_and_closes(sock: socket.socket, request: bytes) -> None:
    sock.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
    sock.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("act", [forbids, forbids_and_closes])
@pytest.mark.parametrize("body", [b"x" * 50_000_000, [b"x" * 1_000_000] * 50])
def test_an_answer_that_comes_before_the_body_is_sent_counts(ask: Ask, act: Any, body: Any) -> None:
    with serving([AtHead(act)]) as server:
        assert ask(server.url, method="PUT", body=body, fields=[("Expect", None)])[0].status == 403


def test_a_body_that_is_not_as_long_as_it_says_is_an_error(ask: Ask) -> None:
    class Liar:
        length = 5

        def pieces(self) -> list[bytes]:
            return [b"abc"]

    with serving([HOLD]) as server, pytest.raises(UsageError, match="2 bytes shorter"):
        ask(server.url, method="PUT", body=Liar())


@pytest.mark.parametrize(
    ("method", "url", "asking"),
    [
        ("GE T", "http://localhost/", {}),
        ("CONNECT", "http://localhost/", {}),
        ("GET", "http://a@b@c/", {}),
        ("GET", "http://localhost/", {"fields": [("a b", "c")]}),
        ("GET", "http://localhost/", {"fields": {"a": "b\r\nc: d"}}),
        ("GET", "http://localhost/", {"body": 5}),
        ("GET", "http://localhost/", {"body": b"", "json": 1}),
        ("GET", "http://localhost/", {"json": object()}),
    ],
)
def test_what_cannot_be_asked(ask: Ask, method: str, url: str, asking: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        ask(url, method=method, **asking)


# --- redirects --------------------------------------------------------------------------------


def test_redirects_are_followed(ask: Ask) -> None:
    with serving([redirect("/b"), redirect("c?d"), okay()]) as server:
        [response] = ask(f"{server.url}/a/")
    assert [head[0] for head in server.heads()] == ["GET /a/ HTTP/1.1", "GET /b HTTP/1.1", "GET /c?d HTTP/1.1"]
    assert (response.url, server.connections) == (f"{server.url}/c?d", 1)
    assert [(past.status, past.url) for past in response.history] == [
        (302, f"{server.url}/a/"),
        (302, f"{server.url}/b"),
    ]


def test_redirects_are_left_alone(ask: Ask) -> None:
    with serving([redirect("/b")]) as server:
        assert ask(server.url, follow=0)[0].status == 302
    with serving([b"HTTP/1.1 302 x\r\nContent-Length: 0\r\n\r\n"]) as server:
        assert ask(server.url)[0].status == 302


def test_redirects_do_not_go_on_for_ever(ask: Ask) -> None:
    with serving([redirect("/")] * 4) as server, pytest.raises(Refused, match="more than 3 redirects"):
        ask(server.url, follow=3)
    assert len(server.asked) == 4


def test_a_long_body_of_a_redirect_is_not_waited_for(ask: Ask) -> None:
    long = b"HTTP/1.1 302 x\r\nLocation: /b\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 100_000
    with serving([long, HOLD], [okay()]) as server:
        assert ask(server.url)[0].content == b"hello"


def test_a_body_goes_along_where_it_can_be_sent_again(ask: Ask) -> None:
    with serving([redirect("/b", 307), okay()]) as server:
        ask(server.url, method="POST", body=b"abc")
    assert [asked.endswith(b"abc") for asked in server.asked] == [True, True]
    with serving([redirect("/b", 307)]) as server, pytest.raises(Refused, match="cannot be sent again"):
        ask(server.url, method="POST", body=iter([b"abc"]), fields={"Expect": None})


def test_credentials_stay_with_their_origin(ask: Ask) -> None:
    secrets = [("Authorization", "Bearer s3cret"), ("Cookie", "a=s3cret"), ("X-Mine", "y")]
    with serving([okay()]) as other, serving([redirect(f"{other.url}/b")]) as server:
        ask(server.url, fields=secrets)
        ask(server.url.replace("://", "://user:s3cret@"))
    assert b"s3cret" in server.asked[0]
    assert b"Basic" in server.asked[1]
    assert [b"X-Mine: y" in asked for asked in other.asked] == [True, False]
    assert not any(b"s3cret" in asked or b"Basic" in asked or b"Cookie" in asked for asked in other.asked)


def test_credentials_of_a_url_go_along_within_its_origin(ask: Ask) -> None:
    with serving([redirect("/b"), okay()]) as server:
        [response] = ask(server.url.replace("://", "://me:s3cret@"))
    assert all(b"Authorization: Basic bWU6czNjcmV0" in asked for asked in server.asked)
    assert "s3cret" not in response.url + repr(response)


# --- cookies ----------------------------------------------------------------------------------


def test_cookies_come_back(ask: Ask) -> None:
    jar = Jar()
    with serving([okay(b"", "Set-Cookie: a=1", "Set-Cookie: b=2; Path=/x"), okay(), okay()]) as server:
        ask(f"{server.url}/", f"{server.url}/x", f"{server.url}/", profile=Profile(jar=jar, proxies=NO_PROXY))
    cookies = [[line for line in head if line.startswith("Cookie")] for head in server.heads()]
    assert cookies == [[], ["Cookie: b=2; a=1"], ["Cookie: a=1"]]
    assert len(jar) == 2


def test_cookies_of_a_redirect_come_back(ask: Ask) -> None:
    with serving([redirect("/", 302, "Set-Cookie: a=1"), okay()]) as server:
        ask(server.url)
    assert b"Cookie: a=1" in server.asked[1]


# --- connections ------------------------------------------------------------------------------


def test_a_connection_is_kept(ask: Ask) -> None:
    with serving([okay(), okay(b""), b"HTTP/1.1 204 x\r\n\r\n", okay()]) as server:
        ask(*[server.url] * 4)
        assert server.connections == 1


def test_a_connection_that_has_closed_is_not_used(ask: Ask) -> None:
    with serving([okay()], [okay(b"", "Connection: close")], [b"HTTP/1.1 200 OK\r\n\r\nx"], [okay()]) as server:
        assert [response.content for response in ask(*[server.url] * 4)] == [b"hello", b"", b"x", b"hello"]
        assert server.connections == 4


def leaves(sock: socket.socket, request: bytes) -> None:
    """Close without an answer."""


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_a_kept_connection_that_ends_is_replaced(ask: Ask, method: str) -> None:
    with serving([b"HTTP/1.1 204 x\r\n\r\n", leaves], [b"HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n"]) as server:
        assert [response.status for response in ask(server.url, server.url, method=method)] == [204, 200]
        assert server.connections == 2


def test_what_must_not_happen_twice_is_asked_once(ask: Ask) -> None:
    with serving([okay(), leaves], [okay()]) as server:
        with pytest.raises(Gone, match="without an answer"):
            ask(server.url, server.url, method="POST", body=b"pay")
        assert len(server.asked) == 2


def test_a_second_time_is_the_last(ask: Ask) -> None:
    with serving([okay(), leaves], [leaves]) as server:
        with pytest.raises(Gone, match="without an answer"):
            ask(server.url, server.url)
        assert len(server.asked) == 3


def test_a_new_connection_that_ends_is_no_reason_to_ask_again(ask: Ask) -> None:
    with serving([leaves]) as server:
        with pytest.raises(Gone, match="without an answer"):
            ask(server.url)
        assert len(server.asked) == 1


def test_a_kept_connection_that_is_silent_is_waited_for_once(ask: Ask) -> None:
    with serving([okay(), HOLD], [okay()]) as server:
        with pytest.raises(Gone, match="sent nothing"):
            ask(server.url, server.url, timeouts=Timeouts(read_s=0.05))
        assert server.connections == 1


def test_many_at_once_share_what_connections_there_may_be() -> None:
    async def work(url: str) -> list[bytes]:
        async with AsyncClient(proxies=NO_PROXY, max_connections=3) as client:
            responses = await asyncio.gather(*[client.get(url) for _ in range(30)])
        return [response.content for response in responses]

    with serving([okay()] * 30) as server:
        assert asyncio.run(work(server.url)) == [b"hello"] * 30
        assert server.connections <= 3


def test_whoever_is_cancelled_leaves_nothing_open() -> None:
    left = threading.Event()

    def wait(sock: socket.socket, request: bytes) -> None:
        if not sock.recv(1):
            left.set()

    async def work(url: str) -> None:
        async with AsyncClient(proxies=NO_PROXY, max_connections=1) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await client.get(url)
            assert (await client.get(url)).content == b"hello"

    with serving([wait], [okay()]) as server:
        asyncio.run(work(server.url))
        assert left.wait(10)


# --- ways -------------------------------------------------------------------------------------


def test_a_socket_file_takes_all_requests(ask: Ask, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with serving([okay(), okay()], path=path) as server:
        ask("http://example.com/a", profile=Profile(unix=path))
        ask(f"http://unix:{path}:/b")
    assert [head[:2] for head in server.heads()] == [
        ["GET /a HTTP/1.1", "Host: example.com"],
        ["GET /b HTTP/1.1", "Host: localhost"],
    ]


def test_a_proxy_is_told_the_whole_url(ask: Ask) -> None:
    with serving([okay()]) as proxy:
        proxies = Proxies(f"http://me:s3cret@{proxy.authority}")
        response = ask("http://example.com:81/a?b", profile=Profile(proxies=proxies))[0]
    [head] = proxy.heads()
    assert response.content == b"hello"
    assert head[:2] == ["GET http://example.com:81/a?b HTTP/1.1", "Host: example.com:81"]
    assert "Proxy-Authorization: Basic bWU6czNjcmV0" in head


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def secure(authority: trustme.CA) -> ssl.SSLContext:
    """What a server speaks TLS with, as localhost and 127.0.0.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.mark.parametrize(("answer", "content"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES])
def test_a_body_comes_whole_through_tls(
    ask: Ask, secure: ssl.SSLContext, trusting: ssl.SSLContext, answer: bytes, content: bytes
) -> None:
    with serving([answer], tls=secure) as server:
        assert ask(server.url, profile=Profile(tls=trusting, proxies=NO_PROXY))[0].content == content


def test_a_body_goes_through_tls(ask: Ask, secure: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    with serving([okay(), okay()], tls=secure) as server:
        ask(server.url, server.url, method="PUT", body=LARGE, fields={"Expect": None}, profile=Profile(tls=trusting))
        assert server.connections == 1
    assert all(asked.endswith(b"\r\n\r\n" + LARGE) for asked in server.asked)


def test_an_end_without_a_farewell_is_a_cut(ask: Ask, secure: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    def cut(sock: socket.socket, request: bytes) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\nhello")
        sock.shutdown(socket.SHUT_RDWR)

    with serving([cut], tls=secure) as server, pytest.raises(Gone, match="without TLS's farewell"):
        ask(server.url, profile=Profile(tls=trusting, proxies=NO_PROXY))


def test_a_certificate_that_nobody_trusts_is_refused(ask: Ask, secure: ssl.SSLContext) -> None:
    with serving([okay()], tls=secure) as server, pytest.raises(Refused, match="certificate"):
        ask(server.url)
    assert server.asked == []


def tunnel(to: Any) -> Any:
    """Make a proxy's answer to CONNECT: a way to a server."""

    def dig(sock: socket.socket, request: bytes) -> None:
        with socket.create_connection(("127.0.0.1", to.port)) as inner:
            sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            while True:
                # One thread for both ways: a TLS socket is not for two.
                has_more = isinstance(sock, ssl.SSLSocket) and sock.pending()
                readable = [sock] if has_more else select.select([sock, inner], [], [])[0]
                for source in readable:
                    data = source.recv(65536)
                    if not data:
                        return
                    (inner if source is sock else sock).sendall(data)

    return dig


@pytest.mark.parametrize("is_secure", [False, True])
def test_a_proxy_digs_a_tunnel(ask: Ask, secure: ssl.SSLContext, trusting: ssl.SSLContext, is_secure: bool) -> None:
    with (
        serving([okay(), okay()], tls=secure) as server,
        serving([tunnel(server)], tls=secure if is_secure else None) as proxy,
    ):
        proxies = Proxies("", proxy.url.replace("://", "://me:s3cret@"))
        fields = {"Proxy-Authorization": "for the proxy alone"}
        responses = ask(server.url, server.url, profile=Profile(proxies=proxies, tls=trusting), fields=fields)
    assert [response.content for response in responses] == [b"hello"] * 2
    [head] = proxy.heads()
    assert head[:2] == [f"CONNECT {server.authority} HTTP/1.1", f"Host: {server.authority}"]
    assert head[-1] == "Proxy-Authorization: Basic bWU6czNjcmV0"
    assert not any(b"proxy" in asked.lower() for asked in server.asked)
    assert proxy.connections == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "407 .*; give it a user"),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "403 Forbidden$"),
    ],
)
def test_a_proxy_refuses_a_tunnel(ask: Ask, answer: bytes, message: str) -> None:
    with serving([answer]) as proxy, pytest.raises(Refused, match=message):
        ask("https://example.com/", profile=Profile(proxies=Proxies("", proxy.url)))


# --- watching ---------------------------------------------------------------------------------


class Notes:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.heads: list[tuple[str, bytes]] = []
        self.remarks: list[str] = []

    def sent(self, head: bytes) -> None:
        self.heads.append((">", head))

    def received(self, head: bytes) -> None:
        self.heads.append(("<", head))

    def remark(self, text: str) -> None:
        self.remarks.append(text)


def test_an_observer_is_told_what_goes_over_the_wire(ask: Ask) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    with serving([redirect("/b"), leaves], [interim + okay()]) as server:
        notes = Notes()
        ask(server.url, profile=Profile(observer=notes, proxies=NO_PROXY))
    assert notes.heads == [
        (">", server.asked[0]),
        ("<", redirect("/b")),
        (">", server.asked[1]),
        (">", server.asked[2]),
        ("<", interim),
        ("<", okay()[:-5]),
    ]
    connected = f"connected to {server.authority}"
    assert [notes.remarks[0], notes.remarks[1], notes.remarks[3]] == [
        connected,
        f"redirected to {server.url}/b",
        connected,
    ]


def test_an_observer_is_told_of_tls(ask: Ask, secure: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    with serving([okay()], tls=secure) as server:
        notes = Notes()
        ask(server.url, profile=Profile(observer=notes, proxies=NO_PROXY, tls=trusting))
    assert notes.remarks[1].startswith("TLSv1.3, TLS_")
    assert ", certificate for localhost, 127.0.0.1 until " in notes.remarks[1]


# --- the client for tasks ---------------------------------------------------------------------


def test_an_asynchronous_client_has_a_method_for_each_method() -> None:
    async def work(url: str) -> list[int]:
        async with AsyncClient(proxies=NO_PROXY) as client:
            plain = [client.get, client.head, client.delete]
            with_body = [client.post, client.put, client.patch]
            responses = [await method(url, params={"a": "b"}) for method in plain]
            responses += [await method(url, body=b"x") for method in with_body]
            async with client.stream("OPTIONS", url) as response:
                responses.append(response)
        return [response.status for response in responses]

    with serving([b"HTTP/1.1 204 x\r\n\r\n"] * 7) as server:
        assert asyncio.run(work(server.url)) == [204] * 7
    assert [head[0].split()[0] for head in server.heads()] == "GET HEAD DELETE POST PUT PATCH OPTIONS".split()


def test_a_closed_client_asks_nothing() -> None:
    async def work() -> None:
        client = AsyncClient(proxies=NO_PROXY)
        client.close()
        await client.get("http://127.0.0.1:1/")

    with pytest.raises(UsageError, match="closed"):
        asyncio.run(work())
