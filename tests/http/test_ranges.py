"""Ranges: RFC 9110's examples, the requests that broke other servers, and a reference model for all the rest."""

import email.message
import email.parser
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from portico.errors import UsageError
from portico.http.ranges import (
    MOST_PARTS,
    ByteRange,
    content_range,
    multipart_parts,
    select_ranges,
    unsatisfied_range,
)

HUGE = "9" * 5000  # more digits than int() accepts


@pytest.mark.parametrize(
    ("value", "size", "selected"),
    [
        # RFC 9110 14.1.2, a representation of 10000 bytes
        ("bytes=0-499", 10_000, [(0, 500)]),
        ("bytes=500-999", 10_000, [(500, 500)]),
        ("bytes=-500", 10_000, [(9_500, 500)]),
        ("bytes=9500-", 10_000, [(9_500, 500)]),
        ("bytes=0-0,-1", 10_000, [(0, 1), (9_999, 1)]),
        ("bytes= 0-999, 4500-5499, -1000", 10_000, [(0, 1000), (4500, 1000), (9000, 1000)]),
        ("bytes=500-600,601-999", 10_000, [(500, 101), (601, 399)]),
        ("bytes=500-700,601-999", 10_000, None),
        # edges of one range
        ("bytes=0-0", 500, [(0, 1)]),
        ("bytes=0-", 500, [(0, 500)]),
        ("bytes=499-", 500, [(499, 1)]),
        ("bytes=499-499", 500, [(499, 1)]),
        ("bytes=499-500", 500, [(499, 1)]),
        ("bytes=0-500", 500, [(0, 500)]),
        ("bytes=500-", 500, []),
        ("bytes=500-501", 500, []),
        ("bytes=-1", 500, [(499, 1)]),
        ("bytes=-500", 500, [(0, 500)]),
        ("bytes=-501", 500, [(0, 500)]),
        ("bytes=-0", 500, []),
        ("bytes=-000", 500, []),
        ("bytes=-0,0-0", 500, [(0, 1)]),
        ("bytes=900-,0-0", 500, [(0, 1)]),
        ("bytes=007-0008", 500, [(7, 2)]),
        ("BYTES=0-1", 500, [(0, 2)]),
        # numbers beyond any size
        (f"bytes=0-{HUGE}", 500, [(0, 500)]),
        (f"bytes={HUGE}-", 500, []),
        (f"bytes={HUGE}-{HUGE}", 500, []),
        (f"bytes={HUGE}9-{HUGE}", 500, None),
        (f"bytes=-{HUGE}", 500, [(0, 500)]),
        (f"bytes={'0' * 5000}1-1", 500, [(1, 1)]),
        (f"bytes={2**63}-", 2**63 + 1, [(2**63, 1)]),
        # order as sent, empty elements
        ("bytes=400-499,0-99", 500, [(400, 100), (0, 100)]),
        ("bytes=,,0-0,\t,1-1,", 500, [(0, 1), (1, 1)]),
        (f"bytes={',' * 5000}0-0", 500, [(0, 1)]),
        # malformed
        ("", 500, None),
        ("bytes", 500, None),
        ("bytes=", 500, None),
        ("bytes=,", 500, None),
        ("bytes=-", 500, None),
        ("bytes=5", 500, None),
        ("bytes=5-2", 500, None),
        ("bytes=600-599", 500, None),
        ("bytes=0-0,5-2", 500, None),
        ("bytes=0-0,x", 500, None),
        ("bytes=--1", 500, None),
        ("bytes=0--1", 500, None),
        ("bytes=1-2-3", 500, None),
        ("bytes=+1-2", 500, None),
        ("bytes=0 -1", 500, None),
        ("bytes=0- 1", 500, None),
        ("bytes=0-1;2-3", 500, None),
        ("bytes=0x0-0x1", 500, None),
        ("bytes=1_0-2_0", 500, None),
        ("bytes=٠-١", 500, None),
        ("bytes=0-0\n", 500, None),
        ("bytes =0-1", 500, None),
        ("bytes:0-1", 500, None),
        ("items=0-1", 500, None),
        ("none=0-1", 500, None),
        # the same byte twice, too many parts
        ("bytes=0-,0-", 500, None),
        ("bytes=0-0,0-0", 500, None),
        ("bytes=10-20,0-9,20-30", 500, None),
        ("bytes=-10,490-", 500, None),
        ("bytes=" + ",".join(f"{2 * n}-{2 * n}" for n in range(MOST_PARTS)), 500, [(2 * n, 1) for n in range(16)]),
        ("bytes=" + ",".join(f"{2 * n}-{2 * n}" for n in range(MOST_PARTS + 1)), 500, None),
        ("bytes=0-0," + ",".join(["900-"] * MOST_PARTS), 500, None),
        # empty representations are sent whole
        ("bytes=0-", 0, None),
        ("bytes=0-0", 0, None),
        ("bytes=-1", 0, None),
    ],
)
def test_select_ranges(value: str, size: int, selected: list[tuple[int, int]] | None) -> None:
    assert select_ranges(value, size) == (None if selected is None else tuple(ByteRange(*pair) for pair in selected))


