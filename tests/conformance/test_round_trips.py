"""Two codecs face to face: whatever one sends, in whatever pieces it travels, arrives equal at the other."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from portico.http.status import forbids_body
from portico.settings import Limits
from portico.wire.answer import AnswerHead, WholeAnswer
from portico.wire.events import BodyReceived, Event, HeadReceived, MessageEnded, PeerFaulted, StatusReceived
from portico.wire.head import HeadMemo
from portico.wire.http1 import ClientCodec, ServerCodec

LIMITS = Limits()
DATE = b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
MEMO = HeadMemo()  # warm from the second example on

names = st.text(st.sampled_from("abcXYZ019-_"), min_size=1, max_size=8).map("x-".__add__)
values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=["Cc"]), max_size=12).map(
    lambda text: text.strip(" \t")
)
pairs = st.lists(st.tuples(names, values), max_size=4)
pieces = st.lists(st.binary(max_size=40), max_size=4)
steps = st.lists(st.integers(1, 60), min_size=1, max_size=5)


class Message(NamedTuple):
    """What is sent. is_measured: its length is announced."""

    fields: list[tuple[str, str]]
    pieces: list[bytes]
    trailers: list[tuple[str, str]]
    is_measured: bool

    @property
    def length(self) -> int | None:
        return len(self.body) if self.is_measured else None

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)


messages = st.builds(Message, pairs, pieces, pairs, st.booleans())


class Arrived(NamedTuple):
    """What came of it."""

    fields: list[tuple[str, str]]
    body: bytes
    trailers: list[tuple[str, str]]


def lower(fields: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in fields]


def ours(fields: Iterable[Sequence[object]]) -> list[tuple[str, str]]:
    """Keep the fields of the message itself, which all begin with x-."""
    return [(str(name), str(value)) for name, value, *_ in fields if str(name).startswith("x-")]


def carried(codec: ServerCodec | ClientCodec, data: bytes, sizes: list[int]) -> list[Event]:
    """Feed `data` in pieces of these sizes, again and again."""
    events: list[Event] = []
    at = turn = 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        events += codec.feed(data[at : at + size])
        at += size
        turn += 1
    return events


def arrived(events: list[Event]) -> Arrived:
    """Check that events are one well-formed message, and gather it."""
    head, *body, end = events
    assert isinstance(head, HeadReceived | StatusReceived)
    assert isinstance(end, MessageEnded)
    assert all(isinstance(event, BodyReceived) and event.data for event in body)
    fields = head.request.fields if isinstance(head, HeadReceived) else head.head.fields
    data = b"".join(event.data for event in body if isinstance(event, BodyReceived))
    return Arrived(ours(fields), data, ours(end.trailers))


def send(codec: ClientCodec, method: str, message: Message) -> bytes:
    codec.send_request(method, "/a?b=%20c", [("Host", "a"), *message.fields], message.length)
    for piece in message.pieces:
        codec.send_body(piece)
    codec.send_end(message.trailers)
    return b"".join(codec.outgoing())


@given(messages, st.sampled_from(["GET", "POST", "X-ODD"]), steps)
def test_a_request_arrives(message: Message, method: str, sizes: list[int]) -> None:
    server = ServerCodec(LIMITS, MEMO)
    result = arrived(carried(server, send(ClientCodec(LIMITS), method, message), sizes))
    trailers = [] if message.is_measured else lower(message.trailers)
    assert result == Arrived(lower(message.fields), message.body, trailers)
    assert server.request is not None
    assert (server.request.method, server.request.path, server.request.query) == (method, "/a", "b=%20c")
    assert server.buffered == b""


statuses = st.sampled_from([200, 204, 206, 304, 404, 500])


@given(messages, statuses, st.sampled_from(["GET", "HEAD"]), steps)
def test_an_answer_arrives(message: Message, status: int, method: str, sizes: list[int]) -> None:
    client, server = ClientCodec(LIMITS), ServerCodec(LIMITS, MEMO)
    server.feed(send(client, method, Message([], [], [], True)))
    server.send_head(AnswerHead(status, message.fields, message.length), DATE)
    for piece in message.pieces:
        server.send_body(piece)
    server.send_end(message.trailers)
    result = arrived(carried(client, b"".join(server.outgoing()), sizes))
    if method == "HEAD" or forbids_body(status):
        assert result == Arrived(lower(message.fields), b"", [])
    else:
        trailers = [] if message.is_measured else lower(message.trailers)
        assert result == Arrived(lower(message.fields), message.body, trailers)
    assert not server.closing
    assert not client.closing


@given(st.lists(st.tuples(messages, statuses, st.sampled_from(["GET", "HEAD", "PUT"])), max_size=5), steps)
def test_many_exchanges_on_one_connection(
    exchanges: list[tuple[Message, int, str]],
    sizes: list[int],
) -> None:
    client, server = ClientCodec(LIMITS), ServerCodec(LIMITS, MEMO)
    for message, status, method in exchanges:
        asked = arrived(carried(server, send(client, method, message), sizes))
        assert asked.body == message.body
        answer = WholeAnswer(status, message.fields, message.body)
        server.send_answer(answer, DATE)
        heard = arrived(carried(client, b"".join(server.outgoing()), sizes))
        is_empty = method == "HEAD" or forbids_body(status)
        assert heard == Arrived(lower(message.fields), b"" if is_empty else message.body, [])
    assert not server.closing
    assert not client.closing


@given(messages, steps)
def test_a_pipeline_arrives(message: Message, sizes: list[int]) -> None:
    server = ServerCodec(LIMITS, MEMO)
    one = send(ClientCodec(LIMITS), "PUT", message)
    events = carried(server, one * 3, sizes)
    alone = arrived(events)
    answers = 1
    while server.request is not None:
        server.send_answer(WholeAnswer(200, (), b""), DATE)
        events = list(server.feed(b""))
        if events:
            assert arrived(events) == alone
            answers += 1
    assert answers == 3
    assert not server.closing


@given(messages, st.integers(0, 2000), st.booleans())
def test_a_message_that_is_cut_short_is_never_taken_for_whole(message: Message, at: int, is_request: bool) -> None:
    client, server = ClientCodec(LIMITS), ServerCodec(LIMITS, MEMO)
    asked = send(client, "PUT", message)
    codec: ServerCodec | ClientCodec = server
    data = asked
    if not is_request:
        server.feed(asked)
        server.send_answer(WholeAnswer(200, message.fields, message.body), DATE)
        data = b"".join(server.outgoing())
        codec = client
    events = [*codec.feed(data[: min(at, len(data) - 1)]), *codec.feed_eof()]
    assert not any(isinstance(event, MessageEnded) for event in events)
    assert isinstance(events[-1], PeerFaulted) or (is_request and at == 0)
