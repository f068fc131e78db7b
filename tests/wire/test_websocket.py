"""The WebSocket codec, both roles: dialogues as tables, each cut at every byte; round trips; garbage."""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portico.errors import UsageError
from portico.wire.deflate import Compression, deflate
from portico.wire.events import InputEnded
from portico.wire.frames import Opcode, apply_mask, write_head
from portico.wire.messages import (
    NO_CODE,
    CloseReceived,
    FrameRefused,
    MessageReceived,
    PingReceived,
    PongReceived,
    SocketEvent,
)
from portico.wire.websocket import FrameMemo, WebSocketCodec

LIMIT = 1000
MASK = bytes.fromhex("37fa213d")
SQUEEZE = Compression(15, 15, False)
Said = tuple[Any, ...]


def new_mask() -> bytes:
    return MASK


def frame(opcode: int, payload: bytes = b"", *, rsv: int = 0, fin: bool = True, mask: bytes = MASK) -> bytes:
    """Write a frame of a client, whatever it is worth."""
    head = bytearray(write_head(opcode, len(payload), is_masked=bool(mask)))
    head[0] = (0x80 if fin else 0) | rsv << 4 | opcode
    return bytes(head) + mask + (apply_mask(payload, mask) if mask else payload)


def say(events: Iterable[SocketEvent], said: list[Said]) -> None:
    for event in events:
        match event:
            case MessageReceived(data):
                said.append((data,))
            case PingReceived(data):
                said.append(("ping", data))
            case PongReceived(data):
                said.append(("pong", data))
            case CloseReceived(code, reason):
                said.append(("close", code, reason))
            case FrameRefused(code, reason):
                assert reason.isprintable()
                said.append(("refused", code))
            case InputEnded():
                said.append(("eof",))


def heard(codec: WebSocketCodec, pieces: Iterable[bytes]) -> list[Said]:
    said: list[Said] = []
    for piece in pieces:
        say(codec.feed(piece), said)
    return said


def cuts(data: bytes) -> list[list[bytes]]:
    """Return the data whole, cut in two at every byte, and byte by byte."""
    return [[data], *([data[:at], data[at:]] for at in range(1, len(data))), [bytes((byte,)) for byte in data]]


TEXT, BINARY, CONT, CLOSE, PING, PONG = Opcode.TEXT, Opcode.BINARY, 0, Opcode.CLOSE, Opcode.PING, Opcode.PONG
KAPPA = "κόσμε".encode()

DIALOGUES: list[tuple[str, bytes, list[Said]]] = [
    ("text", frame(TEXT, b"Hello"), [("Hello",)]),
    ("binary", frame(BINARY, b"\x00\xff"), [(b"\x00\xff",)]),
    ("empty", frame(TEXT) + frame(BINARY), [("",), (b"",)]),
    ("longer than a short head", frame(BINARY, bytes(126)), [(bytes(126),)]),
    ("fragments", frame(TEXT, KAPPA[:3], fin=False) + frame(CONT, KAPPA[3:]), [("κόσμε",)]),
    (
        "fragments with a ping between",
        frame(BINARY, b"a", fin=False) + frame(PING, b"p") + frame(CONT, b"b", fin=False) + frame(CONT),
        [("ping", b"p"), (b"ab",)],
    ),
    ("pong", frame(PONG, b"x"), [("pong", b"x")]),
    ("the largest message", frame(BINARY, bytes(LIMIT)), [(bytes(LIMIT),)]),
    ("a message after another", frame(TEXT, b"1") + frame(TEXT, b"2"), [("1",), ("2",)]),
    ("a close", frame(CLOSE, b"\x03\xe8bye"), [("close", 1000, "bye")]),
    ("a close without a code", frame(CLOSE), [("close", NO_CODE, "")]),
    ("nothing behind a close", frame(CLOSE, b"\x03\xe8") + frame(TEXT, b"x"), [("close", 1000, "")]),
    ("what came before a fault counts", frame(TEXT, b"1") + frame(TEXT, b"2", rsv=1), [("1",), ("refused", 1002)]),
    ("reserved bits", frame(TEXT, b"", rsv=2), [("refused", 1002)]),
    ("compression that was not agreed on", frame(TEXT, b"", rsv=4), [("refused", 1002)]),
    ("a mask is missing", frame(TEXT, b"x", mask=b""), [("refused", 1002)]),
    ("a mask is missing from a control frame", frame(PING, b"x", mask=b""), [("refused", 1002)]),
    ("a continuation of nothing", frame(CONT, b"x"), [("refused", 1002)]),
    ("a message within a message", frame(TEXT, b"x", fin=False) + frame(TEXT, b"y"), [("refused", 1002)]),
    ("too big", frame(BINARY, bytes(LIMIT + 1)), [("refused", 1009)]),
    ("too big in all", frame(BINARY, bytes(LIMIT), fin=False) + frame(CONT, b"x"), [("refused", 1009)]),
    ("no UTF-8", frame(TEXT, b"\xff"), [("refused", 1007)]),
    ("a surrogate", frame(TEXT, b"a\xed\xa0\x80"), [("refused", 1007)]),
    ("half a character", frame(TEXT, KAPPA[:1]), [("refused", 1007)]),
    ("half a character at the end", frame(TEXT, b"a", fin=False) + frame(CONT, KAPPA[:1]), [("refused", 1007)]),
    ("a bad code", frame(CLOSE, b"\x03\xec"), [("refused", 1002)]),
    ("a bad reason", frame(CLOSE, b"\x03\xe8\xff"), [("refused", 1007)]),
]


