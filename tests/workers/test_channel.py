from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.errors import Refused
from portico.workers.channel import MAX_LINE, Inbox, Message, encode

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner, max_size=3)
)
MESSAGES = st.dictionaries(st.text(), VALUES, max_size=4).map(lambda rest: {**rest, "is": "beat"})


@given(st.lists(MESSAGES, max_size=4), st.lists(st.integers(0, 400), max_size=6))
def test_messages_survive_any_cuts(messages: list[Message], cuts: list[int]) -> None:
    stream = b"".join(map(encode, messages))
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    inbox = Inbox()
    pieces = [stream[start:end] for start, end in pairwise(edges)]
    assert [message for piece in pieces for message in inbox.feed(piece)] == messages


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"hello\n", "b'hello' is not JSON"),
        (b"\xff\n", "is not JSON"),
        (b"\n", "b'' is not JSON"),
        (b"[1]\n", r"b'\[1\]' is no message; it needs a key 'is'"),
        (b'{"is":3}\n', "is no message"),
        (b"x" * (MAX_LINE + 1), "1048577 bytes without a line's end; at most 1048576 are a message"),
    ],
)
def test_what_is_no_message_is_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        Inbox().feed(data)


def test_a_value_without_json_is_the_callers_mistake() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        encode({"is": "beat", "stats": b"bytes"})
