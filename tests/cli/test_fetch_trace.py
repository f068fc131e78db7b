"""Heads are shown as they were sent, without what is secret, and without anything but characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.cli.fetch_trace import Trace, masked


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic ***"),
        ("authorization:Bearer  a.b.c", "authorization:Bearer  ***"),
        ("Authorization: token", "Authorization: ***"),
        ('Proxy-Authorization: Digest username="me", response="x"', "Proxy-Authorization: Digest ***"),
        ("Cookie: a=1; b=2;c=", "Cookie: a=***; b=***;c=***"),
        ("Cookie: alone", "Cookie: ***"),
        ("Set-Cookie: id=secret; Path=/; HttpOnly", "Set-Cookie: id=***; Path=/; HttpOnly"),
        ("Set-Cookie: secret", "Set-Cookie: ***"),
        ("X-Authorization: x", "X-Authorization: x"),
        ("GET /?token=abc HTTP/1.1", "GET /?token=abc HTTP/1.1"),
        ("Authorization:", "Authorization:"),
    ],
)
def test_secrets(line: str, shown: str) -> None:
    assert masked(line) == shown


SECRET = st.text(alphabet=st.characters(categories=["L", "N"]), min_size=3).map(lambda text: f"s3cr3t{text}")


@given(SECRET, st.sampled_from(["Authorization: {}", "Authorization: Basic {}", "Cookie: a={}", "Set-Cookie: a={}"]))
def test_no_secret_is_shown(secret: str, line: str) -> None:
    assert secret not in masked(line.format(secret))


def test_a_trace_reads_as_a_transcript() -> None:
    lines: list[str] = []
    trace = Trace(lines.append, shows_secrets=False)
    trace.remark("connected to \x1b[31mh")
    trace.sent(b"GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic eA==\r\n\r\n")
    trace.received(b"HTTP/1.1 200 \xe5\xa5\xbd\r\nX: \x9b\x1b]0;t\x07\r\n\r\n")
    assert lines == [
        "* connected to \\x1b[31mh",
        "> GET / HTTP/1.1",
        "> Host: h",
        "> Authorization: Basic ***",
        ">",
        "< HTTP/1.1 200 好",
        "< X: \ufffd\\x1b]0;t\\x07",
        "<",
    ]
    assert trace.last == b"HTTP/1.1 200 \xe5\xa5\xbd\r\nX: \x9b\x1b]0;t\x07\r\n\r\n"


def test_secrets_are_shown_where_that_is_wanted() -> None:
    lines: list[str] = []
    Trace(lines.append, shows_secrets=True).sent(b"GET / HTTP/1.1\r\nCookie: a=1\r\n\r\n")
    assert lines[1] == "> Cookie: a=1"


def test_a_quiet_trace_keeps_the_last_head_alone() -> None:
    trace = Trace(None, shows_secrets=False)
    trace.remark("x")
    trace.sent(b"GET / HTTP/1.1\r\n\r\n")
    trace.received(b"HTTP/1.1 302 x\r\n\r\n")
    trace.received(b"HTTP/1.1 200 x\r\n\r\n")
    assert trace.last == b"HTTP/1.1 200 x\r\n\r\n"


def test_a_line_feed_alone_begins_no_line() -> None:
    lines: list[str] = []
    Trace(lines.append, shows_secrets=False).received(b"HTTP/1.1 200 OK\r\nA: b\n* the certificate is fine\r\n\r\n")
    assert lines == ["< HTTP/1.1 200 OK", "< A: b\\x0a* the certificate is fine", "<"]