@pytest.mark.parametrize(("data", "expected"), [row[1:] for row in DIALOGUES], ids=[row[0] for row in DIALOGUES])
def test_a_dialogue_means_the_same_however_it_is_cut(data: bytes, expected: list[Said]) -> None:
    for pieces in cuts(data) if len(data) < 300 else cuts(data)[:: len(data) // 20]:
        codec = WebSocketCodec(LIMIT)
        assert heard(codec, pieces) == expected
        if not codec.is_deaf:
            assert heard(codec, [frame(TEXT, b"neighbour")]) == [("neighbour",)]


def test_a_client_takes_no_mask_from_a_server() -> None:
    client = WebSocketCodec(LIMIT, new_mask=new_mask)
    assert heard(client, [frame(TEXT, b"x", mask=b""), frame(TEXT, b"x")]) == [("x",), ("refused", 1002)]


def test_text_is_refused_as_soon_as_it_cannot_become_utf_8() -> None:
    whole = frame(TEXT, KAPPA + b"\xf4\x90\x80\x80" + KAPPA)
    codec = WebSocketCodec(LIMIT)
    at = 6 + len(KAPPA)
    assert heard(codec, [whole[: at + 1]]) == []
    assert heard(codec, [whole[at + 1 : at + 2]]) == [("refused", 1007)]


def test_a_message_that_is_too_big_is_refused_by_its_head() -> None:
    codec = WebSocketCodec(LIMIT)
    assert heard(codec, [frame(BINARY, bytes(LIMIT + 1))[:8]]) == [("refused", 1009)]


def test_a_limit_may_be_below_the_short_way() -> None:
    assert heard(WebSocketCodec(3), [frame(TEXT, b"abcd")]) == [("refused", 1009)]
    assert heard(WebSocketCodec(3), [frame(TEXT, b"abc"), frame(TEXT, b"abcd")]) == [("abc",), ("refused", 1009)]


def test_frames_are_counted() -> None:
    codec = WebSocketCodec(LIMIT)
    data = frame(TEXT, b"1") + frame(BINARY, b"", fin=False) + frame(PING) + frame(CONT)
    heard(codec, [frame(TEXT, b"short"), frame(BINARY, b"way"), data])
    assert codec.frames == 6


# closing


def test_a_close_is_answered_when_the_driver_says_so() -> None:
    codec = WebSocketCodec(LIMIT)
    heard(codec, [frame(TEXT, b"1") + frame(CLOSE, b"\x0f\xa0bye")])
    assert (codec.is_deaf, codec.closing, codec.outgoing()) == (True, False, [])
    codec.send_message("2")
    codec.answer_close()
    assert b"".join(codec.outgoing()) == b"\x81\x012" + b"\x88\x02\x0f\xa0"
    assert codec.closing
    codec.answer_close()
    codec.send_pong(b"")
    assert codec.outgoing() == []
    assert heard(codec, [frame(TEXT, b"late")]) == []
    assert codec.feed_eof() == ()


def test_a_refusal_says_why() -> None:
    codec = WebSocketCodec(LIMIT)
    heard(codec, [frame(BINARY, bytes(LIMIT + 1))])
    codec.answer_close()
    assert codec.outgoing() == [b"\x88\x1e\x03\xf1a message of over 1000 bytes"]
    assert codec.closing


def test_a_driver_may_refuse_for_its_own_reasons() -> None:
    codec = WebSocketCodec(LIMIT)
    codec.refuse(1008, "too fast")
    codec.refuse(1002, "and more")
    codec.answer_close()
    assert codec.outgoing() == [b"\x88\x0a\x03\xf0too fast"]
    assert heard(codec, [frame(TEXT, b"x")]) == []


def test_our_own_close_is_answered_by_the_peer() -> None:
    codec = WebSocketCodec(LIMIT)
    codec.answer_close()  # there is nothing to answer
    codec.send_close(1001, "away")
    codec.send_close(1000)
    assert codec.outgoing() == [b"\x88\x06\x03\xe9away"]
    assert (codec.is_ending, codec.closing) == (True, False)
    assert heard(codec, [frame(TEXT, b"crossing"), frame(CLOSE, b"\x03\xe9")]) == [("crossing",), ("close", 1001, "")]
    codec.answer_close()
    assert (codec.closing, codec.outgoing()) == (True, [])


def test_a_close_may_be_answered_in_our_own_words() -> None:
    codec = WebSocketCodec(LIMIT)
    heard(codec, [frame(CLOSE, b"\x03\xe8")])
    codec.send_close(1011, "oh")
    assert (codec.closing, codec.outgoing()) == (True, [b"\x88\x04\x03\xf3oh"])


def test_the_end_of_the_input_ends_everything() -> None:
    codec = WebSocketCodec(LIMIT)
    assert heard(codec, [frame(TEXT, b"half")[:-1]]) == []
    assert codec.feed_eof() == (InputEnded(),)
    assert codec.closing
    with pytest.raises(UsageError, match="cannot follow"):
        codec.send_message("x")


# sending


@pytest.mark.parametrize(
    ("data", "sent"),
    [
        ("Hello", b"\x81\x05Hello"),
        (b"\x00\xff", b"\x82\x02\x00\xff"),
        ("é", b"\x81\x02\xc3\xa9"),
        (b"a" * 126, b"\x82\x7e\x00\x7e" + b"a" * 126),
    ],
)
def test_a_message_is_one_frame(data: str | bytes, sent: bytes) -> None:
    codec = WebSocketCodec(LIMIT)
    codec.send_message(data)
    assert codec.outgoing() == [sent]
    assert codec.outgoing() == []


def test_a_large_payload_is_not_copied() -> None:
    codec = WebSocketCodec(LIMIT)
    data = bytes(70_000)
    codec.send_message(data)
    head, payload = codec.outgoing()
    assert head == b"\x82\x7f" + (70_000).to_bytes(8, "big")
    assert payload is data


@pytest.mark.parametrize("size", [10, 5000, 2_000_000])
@pytest.mark.parametrize("compression", [None, SQUEEZE])
def test_a_message_to_many_is_framed_once(size: int, compression: Compression | None) -> None:
    memo = FrameMemo()
    codecs = [WebSocketCodec(LIMIT, compression, memo=memo) for _ in range(3)]
    plain = WebSocketCodec(LIMIT, memo=memo)
    text = "ab" * (size // 2)
    for codec in (*codecs, plain):
        codec.send_message(text)
    first, *others, uncompressed = (codec.outgoing() for codec in (*codecs, plain))
    assert all(other == first for other in others)
    if size < 1_000_000:
        assert all(other[0] is first[0] for other in others)
    else:
        assert memo.message is None
    assert heard(WebSocketCodec(size, new_mask=new_mask), uncompressed) == [(text,)]
    assert heard(WebSocketCodec(size, compression, new_mask=new_mask), first) == [(text,)]


def test_equal_messages_of_other_kinds_are_not_confused() -> None:
    memo = FrameMemo()
    codec = WebSocketCodec(LIMIT, memo=memo)
    for data in ("a", b"a", "a"):
        codec.send_message(data)
    assert codec.outgoing() == [b"\x81\x01a", b"\x82\x01a", b"\x81\x01a"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda codec: codec.send_message("\ud800"), "surrogates"),
        (lambda codec: codec.send_message(bytearray(b"x")), "str or bytes, not bytearray"),
        (lambda codec: codec.send_message(None), "not NoneType"),
        (lambda codec: codec.send_close(1005), "1005 is not a close code"),
        (lambda codec: codec.send_close(1000, "é" * 62), "at most 123 bytes"),
        (lambda codec: codec.send_ping(bytes(126)), "at most 125 bytes, not 126"),
        (lambda codec: codec.send_pong(bytes(126)), "at most 125 bytes, not 126"),
    ],
)
def test_what_cannot_be_sent_is_a_mistake(call: Callable[[WebSocketCodec], None], words: str) -> None:
    codec = WebSocketCodec(LIMIT)
    with pytest.raises(UsageError, match=words):
        call(codec)
    assert codec.outgoing() == []


