"""Response heads: one framing, ours; nothing on the wire that an application should not have said."""

import pytest

from portico.errors import UsageError
from portico.wire.answer import CHUNKED, AnswerHead, Persistence, WholeAnswer, status_line

DATE = b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
SILENT, CLOSE, KEEP = Persistence.SILENT, Persistence.CLOSE, Persistence.KEEP


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (200, b"HTTP/1.1 200 OK\r\n"),
        (103, b"HTTP/1.1 103 Early Hints\r\n"),
        (404, b"HTTP/1.1 404 Not Found\r\n"),
        (299, b"HTTP/1.1 299 \r\n"),  # RFC 9112 4: the blank stays where there is no reason
        (599, b"HTTP/1.1 599 \r\n"),
    ],
)
def test_status_line(status: int, line: bytes) -> None:
    assert status_line(status) == line


@pytest.mark.parametrize("status", [-1, 0, 99, 600, 1000])
def test_what_is_no_status(status: int) -> None:
    with pytest.raises(UsageError, match="100 to 599"):
        status_line(status)


@pytest.mark.parametrize("status", [100, 101, 103, 199, 0, 600])
def test_a_final_answer_has_a_final_status(status: int) -> None:
    with pytest.raises(UsageError):
        AnswerHead(status, (), 0)
    with pytest.raises(UsageError):
        WholeAnswer(status, (), b"")


@pytest.mark.parametrize(
    ("length", "persistence", "is_chunked", "framing"),
    [
        (5, SILENT, False, b"Content-Length: 5\r\n"),
        (0, SILENT, False, b"Content-Length: 0\r\n"),
        (5, CLOSE, False, b"Content-Length: 5\r\nConnection: close\r\n"),
        (5, KEEP, False, b"Content-Length: 5\r\nConnection: keep-alive\r\n"),
        (None, SILENT, True, b"Transfer-Encoding: chunked\r\n"),
        (None, CLOSE, True, b"Transfer-Encoding: chunked\r\nConnection: close\r\n"),
        (None, CLOSE, False, b"Connection: close\r\n"),
    ],
)
def test_a_head(length: int | None, persistence: int, is_chunked: bool, framing: bytes) -> None:
    head = AnswerHead(200, [("Content-Type", "text/plain"), ("x-b", "\xe9")], length)
    assert head.render(DATE, persistence, framing=CHUNKED if is_chunked else b"") == (
        b"HTTP/1.1 200 OK\r\n" + DATE + b"Content-Type: text/plain\r\nx-b: \xe9\r\n" + framing + b"\r\n"
    )


def test_framing_by_an_application_is_left_out() -> None:
    pairs = [
        *(("Content-Length", "99"), ("Transfer-Encoding", "chunked"), ("Connection", "keep-alive")),
        *(("Date", "today"), ("Keep-Alive", "timeout=5"), ("x", "y")),
    ]
    assert AnswerHead(200, pairs, 5).render(DATE, SILENT) == (
        b"HTTP/1.1 200 OK\r\n" + DATE + b"x: y\r\nContent-Length: 5\r\n\r\n"
    )


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_no_framing(status: int) -> None:
    assert b"Content-Length" not in AnswerHead(status, (), 5).render(DATE, SILENT)
    whole = WholeAnswer(status, (), b"hello")
    assert whole.length == 0
    for kind in range(6):
        data = whole.render(DATE, kind)
        assert data.endswith(b"\r\n\r\n")
        assert b"Content-Length" not in data
        assert b"hello" not in data


@pytest.mark.parametrize(
    "pair",
    [("x", "a\r\nSet-Cookie: b"), ("x", "a\nb"), ("x", "a\rb"), ("x", "a\x00"), ("x:", "a"), ("", "a"), ("x", "中")],
)
def test_fields_that_may_not_be_sent(pair: tuple[str, str]) -> None:
    with pytest.raises(UsageError):
        AnswerHead(200, [("a", "b"), pair], 0)
    with pytest.raises(UsageError):
        WholeAnswer(200, [pair], b"")


def test_a_whole_answer() -> None:
    whole = WholeAnswer(200, [("x", "y")], b"hello")
    assert (whole.status, whole.length) == (200, 5)
    before = b"HTTP/1.1 200 OK\r\n" + DATE + b"x: y\r\nContent-Length: 5\r\n"
    lines = {SILENT: b"", CLOSE: b"Connection: close\r\n", KEEP: b"Connection: keep-alive\r\n"}
    for persistence, line in lines.items():
        assert whole.render(DATE, persistence) == before + line + b"\r\nhello"
        assert whole.render(DATE, persistence + 3) == before + line + b"\r\n"


def test_a_whole_answer_remembers_what_it_rendered() -> None:
    whole = WholeAnswer(200, (), b"hello")
    first = whole.render(DATE, SILENT)
    assert whole.rendered[SILENT] == (DATE, first)
    assert whole.rendered[CLOSE] == (b"", b"")
    later = b"Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n"
    assert whole.render(later, SILENT) == first.replace(b":37", b":38")
    assert whole.rendered[SILENT][0] is later
