"""A second opinion: h11, which shares no line with us, takes what we send, and we take what it sends.

h11 is more lenient than we are in places (a bare LF, lists of equal lengths, folded lines), never the other way round.
What both accept, both must take apart alike.
"""

from typing import NamedTuple

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.http.status import forbids_body
from portico.settings import Limits
from portico.wire.answer import AnswerHead
from portico.wire.events import BodyReceived, HeadReceived, MessageEnded, PeerFaulted, StatusReceived
from portico.wire.head import HeadMemo
from portico.wire.http1 import ClientCodec, ServerCodec

LIMITS = Limits()
DATE = b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
MEMO = HeadMemo()

names = st.text(st.sampled_from("abcXYZ019-"), min_size=1, max_size=8).map("x-".__add__)
values = st.text(st.sampled_from("abc \t,;=\"'\xe9\xff"), max_size=12).map(lambda text: text.strip(" \t"))
pairs = st.lists(st.tuples(names, values), max_size=4)
bodies = st.binary(max_size=100)


class Message(NamedTuple):
    """What one of the two understood. start: method and target, or the status."""

    start: tuple[object, ...]
    fields: list[tuple[bytes, bytes]]
    body: bytes


def raw(fields: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in fields]


def theirs(connection: h11.Connection, data: bytes) -> Message:
    """Let h11 read one message. Raises h11.RemoteProtocolError; a message that is not complete is one, too."""
    connection.receive_data(data)
    start: tuple[object, ...] = ()
    fields: list[tuple[bytes, bytes]] = []
    body = b""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            start, fields = (event.method.decode(), event.target.decode()), list(event.headers)
        elif isinstance(event, h11.Response):
            start, fields = (event.status_code,), list(event.headers)
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            return Message(start, [pair for pair in fields if pair[0].startswith(b"x-")], body)
        else:
            raise h11.RemoteProtocolError(f"incomplete: {event}")


def ours(codec: ServerCodec | ClientCodec, data: bytes) -> Message | int:
    """Let our codec read one message. Returns the status of a refusal, 0 where the message is not complete."""
    head: Message | None = None
    body = b""
    for event in codec.feed(data):
        if isinstance(event, HeadReceived):
            request = event.request
            head = Message((request.method, request.target), [field.raw for field in request.fields], b"")
        elif isinstance(event, StatusReceived):
            head = Message((event.head.status,), [field.raw for field in event.head.fields], b"")
        elif isinstance(event, BodyReceived):
            body += event.data
        elif isinstance(event, PeerFaulted):
            return event.status
        elif isinstance(event, MessageEnded) and head is not None:
            return Message(head.start, [pair for pair in head.fields if pair[0].startswith(b"x-")], body)
    return 0


@given(st.sampled_from(["GET", "POST", "X-ODD"]), pairs, bodies, st.booleans())
def test_h11_takes_our_requests(method: str, fields: list[tuple[str, str]], body: bytes, is_measured: bool) -> None:
    client = ClientCodec(LIMITS)
    client.send_request(method, "/a?b", [("Host", "a"), *fields], len(body) if is_measured else None)
    client.send_body(body)
    client.send_end()
    message = theirs(h11.Connection(h11.SERVER), b"".join(client.outgoing()))
    assert message == Message((method, "/a?b"), raw(fields), body)


@given(st.sampled_from(["GET", "POST", "X-ODD"]), pairs, bodies, st.booleans())
def test_we_take_the_requests_of_h11(
    method: str, fields: list[tuple[str, str]], body: bytes, is_measured: bool
) -> None:
    connection = h11.Connection(h11.CLIENT)
    framing = (b"Content-Length", b"%d" % len(body)) if is_measured else (b"Transfer-Encoding", b"chunked")
    request = h11.Request(method=method, target="/a?b", headers=[(b"Host", b"a"), *raw(fields), framing])
    sent = [connection.send(event) or b"" for event in (request, h11.Data(data=body), h11.EndOfMessage())]
    assert ours(ServerCodec(LIMITS, MEMO), b"".join(sent)) == Message((method, "/a?b"), raw(fields), body)


