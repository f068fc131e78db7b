"""Bodies: RFC 9112 sections 6 and 7 in tables, each input cut everywhere; and what is written, read back."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.errors import PeerError, UsageError
from portico.wire.body import BodyReader, BodyWriter, ChunkedReader, CloseReader, LengthReader
from portico.wire.events import ENDED, BodyReceived, Event, MessageEnded

MiB = 1 << 20


def cuts(data: bytes) -> Iterator[list[bytes]]:
    """Yield the data whole, cut in two at every byte, and byte by byte."""
    yield [data]
    for at in range(1, len(data)):
        yield [data[:at], data[at:]]
    yield [data[at : at + 1] for at in range(len(data))]


def read(reader: BodyReader, pieces: Iterable[bytes]) -> tuple[bytes, MessageEnded | None, bytes]:
    """Feed pieces. Returns the body, its end if it came, and what is behind it."""
    events: list[Event] = []
    behind = b""
    is_over = False
    for piece in pieces:
        if is_over:
            behind += piece
        else:
            rest = reader.feed(piece, events)
            is_over = rest is not None
            behind += rest or b""
    body = b"".join(event.data for event in events if isinstance(event, BodyReceived))
    assert all(event.data for event in events if isinstance(event, BodyReceived))
    ends = [event for event in events if isinstance(event, MessageEnded)]
    assert ends == ends[:1]
    assert not ends or events[-1] is ends[0]
    assert bool(ends) is is_over
    return body, ends[0] if ends else None, behind


def refusal(reader: BodyReader, pieces: Iterable[bytes]) -> int:
    with pytest.raises(PeerError) as caught:
        read(reader, pieces)
    return caught.value.status


# --- by length, and until the end -------------------------------------------------------------


def test_a_body_of_known_length() -> None:
    for pieces in cuts(b"hello" + b"GET /"):
        assert read(LengthReader(5), pieces) == (b"hello", ENDED, b"GET /")
    assert read(LengthReader(5), [b"", b"he", b"", b"l"]) == (b"hel", None, b"")


def test_a_body_that_is_cut_short() -> None:
    events: list[Event] = []
    for reader in (LengthReader(1), ChunkedReader(MiB, 1024)):
        with pytest.raises(PeerError, match="in the middle of a body") as caught:
            reader.feed_eof(events)
        assert caught.value.status == 400
    assert events == []


def test_a_body_until_the_connection_closes() -> None:
    for pieces in cuts(b"hello\r\n\r\n0\r\n\r\n"):
        assert read(CloseReader(), pieces) == (b"hello\r\n\r\n0\r\n\r\n", None, b"")
    reader, events = CloseReader(), list[Event]()
    assert reader.feed(b"", events) is None
    reader.feed_eof(events)
    assert events == [ENDED]


# --- chunks -----------------------------------------------------------------------------------

CHUNKED = [
    ("empty", b"0\r\n\r\n", b""),
    ("one chunk", b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
    ("two chunks", b"4\r\nWiki\r\n7\r\npedia i\r\n0\r\n\r\n", b"Wikipedia i"),
    ("chunks that hold line ends", b"6\r\n\r\n0\r\n\r\r\n0\r\n\r\n", b"\r\n0\r\n\r"),
    ("upper and lower case", b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", b"01234567890123456789"),
    ("leading zeros", b"000005\r\nhello\r\n000\r\n\r\n", b"hello"),
    ("fifteen digits", b"000000000000001\r\na\r\n0\r\n\r\n", b"a"),
    ("extension", b"5;a=b\r\nhello\r\n0;c\r\n\r\n", b"hello"),
    ("extensions", b'5;a="b;c";d=1;e\r\nhello\r\n0\r\n\r\n', b"hello"),
    ("a blank before an extension", b"5 ; a = b\r\nhello\r\n0\t;c\r\n\r\n", b"hello"),
    ("an extension in Latin-1", b"5;\xe9\r\nhello\r\n0\r\n\r\n", b"hello"),
]


@pytest.mark.parametrize(("data", "body"), [row[1:] for row in CHUNKED], ids=[row[0] for row in CHUNKED])
@pytest.mark.parametrize("behind", [b"", b"GET / HTTP/1.1\r\n"])
def test_chunks(data: bytes, body: bytes, behind: bytes) -> None:
    for pieces in cuts(data + behind):
        assert read(ChunkedReader(MiB, 1024), pieces) == (body, ENDED, behind)


def test_trailers() -> None:
    for pieces in cuts(b"1\r\na\r\n0\r\nChecksum: abc\r\nx-y:\r\n\r\nG"):
        body, end, behind = read(ChunkedReader(MiB, 1024), pieces)
        assert end is not None
        assert [field[:2] for field in end.trailers] == [("checksum", "abc"), ("x-y", "")]
        assert (body, behind) == (b"a", b"G")


REFUSED = [
    ("no size", b"\r\nhello", 400),
    ("no digits", b"x\r\nhello", 400),
    ("a sign", b"+5\r\nhello", 400),
    ("a negative size", b"-5\r\nhello", 400),
    ("a prefix", b"0x5\r\nhello", 400),
    ("an underscore", b"1_0\r\nhello", 400),
    ("a blank before", b" 5\r\nhello", 400),
    ("a blank behind", b"5 \r\nhello", 400),
    ("a tab behind", b"5\t\r\nhello", 400),
    ("two blanks before an extension", b"5  ;a\r\nhello", 400),
    ("a comma", b"5,5\r\nhello", 400),
    ("a full-width digit", "\uff15".encode() + b"\r\nhello", 400),
    ("sixteen digits", b"0000000000000001\r\na", 400),
    ("2 ** 64", b"10000000000000000\r\na", 400),
    ("2 ** 64 + 5 would wrap to 5", b"10000000000000005\r\nhello", 400),
    ("a body without framing", b"hello\r\n", 400),
    ("a bare LF behind a size", b"5\nhello\r\n0\r\n\r\n", 400),
    ("a bare LF alone", b"\n", 400),
    ("a bare CR behind a size", b"5\rhello\r\n0\r\n\r\n", 400),
    ("a bare CR in an extension", b"5;a\rb\r\nhello", 400),
    ("a bare LF in an extension", b"5;a\nhello\r\n0\r\n\r\n", 400),
    ("two CR behind a size", b"5\r\r\nhello", 400),
    ("NUL in an extension", b"5;\x00\r\nhello", 400),
    ("a chunk longer than its size", b"4\r\nhello\r\n", 400),
    ("a chunk shorter than its size", b"6\r\nhello\r\n0\r\n\r\n", 400),
    ("LF behind a chunk", b"5\r\nhello\n0\r\n\r\n", 400),
    ("CR behind a chunk", b"5\r\nhello\r0\r\n\r\n", 400),
    ("LF CR behind a chunk", b"5\r\nhello\n\r0\r\n\r\n", 400),
    ("two bytes for the end of a chunk", b"5\r\nhelloXX0\r\n\r\n", 400),
    ("a bare LF at the end", b"0\r\n\n", 400),
    ("a bare CR at the end", b"0\r\n\rX\r\n\r\n", 400),
    ("a bare LF in a trailer", b"0\r\na: b\n\r\n", 400),
    ("a bare CR in a trailer", b"0\r\na: b\rc: d\r\n\r\n", 400),
    ("a folded trailer", b"0\r\na: b\r\n c\r\n\r\n", 400),
    ("a blank before the colon of a trailer", b"0\r\na : b\r\n\r\n", 400),
    ("a trailer without a colon", b"0\r\nGET / HTTP/1.1\r\n\r\n", 400),
    ("a length in the trailer", b"0\r\nContent-Length: 5\r\n\r\n", 400),
    ("a coding in the trailer", b"0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("a host in the trailer", b"0\r\nHost: b\r\n\r\n", 400),
    ("a body one byte over the limit", b"100001\r\na", 413),
    ("the largest size", b"fffffffffffffff\r\na", 413),
    ("a cookie in the trailer", b"0\r\nCookie: a\r\n\r\n", 400),
]


@pytest.mark.parametrize(("data", "status"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_chunks_that_are_refused(data: bytes, status: int) -> None:
    for pieces in cuts(data):
        assert refusal(ChunkedReader(MiB, 1024), pieces) == status


def test_a_body_of_exactly_the_limit() -> None:
    for pieces in cuts(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"):
        assert read(ChunkedReader(5, 1024), pieces) == (b"abcde", ENDED, b"")
        assert refusal(ChunkedReader(4, 1024), pieces) == 413


@pytest.mark.parametrize(("length", "status"), [(1024, 0), (1025, 400), (1026, 400)])
def test_a_chunk_line_has_a_limit(length: int, status: int) -> None:
    line = b"1;" + b"x" * (length - 2)
    data = line + b"\r\na\r\n0\r\n\r\n"
    for pieces in ([data], [data[i : i + 1] for i in range(len(data))]):
        if status:
            assert refusal(ChunkedReader(MiB, 1024), pieces) == status
        else:
            assert read(ChunkedReader(MiB, 1024), pieces) == (b"a", ENDED, b"")
    if status:
        assert refusal(ChunkedReader(MiB, 1024), [line[:1024], b"x" * 2]) == 400  # nobody waits for its end


def test_all_extensions_together_have_a_limit() -> None:
    chunk = b"1;" + b"x" * 1022 + b"\r\na\r\n"
    assert read(ChunkedReader(MiB, 1024), [chunk] * 16)[0] == b"a" * 16
    assert refusal(ChunkedReader(MiB, 1024), [chunk] * 17) == 400


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (b"a: bcdef\r\n", 0),  # 10 bytes
        (b"a: bcdefg\r\n", 431),
        (b"a: bcdefgh\r\n", 431),
        (b"a: bcdefghi\r\n", 431),
        (b"a: bcdefghijklm\r\n", 431),
        (b"a:b\r\nc:d\r\n", 0),
        (b"a:b\r\nc:de\r\n", 431),
    ],
)
def test_the_trailer_section_has_a_limit(lines: bytes, status: int) -> None:
    for pieces in cuts(b"0\r\n" + lines + b"\r\n"):
        if status:
            assert refusal(ChunkedReader(MiB, 10), pieces) == status
        else:
            assert read(ChunkedReader(MiB, 10), pieces)[2] == b""


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_how_it_is_cut_changes_nothing(tail: bytes, at: list[int]) -> None:
    data = b"3\r\nabc\r\n" + tail
    edges = [0, *sorted(min(i, len(data)) for i in at), len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges)]

    def outcome(pieces: Iterable[bytes]) -> object:
        try:
            return read(ChunkedReader(MiB, 1024), pieces)
        except PeerError as error:
            return error.status

    assert outcome(pieces) == outcome([data])


# --- writing ----------------------------------------------------------------------------------


def written(writer: BodyWriter, pieces: Iterable[bytes | memoryview]) -> bytes:
    return b"".join(b"".join(writer.write(piece)) for piece in pieces) + writer.end()


@pytest.mark.parametrize(
    ("length", "pieces", "out", "fault"),
    [
        (5, [b"he", b"llo"], b"hello", ""),
        (0, [], b"", ""),
        (0, [b""], b"", ""),
        (5, [b"hel"], b"hel", "2 bytes shorter"),
        (5, [], b"", "5 bytes shorter"),
        (5, [b"hel", b"lo, world"], b"hello", "longer"),
        (5, [b"hello", b"!", b"!"], b"hello", "longer"),
        (0, [b"x"], b"", "longer"),
        (None, [b"any", b"", b"thing"], b"anything", ""),
    ],
)
def test_a_body_is_as_long_as_promised(length: int | None, pieces: list[bytes], out: bytes, fault: str) -> None:
    writer = BodyWriter(length, is_chunked=False)
    assert written(writer, pieces) == out
    assert fault in writer.fault
    assert bool(writer.fault) is bool(fault)
    assert written(BodyWriter(length, is_chunked=False), map(memoryview, pieces)) == out


def test_bytes_sent_by_other_means_count() -> None:
    writer = BodyWriter(5, is_chunked=False)
    assert writer.write(b"he") == [b"he"]
    writer.skip(2)
    assert (writer.write(b"o!"), writer.end()) == ([b"o"], b"")
    assert "longer" in writer.fault
    writer = BodyWriter(5, is_chunked=False)
    writer.skip(4)
    assert (writer.end(), "1 bytes shorter" in writer.fault) == (b"", True)
    writer = BodyWriter(None, is_chunked=False)
    writer.skip(4)
    assert (writer.end(), writer.fault) == (b"", "")


def test_chunks_are_written() -> None:
    writer = BodyWriter(None, is_chunked=True)
    assert written(writer, [b"hello", b"", memoryview(b"0123456789abcdef!")]) == (
        b"5\r\nhello\r\n11\r\n0123456789abcdef!\r\n0\r\n\r\n"
    )
    assert writer.fault == ""


def test_trailers_are_written_behind_chunks_alone() -> None:
    pairs = [("x-sum", "1")]
    assert BodyWriter(None, is_chunked=True).end(pairs) == b"0\r\nx-sum: 1\r\n\r\n"
    assert BodyWriter(None, is_chunked=False).end(pairs) == b""
    assert BodyWriter(0, is_chunked=False).end(pairs) == b""


@pytest.mark.parametrize("pair", [("x", "a\r\nb"), ("x\n", "a"), ("Set-Cookie", "a"), ("x", "\x00")])
def test_trailers_that_may_not_be_sent(pair: tuple[str, str]) -> None:
    writer = BodyWriter(None, is_chunked=True)
    with pytest.raises(UsageError):
        writer.end([pair])
    assert writer.end() == b"0\r\n\r\n"


@given(st.lists(st.binary(max_size=50), max_size=6), st.integers(1, 20))
def test_what_is_written_is_read_back(pieces: list[bytes], step: int) -> None:
    body = b"".join(pieces)
    out = written(BodyWriter(None, is_chunked=True), pieces) + b"NEXT"
    assert read(ChunkedReader(MiB, 1024), [out[i : i + step] for i in range(0, len(out), step)]) == (
        body,
        ENDED,
        b"NEXT",
    )
