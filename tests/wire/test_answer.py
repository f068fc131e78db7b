"""Response heads: one framing, ours; nothing on the wire that an application should not have said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.errors import UsageError
from portico.wire.answer import CHUNKED, AnswerHead, AppHeads, Persistence, WholeAnswer, status_line

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


# --- what applications say --------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\n"
Pairs = list[tuple[bytes, bytes]]


def both(pairs: Pairs, heads: AppHeads | None = None) -> AnswerHead:
    """Make a head of bytes and one of text, which must say the same; return it."""
    heads = heads or AppHeads()
    binary = heads.of_bytes(200, pairs)
    text = heads.of_text("200 OK", [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs])
    for persistence in (SILENT, CLOSE, KEEP):
        assert binary.render(DATE, persistence) == text.render(DATE, persistence)
    assert (binary.status, binary.length, binary.has_body) == (text.status, text.length, text.has_body)
    assert (binary.is_last, binary.has_date) == (text.is_last, text.has_date)
    return binary


@pytest.mark.parametrize(
    ("pairs", "lines"),
    [
        ([], b""),
        ([(b"content-type", b"text/plain"), (b"X-B", b"\xe9")], b"content-type: text/plain\r\nX-B: \xe9\r\n"),
        ([(b"x", b" a \t")], b"x: a\r\n"),
        ([(b"x", b"")], b"x: \r\n"),
        ([(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")], b"set-cookie: a=1\r\nset-cookie: b=2\r\n"),
        ([(b"Transfer-Encoding", b"chunked"), (b"Keep-Alive", b"timeout=5"), (b"a", b"b")], b"a: b\r\n"),
        ([(b"Upgrade", b"h2c"), (b"TE", b"trailers"), (b"Proxy-Connection", b"close"), (b"a", b"b")], b"a: b\r\n"),
        ([(b"Connection", b"keep-alive")], b""),
        ([(b"Connection", b"x-closed")], b""),
    ],
)
def test_the_fields_of_an_application(pairs: Pairs, lines: bytes) -> None:
    heads = AppHeads()
    for _ in range(2):  # once learnt, once remembered
        head = both(pairs, heads)
        assert head.render(DATE, SILENT) == OK + DATE + lines + b"\r\n"
        assert (head.length, head.is_last, head.has_date) == (None, False, False)


@pytest.mark.parametrize("value", [b"close", b"Close", b"keep-alive, close", b" close ,x"])
def test_an_application_may_end_the_connection(value: bytes) -> None:
    head = both([(b"connection", value)])
    assert head.is_last
    assert head.render(DATE, CLOSE) == OK + DATE + b"Connection: close\r\n\r\n"


def test_an_applications_date_stands_instead_of_ours() -> None:
    own = b"Mon, 07 Nov 1994 08:49:37 GMT"
    head = both([(b"date", own)])
    assert head.has_date
    assert head.render(DATE, SILENT) == OK + b"date: " + own + b"\r\n\r\n"
    assert head.render(DATE + b"X-Request-Id: 1\r\n", SILENT) == (
        OK + b"X-Request-Id: 1\r\ndate: " + own + b"\r\n\r\n"
    ), "what else the server says stays"


@pytest.mark.parametrize(("values", "length"), [([b"0"], 0), ([b"5"], 5), ([b"5", b"5"], 5), ([b"9" * 18], 10**18 - 1)])
def test_an_applications_length_is_the_heads(values: list[bytes], length: int) -> None:
    heads = AppHeads()
    for _ in range(2):
        head = both([(b"Content-Length", value) for value in values], heads)
        assert head.length == length
        assert head.render(DATE, SILENT) == OK + DATE + b"Content-Length: %d\r\n\r\n" % length


@pytest.mark.parametrize("value", [b"", b"-1", b"+5", b"5.0", b"5, 5", b"0x5", b"9" * 19, b"\xb2"])
def test_what_is_no_length(value: bytes) -> None:
    with pytest.raises(UsageError, match="is not a number"):
        AppHeads().of_bytes(200, [(b"content-length", value)])


def test_two_lengths() -> None:
    with pytest.raises(UsageError, match="two Content-Lengths, 5 and 6"):
        AppHeads().of_bytes(200, [(b"content-length", b"5"), (b"Content-Length", b"6")])


@pytest.mark.parametrize("status", [204, 304])
def test_a_length_where_no_body_may_be_is_not_sent(status: int) -> None:
    head = AppHeads().of_bytes(status, [(b"content-length", b"5")])
    assert (head.length, head.has_body) == (5, False)
    assert b"ontent-" not in head.render(DATE, SILENT)


@pytest.mark.parametrize(
    ("text", "status", "line"),
    [
        ("200 OK", 200, b"HTTP/1.1 200 OK\r\n"),
        ("200 Fine by me", 200, b"HTTP/1.1 200 Fine by me\r\n"),
        ("404 ", 404, b"HTTP/1.1 404 \r\n"),
        ("404", 404, b"HTTP/1.1 404 \r\n"),  # RFC 9112 4: the blank stays where there is no reason
        ("599 \xe9", 599, b"HTTP/1.1 599 \xe9\r\n"),
    ],
)
def test_a_status_with_its_reason(text: str, status: int, line: bytes) -> None:
    heads = AppHeads()
    for _ in range(2):
        head = heads.of_text(text, ())
        assert head.status == status
        assert head.render(DATE, SILENT) == line + DATE + b"\r\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "OK",
        "2000 OK",
        "20 OK",
        "99 x",
        "100 Continue",
        "101 x",
        "600 x",
        "-20 x",
        "200 a\r\nX: y",
        "200 \0",
        "\xb2\xb2\xb2",
    ],
)
def test_what_is_no_status_with_a_reason(text: str) -> None:
    heads = AppHeads()
    for _ in range(2):
        with pytest.raises(UsageError):
            heads.of_text(text, ())


@pytest.mark.parametrize("status", [0, 99, 101, 199, 600, True, 200.5, "200", None])
def test_what_is_no_number_of_a_status(status: int) -> None:
    heads = AppHeads()
    for _ in range(2):
        with pytest.raises(UsageError):
            heads.of_bytes(status, ())


@pytest.mark.parametrize(
    "pair",
    [
        *((b"x", b"a\r\nSet-Cookie: b"), (b"x", b"a\nb"), (b"x", b"a\x00"), (b"x:", b"a"), (b"", b"a"), (b"x y", b"a")),
        *((b"x",), (b"x", b"a", b"b"), (b"x", 5), (None, b"a"), (b"x", "中")),
    ],
)
def test_fields_of_an_application_that_may_not_be_sent(pair: tuple[bytes, bytes]) -> None:
    heads = AppHeads()
    for _ in range(2):
        with pytest.raises(UsageError):
            heads.of_bytes(200, [(b"a", b"b"), pair])


def test_pairs_may_be_lists() -> None:
    head = AppHeads().of_bytes(200, [[b"a", b"b"], [b"content-length", b"5"]])
    assert head.length == 5
    assert head.render(DATE, SILENT) == OK + DATE + b"a: b\r\ncontent-length: 5\r\n\r\n"


def test_what_is_remembered_is_bounded() -> None:
    heads = AppHeads()
    for number in range(5000):
        assert b"x: %d\r\n" % number in heads.of_bytes(200, [(b"x", b"%d" % number)]).render(DATE, SILENT)
        heads.of_text(f"200 {number}", ())
    assert len(heads._lines) <= 2048
    assert len(heads._statuses) <= 256
    fresh = AppHeads()
    fresh.of_bytes(200, [(b"set-cookie", b"secret"), (b"x", b"y" * 600)])
    assert fresh._lines == {}


@given(st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=20)), max_size=4))
def test_whatever_an_application_says_is_one_head(pairs: Pairs) -> None:
    try:
        data = AppHeads().of_bytes(200, pairs).render(DATE, SILENT)
    except UsageError:
        return
    head, end, rest = data.partition(b"\r\n\r\n")
    assert (end, rest) == (b"\r\n\r\n", b"")
    assert len(head.split(b"\r\n")) <= 2 + len(pairs)
    assert b"\0" not in head
    assert head.count(b"\n") == head.count(b"\r") == head.count(b"\r\n")


@pytest.mark.parametrize(
    ("name", "has"), [(b"x-id", True), (b"x-i", False), (b"id", False), (b"y", True), (b"a", False)]
)
def test_which_fields_a_head_has(name: bytes, has: bool) -> None:
    fields = (("X-Id", "a: b"), ("Y", ""))
    assert AnswerHead(200, fields, 0).has_field(name) is has
    assert WholeAnswer(200, fields, b"").has_field(name) is has


PAIRS = [(b"content-type", b"text/plain"), (b"content-length", b"5")]


def test_a_head_of_remembered_lines_is_remembered() -> None:
    heads = AppHeads()
    first, second = heads.of_bytes(200, PAIRS), heads.of_bytes(200, list(PAIRS))
    assert first is not second
    assert heads.of_bytes(200, list(PAIRS)) is second
    assert heads.of_bytes(404, PAIRS) is not second
    assert heads.of_bytes(200, list(PAIRS)) is second
    assert second.render(DATE, SILENT) == first.render(DATE, SILENT)


def test_what_an_application_changes_behind_a_remembered_head_counts() -> None:
    heads, pairs = AppHeads(), PAIRS.copy()
    for _ in range(3):
        assert heads.of_bytes(200, pairs).length == 5
    pairs[1] = (b"content-length", b"6")
    assert heads.of_bytes(200, pairs).length == 6


@pytest.mark.parametrize(
    "pairs",
    [
        [(b"set-cookie", b"a=b")],
        [[b"a", b"b"]],
        ((b"a", b"b"),),
        [(b"a", b"b")] * 65,
        [(b"a", b"b" * 600)],
    ],
    ids=["cookie", "list", "tuple", "many", "long"],
)
def test_which_heads_are_not_remembered(pairs: list[tuple[bytes, bytes]]) -> None:
    heads = AppHeads()
    made = [heads.of_bytes(200, pairs) for _ in range(3)]
    assert len(set(map(id, made))) == 3
    assert len({head.render(DATE, SILENT) for head in made}) == 1


def test_remembered_heads_are_bounded() -> None:
    heads = AppHeads()
    for number in range(3):
        heads.of_text("200 OK", [("a", "b")])
        for status in range(260):
            heads.of_text(f"200 {number}-{status}", [("a", "b")])
    assert len(heads._heads) < 512


@given(
    st.lists(
        st.tuples(st.sampled_from([DATE, DATE[:-3] + b"\r\n"]), st.sampled_from([SILENT, CLOSE, KEEP]), st.booleans())
    )
)
def test_a_kept_head_is_rendered_like_any_other(turns: list[tuple[bytes, int, bool]]) -> None:
    fresh, kept = AnswerHead(200, [("a", "b")], 5), AnswerHead(200, [("a", "b")], 5)
    kept.keep()
    for date_line, persistence, has_framing in turns:
        framing = CHUNKED if has_framing else b""
        assert kept.render(date_line, persistence, framing=framing, body=b"hello") == fresh.render(
            date_line, persistence, framing=framing, body=b"hello"
        )