@given(st.sampled_from([200, 204, 304, 404]), st.sampled_from(["GET", "HEAD"]), pairs, bodies, st.booleans())
def test_h11_takes_our_answers(
    status: int, method: str, fields: list[tuple[str, str]], body: bytes, is_measured: bool
) -> None:
    connection = h11.Connection(h11.CLIENT)
    request = h11.Request(method=method, target="/", headers=[(b"Host", b"a")])
    server = ServerCodec(LIMITS, MEMO)
    server.feed((connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b""))
    server.send_head(AnswerHead(status, fields, len(body) if is_measured else None), DATE)
    server.send_body(body)
    server.send_end()
    is_empty = method == "HEAD" or forbids_body(status)
    assert theirs(connection, b"".join(server.outgoing())) == Message((status,), raw(fields), b"" if is_empty else body)
    assert connection.their_state is h11.DONE


@given(st.sampled_from([200, 204, 304, 404]), st.sampled_from(["GET", "HEAD"]), pairs, bodies, st.booleans())
def test_we_take_the_answers_of_h11(
    status: int, method: str, fields: list[tuple[str, str]], body: bytes, is_measured: bool
) -> None:
    client, connection = ClientCodec(LIMITS), h11.Connection(h11.SERVER)
    client.send_request(method, "/", [("Host", "a")], 0)
    client.send_end()
    theirs(connection, b"".join(client.outgoing()))
    is_empty = method == "HEAD" or forbids_body(status)
    body = b"" if is_empty else body
    framing = [(b"Content-Length", b"%d" % len(body))] if is_measured else []
    response = h11.Response(status_code=status, headers=[*raw(fields), *framing])
    sent = [connection.send(event) or b"" for event in (response, h11.Data(data=body), h11.EndOfMessage())]
    assert ours(client, b"".join(sent)) == Message((status,), raw(fields), body)


# Requests put together from parts that are right, wrong or doubtful.
REQUEST_LINES = [b"GET / HTTP/1.1", b"POST /a HTTP/1.1", b"GET / HTTP/1.0", b"GET /a b HTTP/1.1", b"G T / HTTP/1.1"]
LINES = [
    *(b"Host: a", b"Host: b", b"X-A: b", b"X-A : b", b" folded", b"X-B", b"X-C:\x00", b"X-D: \xff", b"x-e:\tf\t"),
    *(b"Content-Length: 5", b"Content-Length: 6", b"Content-Length: +5", b"Content-Length: 5, 5", b"Content-Length: 0"),
    *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: \x0bchunked"),
    *(b"Connection: close", b"Cookie: x", b"Expect: 100-continue"),
]
BODIES = [
    *(
        b"",
        b"hello",
        b"5\r\nhello\r\n0\r\n\r\n",
        b"5;a=b\r\nhello\r\n0\r\n\r\n",
        b"5\nhello\n0\n\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
    ),
    *(b"0x5\r\nhello\r\n0\r\n\r\n", b"5\r\nhelloo\r\n0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"0\r\n\r\n"),
]
requests = st.builds(
    lambda line, fields, end, body: line + end + b"".join(field + end for field in fields) + end + body,
    st.sampled_from(REQUEST_LINES[:2]) | st.sampled_from(REQUEST_LINES),
    st.lists(st.sampled_from(LINES), max_size=4).map(lambda lines: [b"Host: a", *lines])
    | st.lists(st.sampled_from(LINES), max_size=4),
    st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n"]),
    st.sampled_from(BODIES),
)


@given(requests)
def test_what_we_accept_h11_accepts_and_reads_alike(data: bytes) -> None:
    understood = ours(ServerCodec(LIMITS, MEMO), data)
    if isinstance(understood, Message):
        assert theirs(h11.Connection(h11.SERVER), data) == understood


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx",
        b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
        b"GET /#a HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_where_we_are_stricter(data: bytes) -> None:
    theirs(h11.Connection(h11.SERVER), data)
    assert ours(ServerCodec(LIMITS, MEMO), data + b"\r\n\r\n") == 400
