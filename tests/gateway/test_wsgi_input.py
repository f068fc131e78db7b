from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.errors import Gone
from portico.gateway.wsgi_input import ClientDisconnected, body_file

BODY = b"first line\nsecond line\n\nlast, without an end"


def pieces(*rest: bytes | Exception) -> Callable[[], bytes]:
    left = list(rest)

    def fetch() -> bytes:
        piece = left.pop(0)
        if isinstance(piece, Exception):
            raise piece
        return piece

    return fetch


CUTS = st.lists(st.integers(0, len(BODY)), max_size=5).map(lambda cuts: [0, *sorted(cuts), len(BODY)])


def cut(points: list[int]) -> list[bytes]:
    parts = [BODY[a:b] for a, b in pairwise(points)]
    return [parts[0], *filter(None, parts[1:]), b""]


@given(CUTS, st.integers(1, 50))
def test_however_it_comes_it_reads_the_same(points: list[int], size: int) -> None:
    first, *rest = cut(points)
    assert body_file(first, pieces(*rest)).read() == BODY
    assert list(body_file(first, pieces(*rest))) == BODY.splitlines(keepends=True)
    assert body_file(first, pieces(*rest)).readlines() == BODY.splitlines(keepends=True)
    file = body_file(first, pieces(*rest))
    read = []
    while piece := file.read(size):
        read.append(piece)
    assert b"".join(read) == BODY
    assert all(len(piece) == size for piece in read[:-1])
    assert (file.read(), file.read(1), file.readline()) == (b"", b"", b"")


def test_no_more_is_waited_for_than_was_asked() -> None:
    file = body_file(b"line\nrest", pieces())
    assert file.readline() == b"line\n"
    assert file.read(4) == b"rest"
    assert body_file(b"", pieces(b"abc")).readline(2) == b"ab"


@pytest.mark.parametrize("read", ["read", "readline", "readlines"])
def test_a_body_that_breaks_off_raises(read: str) -> None:
    file = body_file(b"begin", pieces(b"more", ClientDisconnected("gone"), ClientDisconnected("gone")))
    with pytest.raises(OSError, match="gone"):
        getattr(file, read)()
    with pytest.raises(ClientDisconnected):
        file.read()


def test_it_is_gone_and_an_os_error() -> None:
    exc = ClientDisconnected("away")
    assert isinstance(exc, Gone)
    assert isinstance(exc, OSError)
