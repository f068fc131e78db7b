"""What a handler learns of a request that came through proxies, and what is logged of it."""

import json
import re
from collections.abc import AsyncIterator

import pytest
from tests.server.stage import Stage, get

from portico.errors import UsageError
from portico.http.message import Response
from portico.server.access_log import Json
from portico.server.exchange import Exchange, Handler
from portico.server.preparing import preparation
from portico.settings import Log, Trust
from portico.wire.answer import AnswerHead, AppHeads

LOCAL = ("127.0.0.1",)
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def tell(exchange: Exchange) -> None:
    """Answer with what there is to know."""
    origin = exchange.origin
    found = {
        "client": origin.client and origin.client[0],
        "scheme": origin.scheme,
        "address": exchange.address,
        "ids": [field.value for field in exchange.request.fields if field.name == "x-request-id"],
    }
    exchange.respond(Response(200, (), json.dumps(found).encode()))


async def ask(stage: Stage, trust: Trust, log: Log, *lines: str) -> tuple[str, dict[str, object]]:
    """Ask one question; return the head of the answer, and what the handler found."""
    server = await stage.serve(tell)
    server.prepare = preparation(trust, log)
    peer = await stage.connect()
    await peer.send(get("/", *lines, "Connection: close"))
    head, _, body = (await peer.read_all()).partition(b"\r\n\r\n")
    return head.decode(), json.loads(body)


def test_nothing_to_prepare() -> None:
    assert preparation(Trust(), Log()) is None


def test_a_proxy_that_is_none() -> None:
    with pytest.raises(UsageError, match="no address"):
        preparation(Trust(forwarded_allow=("proxy.example",)), Log())


@pytest.mark.parametrize(
    ("trusted", "client", "scheme"), [(LOCAL, "203.0.113.9", "https"), (("10.0.0.0/8",), "127.0.0.1", "http")]
)
async def test_a_trusted_proxy_is_believed(stage: Stage, trusted: tuple[str, ...], client: str, scheme: str) -> None:
    lines = ("X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https")
    _, found = await ask(stage, Trust(forwarded_allow=trusted), Log(), *lines)
    assert found == {"client": client, "scheme": scheme, "address": client, "ids": []}
    (record,) = await stage.logged()
    assert record.peer == client


@pytest.mark.parametrize(
    ("lines", "client", "scheme"),
    [
        ((), "127.0.0.1", "http"),
        (("X-Forwarded-Proto: https",), "127.0.0.1", "https"),
        (("X-Forwarded-For: 203.0.113.9",), "203.0.113.9", "http"),
        (("X-Forwarded-For: unknown",), "127.0.0.1", "http"),
        (("Forwarded: for=203.0.113.9;proto=https",), "203.0.113.9", "https"),
        (("X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 203.0.113.9"), "203.0.113.9", "http"),
    ],
)
async def test_what_a_proxy_leaves_unsaid_is_what_the_connection_says(
    stage: Stage, lines: tuple[str, ...], client: str, scheme: str
) -> None:
    _, found = await ask(stage, Trust(forwarded_allow=LOCAL), Log(), *lines)
    assert (found["client"], found["scheme"], found["address"]) == (client, scheme, client)


async def test_the_fields_can_be_chosen(stage: Stage) -> None:
    trust = Trust(forwarded_allow=LOCAL, forwarded_field="forwarded")
    _, found = await ask(stage, trust, Log(), "X-Forwarded-For: 1.1.1.1", "Forwarded: for=203.0.113.9")
    assert found["client"] == "203.0.113.9"


@pytest.mark.parametrize(
    ("trusted", "given", "is_kept"),
    [(LOCAL, "abc-1", True), (LOCAL, "a b", False), ((), "abc-1", False), (LOCAL, "", False)],
)
async def test_a_request_has_one_id_everywhere(
    stage: Stage, trusted: tuple[str, ...], given: str, is_kept: bool
) -> None:
    lines = (f"X-Request-Id: {given}", f"traceparent: 00-{TRACE}-00f067aa0ba902b7-01", "X-Forwarded-For: 203.0.113.9")
    head, found = await ask(stage, Trust(forwarded_allow=trusted), Log(request_id=True), *lines)
    (answered,) = re.findall(r"\r\nX-Request-Id: ([^\r]*)", head)
    assert found["ids"] == [answered]
    assert (answered == given) is is_kept
    assert is_kept or re.fullmatch(r"[0-9a-f]{32}", answered)
    logged = json.loads(Json()(await stage.logged()))
    assert (logged["request_id"], logged["trace_id"], logged["parent_id"]) == (answered, TRACE, "00f067aa0ba902b7")
    assert logged["peer"] == ("203.0.113.9" if trusted else "127.0.0.1")


async def test_without_the_option_nothing_is_named(stage: Stage) -> None:
    head, found = await ask(stage, Trust(forwarded_allow=LOCAL), Log(), "X-Request-Id: abc")
    assert "X-Request-Id" not in head
    assert found["ids"] == ["abc"]
    assert "request_id" not in json.loads(Json()(await stage.logged()))


def streamed(exchange: Exchange) -> None:
    exchange.respond(Response(200, (), (b"one", b"two")))


async def iterated(exchange: Exchange) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"one"

    exchange.respond(Response(200, (), body()))


async def pushed(exchange: Exchange) -> None:
    exchange.begin(AnswerHead(200, (), 3))
    exchange.write(b"one")
    exchange.end()


def dated(exchange: Exchange) -> None:
    """Answer as an application does that sets its own Date."""
    exchange.reply(AppHeads().of_bytes(200, [(b"date", b"Sun, 06 Nov 1994 08:49:37 GMT")]), b"one")


@pytest.mark.parametrize("handler", [tell, streamed, iterated, pushed, dated])
async def test_every_kind_of_answer_carries_it(stage: Stage, handler: Handler) -> None:
    server = await stage.serve(handler)
    server.prepare = preparation(Trust(), Log(request_id=True))
    peer = await stage.connect()
    await peer.send(get("/") + get("/", "Connection: close"))
    ids = re.findall(rb"\r\nX-Request-Id: ([0-9a-f]{32})\r\n", await peer.read_all())
    assert len(ids) == len(set(ids)) == 2


async def test_an_application_may_name_it_itself(stage: Stage) -> None:
    def handler(exchange: Exchange) -> None:
        exchange.reply(AppHeads().of_bytes(200, [(b"x-request-id", b"ours")]), b"one")

    server = await stage.serve(handler)
    server.prepare = preparation(Trust(), Log(request_id=True))
    peer = await stage.connect()
    await peer.send(get("/", "Connection: close"))
    assert re.findall(rb"(?i)\r\nx-request-id: ([^\r]*)\r\n", await peer.read_all()) == [b"ours"]