def test_pings_and_pongs() -> None:
    codec = WebSocketCodec(LIMIT)
    codec.send_ping(b"p")
    codec.send_pong(bytes(125))
    assert codec.outgoing() == [b"\x89\x01p", b"\x8a\x7d" + bytes(125)]


def test_the_example_of_the_rfc_for_a_client() -> None:
    codec = WebSocketCodec(LIMIT, new_mask=new_mask)
    codec.send_message("Hello")
    assert codec.outgoing() == [bytes.fromhex("818537fa213d7f9f4d5158")]


# compression


def test_a_compressed_message_may_come_in_fragments() -> None:
    text = "compressed, and in fragments " * 30
    packed = deflate(text.encode(), 15)
    assert packed is not None
    data = frame(TEXT, packed[:9], rsv=4, fin=False) + frame(PING) + frame(CONT, packed[9:])
    for pieces in cuts(data):
        codec = WebSocketCodec(LIMIT, SQUEEZE)
        assert heard(codec, pieces) == [("ping", b""), (text,)]
        assert heard(codec, [frame(TEXT, b"plain")]) == [("plain",)]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (deflate(bytes(LIMIT + 1), 15), 1009),
        (b"\xff" * 20, 1007),
        (deflate(b"\xff" * 200, 15), 1007),
        (bytes(LIMIT + 100), 1009),
    ],
)
def test_a_compressed_message_is_refused(payload: bytes, code: int) -> None:
    assert heard(WebSocketCodec(LIMIT, SQUEEZE), [frame(TEXT, payload, rsv=4)]) == [("refused", code)]


