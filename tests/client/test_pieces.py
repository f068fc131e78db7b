"""Pieces of files: planned without a gap, and taken only where they are what was asked for."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.client.stage import serving

from portico.client.blocking import Client
from portico.client.part_file import Notes, Piece
from portico.client.pieces import Answered, Changed, check_piece, conditional, content_range, plan_pieces, validator_of
from portico.client.proxies import Proxies
from portico.client.response import Response
from portico.errors import PeerError

NOTES = Notes("http://h/", '"1"', 100)


def responses(head: str) -> Iterator[Response]:
    with serving([f"HTTP/1.1 {head}\r\n\r\n".encode()]) as server, Client(proxies=Proxies()) as client:
        with client.stream("GET", server.url) as response:
            yield response


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ("Content-Range: bytes 0-9/100\r\nContent-Length: 10", (0, 10, 100)),
        ("Content-Range: bytes 99-99/100\r\nContent-Length: 1", (99, 1, 100)),
        ("Content-Range: bytes 0-9/100\r\nContent-Length: 11", None),
        ("Content-Range: bytes 0-9/100\r\nTransfer-Encoding: chunked", None),
        ("Content-Range: bytes 0-9/100\r\nContent-Length: 10\r\nContent-Encoding: gzip", None),
        ("Content-Range: bytes 9-5/100\r\nContent-Length: 10", None),
        ("Content-Range: bytes 0-9/9\r\nContent-Length: 10", None),
        ("Content-Range: bytes 0-9/*\r\nContent-Length: 10", None),
        ("Content-Range: bytes */100\r\nContent-Length: 10", None),
        ("Content-Range: lines 0-9/100\r\nContent-Length: 10", None),
        (f"Content-Range: bytes 0-9/1{'0' * 5000}\r\nContent-Length: 10", None),
        ("Content-Length: 10", None),
    ],
)
def test_which_bytes_an_answer_brings(fields: str, found: tuple[int, int, int] | None) -> None:
    for response in responses(f"206 x\r\n{fields}"):
        assert content_range(response) == found


GOOD = "206 x\r\nContent-Range: bytes 10-19/100\r\nContent-Length: 10"


@pytest.mark.parametrize(
    ("head", "end", "error"),
    [
        (GOOD, 20, None),
        (f'{GOOD}\r\nETag: "1"', 20, None),
        (f'{GOOD}\r\nETag: "2"', 20, Changed),
        (GOOD, 21, PeerError),
        (GOOD, None, PeerError),
        (GOOD.replace("10-19", "11-20"), 20, PeerError),
        (GOOD.replace("/100", "/200"), 20, Changed),
        ("206 x\r\nContent-Length: 10", 20, PeerError),
        ("416 x\r\nContent-Length: 0", 20, Changed),
        ("412 x\r\nContent-Length: 0", 20, Changed),
        ("404 x\r\nContent-Length: 0", 20, Answered),
        ("200 x\r\nContent-Length: 0", 20, Answered),
    ],
)
def test_a_piece_is_what_was_asked_for(head: str, end: int | None, error: type[Exception] | None) -> None:
    for response in responses(head):
        if error is None:
            check_piece(response, NOTES, 10, end)
        else:
            with pytest.raises(error):
                check_piece(response, NOTES, 10, end)


def test_the_end_of_a_file_of_unknown_size() -> None:
    for response in responses("206 x\r\nContent-Range: bytes 10-99/100\r\nContent-Length: 90"):
        check_piece(response, Notes("http://h/", '"1"', None), 10)


def test_how_to_ask() -> None:
    assert conditional('"1"', "bytes=5-") == (("Range", "bytes=5-"), ("If-Range", '"1"'))


@given(st.integers(0, 1 << 34), st.integers(0, 1 << 34), st.integers(1, 16))
def test_pieces_make_up_what_is_missing(start: int, missing: int, workers: int) -> None:
    size = start + missing
    position = start
    for piece in plan_pieces(start, size, workers):
        assert piece.start == position
        assert piece.done == 0
        assert piece.length > 0
        position += piece.length
    assert position == size


def test_pieces_are_neither_tiny_nor_huge() -> None:
    assert plan_pieces(0, 100, 16) == [Piece(0, 100)]
    assert [piece.length >> 20 for piece in plan_pieces(0, 160 << 20, 4)] == [10] * 16
    assert {piece.length for piece in plan_pieces(0, 1 << 33, 2)} == {64 << 20}


def test_a_size_that_nobody_has_room_for_makes_no_endless_list() -> None:
    assert len(plan_pieces(5, 999_999_999_999_999_999, 4)) == 10_000


OLD, NOW = "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:50:37 GMT"


@pytest.mark.parametrize(
    ("values", "validator"),
    [
        ({"etag": '"a"'}, '"a"'),
        ({"etag": ' "a" '}, '"a"'),
        ({"etag": 'W/"a"', "last-modified": OLD, "date": NOW}, ""),
        ({"etag": '"a", "b"'}, ""),
        ({"etag": "*"}, ""),
        ({"etag": "a"}, ""),
        ({"etag": '"a"', "content-encoding": "gzip"}, ""),
        ({"etag": '"a"', "content-encoding": "identity"}, '"a"'),
        ({"last-modified": OLD, "date": NOW}, OLD),
        ({"last-modified": OLD, "date": OLD}, ""),
        ({"last-modified": OLD}, ""),
        ({"last-modified": "yesterday", "date": NOW}, ""),
        ({}, ""),
    ],
)
def test_what_tells_one_version_from_another(values: dict[str, str], validator: str) -> None:
    assert validator_of(values) == validator