def select_by_model(value: str, size: int) -> list[list[int]] | None:
    """Do the same by listing every byte: slow and plain."""
    match = re.fullmatch(r"bytes=(.*)", value, re.IGNORECASE)
    if not match or size == 0:
        return None
    specs = [spec.strip(" \t") for spec in match[1].split(",") if spec.strip(" \t")]
    if not specs or len(specs) > 16:
        return None
    parts = []
    for spec in specs:
        if re.fullmatch(r"\d+-", spec):
            part = [byte for byte in range(size) if byte >= int(spec[:-1])]
        elif re.fullmatch(r"-\d+", spec):
            part = [byte for byte in range(size) if byte >= size - int(spec[1:])]
        elif re.fullmatch(r"\d+-\d+", spec):
            first, last = map(int, spec.split("-"))
            if last < first:
                return None
            part = [byte for byte in range(size) if first <= byte <= last]
        else:
            return None
        if part:
            parts.append(part)
    every = [byte for part in parts for byte in part]
    return parts if len(every) == len(set(every)) else None


numbers = st.integers(0, 60).map(str) | st.sampled_from(["00", "007", "10000000000000000000000"])
specs = (
    st.builds("{}-{}".format, numbers, numbers)
    | numbers.map("{}-".format)
    | numbers.map("-{}".format)
    | st.text(st.sampled_from("0123-, \tx"), max_size=6)
)
# Mostly well formed and apart from one another, or nearly every set would be refused.
apart = st.lists(st.integers(0, 60), max_size=40, unique=True).map(
    lambda edges: [f"{first}-{last - 1}" for first, last in zip(sorted(edges)[::2], sorted(edges)[1::2], strict=False)]
)
fields = st.builds(
    "{}={}".format,
    st.sampled_from(["bytes", "bytes", "bytes", "Bytes", "byte"]),
    (st.lists(specs, max_size=4) | apart.flatmap(st.permutations)).map(",".join),
)


@given(fields, st.integers(0, 64))
@example("bytes=0-,-0", 10)
def test_every_field_selects_what_the_model_does(value: str, size: int) -> None:
    selected = select_ranges(value, size)
    bytes_of_parts = None if selected is None else [list(range(p.start, p.start + p.length)) for p in selected]
    assert bytes_of_parts == select_by_model(value, size)


@given(st.text(), st.integers())
def test_no_value_raises(text: str, size: int) -> None:
    assert select_ranges(text, size) is None
    selected = select_ranges("bytes=" + text, size) or ()
    assert all(0 <= part.start < part.start + part.length <= size for part in selected)


# RFC 9110 14.4, 15.3.7 and 15.5.17
@pytest.mark.parametrize(
    ("selected", "size", "text"),
    [
        (ByteRange(0, 500), 1234, "bytes 0-499/1234"),
        (ByteRange(500, 500), 1234, "bytes 500-999/1234"),
        (ByteRange(734, 500), 1234, "bytes 734-1233/1234"),
        (ByteRange(21010, 26012), 47022, "bytes 21010-47021/47022"),
        (ByteRange(0, 1), 1, "bytes 0-0/1"),
    ],
)
def test_content_range(selected: ByteRange, size: int, text: str) -> None:
    assert content_range(selected, size) == text


def test_unsatisfied_range() -> None:
    assert unsatisfied_range(47022) == "bytes */47022"


def test_the_multipart_example_of_rfc_9110() -> None:
    parts = [ByteRange(500, 500), ByteRange(7000, 1000)]
    preambles, closing = multipart_parts(parts, 8000, media_type="application/pdf", boundary="THIS_STRING_SEPARATES")
    assert preambles == [
        b"\r\n--THIS_STRING_SEPARATES\r\nContent-Type: application/pdf\r\nContent-Range: bytes 500-999/8000\r\n\r\n",
        b"\r\n--THIS_STRING_SEPARATES\r\nContent-Type: application/pdf\r\nContent-Range: bytes 7000-7999/8000\r\n\r\n",
    ]
    assert closing == b"\r\n--THIS_STRING_SEPARATES--\r\n"


def test_a_mime_parser_reads_the_parts_back() -> None:
    content = bytes(range(256)) * 4
    parts = select_ranges("bytes=0-9, 300-309, -3", len(content))
    assert parts
    preambles, closing = multipart_parts(parts, len(content), media_type="text/x; charset=utf-8", boundary="b.1_-+'")
    body = b"".join(
        head + content[part.start : part.start + part.length] for head, part in zip(preambles, parts, strict=True)
    )
    head = b"Content-Type: multipart/byteranges; boundary=b.1_-+'\r\n\r\n"
    message = email.parser.BytesParser().parsebytes(head + body + closing)
    pieces = message.get_payload()
    assert isinstance(pieces, list)
    assert [piece["Content-Range"] for piece in pieces if isinstance(piece, email.message.Message)] == [
        "bytes 0-9/1024",
        "bytes 300-309/1024",
        "bytes 1021-1023/1024",
    ]


@pytest.mark.parametrize("boundary", ["", "a b", 'a"b', "a\r\nb", "a\n", "é", "x" * 71])
def test_a_boundary_that_would_break_the_framing_is_refused(boundary: str) -> None:
    with pytest.raises(UsageError, match="boundary"):
        multipart_parts([ByteRange(0, 1)], 1, media_type="text/plain", boundary=boundary)


def test_the_longest_boundary_is_fine() -> None:
    _, closing = multipart_parts([], 1, media_type="text/plain", boundary="x" * 70)
    assert len(closing) == 70 + 8