def test_what_does_not_shrink_may_grow_a_little() -> None:
    data = Random(1).randbytes(LIMIT)
    stored = b"\x00" + LIMIT.to_bytes(2, "little") + (LIMIT ^ 0xFFFF).to_bytes(2, "little") + data + b"\x00"
    assert heard(WebSocketCodec(LIMIT, SQUEEZE), [frame(BINARY, stored, rsv=4)]) == [(data,)]


# properties

MESSAGES = st.lists(st.one_of(st.text(max_size=300), st.binary(max_size=300), st.just("ab" * 400)), max_size=5)


def pump(source: WebSocketCodec, target: WebSocketCodec, size: int) -> list[Said]:
    data = b"".join(source.outgoing())
    return heard(target, [data[at : at + size] for at in range(0, len(data), size)])


@given(MESSAGES, st.integers(1, 500), st.booleans(), st.binary(min_size=4, max_size=4))
def test_messages_arrive_as_they_were_sent(
    messages: Sequence[str | bytes], size: int, squeezes: bool, mask: bytes
) -> None:
    compression = SQUEEZE if squeezes else None
    server = WebSocketCodec(2000, compression)
    client = WebSocketCodec(2000, compression, new_mask=lambda: mask)
    for source, target in ((server, client), (client, server)):
        for message in messages:
            source.send_message(message)
        source.send_ping(b"between")
        assert pump(source, target, size) == [*((message,) for message in messages), ("ping", b"between")]


@given(st.text(max_size=400), st.lists(st.integers(0, 400), max_size=6), st.binary(min_size=4, max_size=4))
def test_fragments_of_any_size_make_the_message(text: str, places: list[int], mask: bytes) -> None:
    data = text.encode()
    bounds = sorted({0, len(data), *(place for place in places if place < len(data))})
    parts = [data[start:end] for start, end in pairwise(bounds)] or [b""]
    frames = [frame(CONT if at else TEXT, part, fin=at == len(parts) - 1, mask=mask) for at, part in enumerate(parts)]
    assert heard(WebSocketCodec(2000), [b"".join(frames)]) == [(text,)]


def test_a_message_of_many_pieces_of_all_sizes() -> None:
    random = Random(3)
    parts = [random.randbytes(random.choice((0, 1, 100, 4096, 20_000))) for _ in range(100)]
    data = b"".join(frame(CONT if at else BINARY, part, fin=at == 99) for at, part in enumerate(parts))
    codec = WebSocketCodec(1 << 20)
    pieces = [data[at : at + 10_000] for at in range(0, len(data), 10_000)]
    assert heard(codec, pieces) == [(b"".join(parts),)]


WORDS = st.sampled_from(
    [
        *(frame(TEXT, b"Hello"), frame(BINARY, bytes(200), fin=False), frame(CONT, b"x"), frame(PING, b"p")),
        *(frame(TEXT, b"abc", rsv=4), frame(TEXT, KAPPA, fin=False), frame(CLOSE), b"\xff", b"\x00", b"\x81\xfe"),
    ]
)


@settings(max_examples=200)
@given(st.lists(st.one_of(WORDS, st.binary(max_size=40)), max_size=20), st.booleans(), st.booleans())
def test_garbage_is_refused_and_nothing_more(pieces: list[bytes], squeezes: bool, masks: bool) -> None:
    codec = WebSocketCodec(LIMIT, SQUEEZE if squeezes else None, new_mask=new_mask if masks else None)
    said = heard(codec, pieces)
    ends = [at for at, entry in enumerate(said) if entry[0] in ("close", "refused") and len(entry) > 1]
    assert ends in ([], [len(said) - 1])
    assert codec.is_deaf is bool(ends)
    codec.answer_close()
    assert len(b"".join(codec.outgoing())) <= 131
