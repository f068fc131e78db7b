"""Request ids and traceparent: the specification's examples, and what must not reach a log or an application."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.http.message import Field, Request
from portico.http.trace import Identity, TraceParent, identify, is_request_id, parse_traceparent, with_request_id

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def request(**values: str) -> Request:
    made = Request()
    made.method, made.target, made.path, made.query, made.version = "GET", "/?a", "/", "a", 11
    made.authority, made.cookie, made.body_length = "a", "secret", 0
    made.keep_alive, made.expects_continue, made.is_secret = True, False, True
    made.values = {name.replace("_", "-"): value for name, value in values.items()}
    made.fields = tuple(
        Field(name, value, (name.encode(), value.encode()), f"HTTP_{name.upper().replace('-', '_')}")
        for name, value in made.values.items()
    )
    made.remembered = object()
    return made


@pytest.mark.parametrize(
    ("value", "trace"),
    [
        # W3C Trace Context 3.2.3
        (f"00-{TRACE}-{PARENT}-01", TraceParent(TRACE, PARENT, True)),
        (f"00-{TRACE}-{PARENT}-00", TraceParent(TRACE, PARENT, False)),
        (f"00-{TRACE}-{PARENT}-fe", TraceParent(TRACE, PARENT, False)),
        # 3.2.4
        (f"cc-{TRACE}-{PARENT}-01-what-the-future-brings", TraceParent(TRACE, PARENT, True)),
        (f"cc-{TRACE}-{PARENT}-01", TraceParent(TRACE, PARENT, True)),
        (f"cc-{TRACE}-{PARENT}-01.what", None),
        (f"00-{TRACE}-{PARENT}-01-", None),
        (f"00-{TRACE}-{PARENT}-01-more", None),
        (f"ff-{TRACE}-{PARENT}-01", None),
        # 3.2.2
        (f"00-{'0' * 32}-{PARENT}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{PARENT}-01", None),
        (f"00-{TRACE}-{PARENT}-1", None),
        (f"00-{TRACE}-{PARENT}", None),
        (f"00-{TRACE}-{PARENT}-01, 00-{TRACE}-{PARENT}-01", None),
        (f"00-{TRACE}-{PARENT}-01\n", None),
        ("", None),
    ],
)
def test_traceparent(value: str, trace: TraceParent | None) -> None:
    assert parse_traceparent(value) == trace


@pytest.mark.parametrize(
    ("text", "is_id"),
    [
        ("7", True),
        ("f058ebd6-02f7-4d3f-942e-904344e8cde5", True),
        ("Root=1-67891233-abcdef012345678912345678", True),
        ("x" * 128, True),
        ("x" * 129, False),
        ("", False),
        ("-x", False),
        ("a b", False),
        ("a,b", False),
        ('a"', False),
        ("a\n", False),
        ("\xe9", False),
    ],
)
def test_request_ids(text: str, is_id: bool) -> None:
    assert is_request_id(text) is is_id


def test_an_id_counts_if_a_trusted_proxy_gives_a_good_one() -> None:
    named = request(x_request_id="abc-1")
    assert identify(named, 255, is_trusted=True) == Identity("abc-1", "", "")
    assert identify(named, 255, is_trusted=False) == Identity("0" * 30 + "ff", "", "")
    assert identify(request(x_request_id="a b"), 1, is_trusted=True).request_id == "0" * 31 + "1"
    assert identify(request(), (1 << 128) - 1, is_trusted=True).request_id == "f" * 32


def test_a_trace_counts_whoever_names_it() -> None:
    traced = request(traceparent=f"00-{TRACE}-{PARENT}-01")
    assert identify(traced, 0, is_trusted=False) == Identity("0" * 32, TRACE, PARENT)
    assert identify(request(traceparent="00-"), 0, is_trusted=False) == Identity("0" * 32, "", "")


def test_a_request_carries_one_id() -> None:
    given_one = request(accept="*/*", x_request_id="theirs")
    named = with_request_id(given_one, "ours")
    assert [(field.name, field.value) for field in named.fields] == [("accept", "*/*"), ("x-request-id", "ours")]
    assert named.values == {"accept": "*/*", "x-request-id": "ours"}
    assert named.fields[-1].raw == (b"x-request-id", b"ours")
    assert named.fields[-1].environ_key == "HTTP_X_REQUEST_ID"
    assert named.remembered is None
    assert (named.method, named.target, named.cookie) == ("GET", "/?a", "secret")
    assert given_one.values["x-request-id"] == "theirs"
    assert given_one.remembered is not None


def test_a_request_that_carries_its_id_is_left_alone() -> None:
    named = request(x_request_id="ours")
    assert with_request_id(named, "ours") is named


@given(st.text(max_size=140), st.text(max_size=140), st.integers(0, (1 << 128) - 1))
def test_whatever_is_sent_the_ids_are_safe_to_log(request_id: str, trace: str, number: int) -> None:
    found = identify(request(x_request_id=request_id, traceparent=trace), number, is_trusted=True)
    assert is_request_id(found.request_id)
    assert all(text.isascii() and text.isprintable() for text in found)
