"""Frames that no client of ours sends: every operation with every kind of wrong value, and JSON as nobody writes it.

The answer is always `ok`, or a refusal with a code that says what is wrong; never a fault of ours (`failed`, 1011), and
the connection goes on.
"""

import json
from collections.abc import Iterator
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.acceptance.chat_hostile.hostile_stage import Chat, Crowd, Frame, Somebody

# What operations read from a frame, all of them together.
NAMES = (
    *("c", "rev", "person", "to", "queue", "text", "title", "ids", "name", "kind", "login", "password", "old", "lang"),
    *("values", "hours", "agents", "capacity", "canned", "short", "form", "tab", "state", "score", "contact", "page"),
    *("cid", "public", "on", "pull", "disabled", "value", "minutes", "why", "block", "device", "before", "after"),
    *("address", "greeting", "offline", "files", "limit", "id", "t", "read", "have", "mark", "since", "note", "update"),
)
DEEP: object = []
for _ in range(500):
    DEEP = [DEEP]
VALUES: tuple[object, ...] = (
    *(None, True, False, -1, 0, 1, 2, 1 << 31, (1 << 53) - 1, 1 << 53, 1 << 63, 1 << 64, -(1 << 70), 10**300, 1.0, 1.5),
    *(1e308, -0.0, "", " ", "x", "1", "-1", "\0", "\x1b[2J", "\u202egnp.exe", "\u2028", "\ud800", "\udc00x", "é" * 41),
    *("x" * 1_001, "%", "_", "\\", "'; DROP TABLE event; --", '" OR 1', "text:*", "agent", "desk", "mine"),
    *("available", "zh", "html", "person", "address", "127.0.0.2/999", "udp://[::1]:0", "http://", "ws://a b/", []),
    *([1], [None], ["x"], [1 << 60], [[]], list(range(600)), {}, {"x": 1}, {"title": 5}, {"": None}, DEEP),
    *({"zone": "../../etc/passwd"}, {"zone": "UTC", "week": {"mon": [["00:00", "99:99"]]}}, {"week": {"mon": 5}}),
    *(
        {"days": {"9999-12-31": [["09:00", "24:00"]], "x": 1}},
        {"zone": "\0"},
        {"zone": "A" * 900},
        {"days": {"": []}},
    ),
)
LONG = ("字" * 8_193, "x" * 50_000)
KINDS = ("visitor", "user", "agent", "admin")


@pytest.fixture(scope="module")
def crowds(shared_chat: Chat) -> Iterator[dict[str, Crowd]]:
    """People of every kind."""
    found = {kind: Crowd(shared_chat, kind) for kind in KINDS}
    yield found
    for crowd in found.values():
        crowd.close()
        assert not any('"failed"' in text for text in crowd.received)


@pytest.fixture(scope="module")
def names(crowds: dict[str, Crowd]) -> list[str]:
    """The names of all operations."""
    return list(crowds["admin"].ask("me")["op"])


def is_answer(answer: Frame) -> bool:
    """Tell whether an answer is one, and no fault of ours."""
    return answer["t"] in ("ok", "closed") or (answer["t"] == "err" and answer["code"] not in ("failed", "rate"))


@pytest.mark.parametrize("kind", ["visitor", "admin"])
def test_every_operation_takes_every_wrong_value(
    chat: Chat, crowds: dict[str, Crowd], names: list[str], kind: str
) -> None:
    asked = {name: name for name in NAMES if name not in ("t", "id")}
    wrong = [
        (op, value, answer)
        for op, value in product(names, VALUES)
        if not is_answer(answer := crowds[kind].ask(op, **dict.fromkeys(asked, value)))
    ]
    assert wrong == []


ARGUMENTS = st.dictionaries(
    st.sampled_from([name for name in NAMES if name not in ("t", "id")]),
    st.sampled_from((*VALUES, *LONG))
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    ),
    max_size=8,
)


@given(st.data())
@settings(max_examples=400, derandomize=True)
def test_every_operation_takes_every_mixture(crowds: dict[str, Crowd], names: list[str], data: st.DataObject) -> None:
    kind, op = data.draw(st.sampled_from(KINDS)), data.draw(st.sampled_from(names))
    answer = crowds[kind].ask(op, **data.draw(ARGUMENTS))
    assert is_answer(answer), answer


KIND_OF_FRAMES = ("send", "get", "mark", "typ", "ask", "pong", "hello", "", "ev", "ok", "__class__")


@given(st.data())
@settings(max_examples=300, derandomize=True)
def test_every_kind_of_frame_takes_every_mixture(crowds: dict[str, Crowd], data: st.DataObject) -> None:
    crowd = crowds["user"]
    frame = {"t": data.draw(st.sampled_from(KIND_OF_FRAMES)), "c": 1, **data.draw(ARGUMENTS)}
    frame |= {
        name: data.draw(st.sampled_from(VALUES)) for name in data.draw(st.sets(st.sampled_from(["id", "b", "k"])))
    }
    assert is_answer(crowd.ask("me", frame))


# As bytes on the wire: what stands there, and the code that it is refused with; "" where it is taken.
RAW = (
    ("", ""),
    ("\n\n \n", ""),
    ("null", "proto"),
    ("[]", "proto"),
    ("1e400", "proto"),
    ("nonsense", "proto"),
    ('{"t":"ask"', "proto"),
    ('{"t":"ask","id":NaN,"op":"me"}', "proto"),
    ('{"t":"ask","id":Infinity,"op":"me"}', "proto"),
    ('{"t":"ask","id":1e400,"op":"me"}', "proto"),
    ('{"t":"ask","id":1.0,"op":"me"}', "proto"),
    ('{"t":"ask","id":true,"op":"me"}', "proto"),
    ('{"t":"ask","id":"1","op":"me"}', "proto"),
    ('{"t":"ask","id":' + "9" * 5_000 + ',"op":"me"}', "proto"),
    ('{"t":"ask","id":-1,"op":"me"}', "proto"),
    ('{"t":"ask","id":9007199254740992,"op":"me"}', "proto"),
    ('{"t":"ask","id":1,"op":["me"]}', "proto"),
    ('{"t":"ask","id":1,"op":"me","x":"\\ud800"}', "proto"),
    ('{"t":"ask","id":1,"op":"me","\\udfff":1}', "proto"),
    ('{"t":"ask","id":1,"op":"no\\u0000thing"}', "unknown_op"),
    ('{"t":"ask","id":1,"op":"__init__"}', "unknown_op"),
    ('{"t":"nothing"}', "unknown_type"),
    ('{"t":null}', "unknown_type"),
    ('{"t":{"t":"ask"}}', "unknown_type"),
    ('{"T":"ask"}', "unknown_type"),
    ("[" * 30_000, "proto"),
    ('{"a":' * 10_000 + "1" + "}" * 10_000, "proto"),
    ('{"t":"hello","v":1,"tok":"x"}', "proto"),
    ('{"t":"hello","v":2,"tok":"x"}', "version"),
    ('{"t":"hello","v":1,"tok":5}', "proto"),
    ('{"t":"hello","v":1,"tok":"x","have":[]}', "proto"),
    ('{"t":"hello","v":1,"tok":"x","have":{"1":-1}}', "proto"),
    ('{"t":"get","id":1,"c":1}', "proto"),
    ('{"t":"get","id":1,"c":1,"after":0,"before":9}', "proto"),
    ('{"t":"send","c":1,"b":{}}', "empty"),
    ('{"t":"send","c":1,"b":{"text":"x"},"cid":"字"}', "bad_cid"),
    ('{"t":"send","c":1,"b":{"text":"x"},"k":"join"}', "unknown_kind"),
    ('{"t":"send","c":1,"b":{"text":"x"},"k":"state"}', "unknown_kind"),
    ('{"t":"send","c":1,"b":"x"}', "bad_body"),
    ('{"t":"send","c":1,"b":{"text":"a\\u0000b"}}', "bad_body"),
    ('{"t":"send","c":1,"b":{"text":"x","files":[-1]}}', "bad_body"),
    ('{"t":"send","c":1,"b":{"text":"x"},"ref":0}', "bad_ref"),
    ('{"t":"send","c":4503599627370496,"b":{"text":"x"}}', "forbidden"),
    ('{"t":"mark","c":4503599627370496,"read":4503599627370496}', "forbidden"),
    ('{"t":"typ","c":4503599627370496}', ""),
    ('{"t":"pong","t":"nothing"}', "unknown_type"),  # of members of one name the last one counts (RFC 8259 4)
    ('{"t":"nothing","t":"pong"}', ""),
    ("\n".join(['{"t":"pong"}'] * 64), ""),
    ("\n".join(['{"t":"pong"}'] * 65), "proto"),
    ("\ufeff" + '{"t":"pong"}', "proto"),
    ('{"t":"pong"}\r\n{"t":"pong"}\u2028', "proto"),
)


@pytest.mark.parametrize(("text", "code"), RAW, ids=lambda value: repr(value[:40]))
def test_frames_as_nobody_writes_them(chat: Chat, text: str, code: str) -> None:
    _, token = chat.person("user", "Mallory")
    with chat.socket(token) as mallory:
        mallory.send_raw(text)
        if code:
            assert mallory.heard(lambda frame: frame["t"] in ("err", "nack"))["code"] == code
        assert mallory.ask("me")["t"] == "ok"
        assert not any('"err"' in one or '"nack"' in one for one in mallory.received if not code)


def test_the_same_over_tcp(chat: Chat) -> None:
    _, token = chat.person("user", "Mallory")
    with chat.netcat() as netcat:
        netcat.type("/json on", json.dumps({"t": "hello", "v": 1, "tok": token}))
        netcat.until('"welcome"')
        for text, code in RAW:
            if "\n" not in text and code and "ask" not in text:
                netcat.type(text)
                assert netcat.until('"code"').decode().count(f'"code":"{code}"') == 1, text
        netcat.sock.sendall(b'{"t":"ask","id":7,"op":"\xfe\x80"}\n{"t":"ask","id":8,"op":"\xed\xa0\x80"}\n')
        for _ in range(2):
            assert b"unknown_op" in netcat.until("unknown_op")
        netcat.type('{"t":"ask","id":9,"op":"me"}')
        assert b'"ok"' in netcat.until('"id":9')


def test_nothing_but_hello_is_taken_before_hello(chat: Chat) -> None:
    for text in ('{"t":"ask","id":1,"op":"me"}', '{"t":"send","c":1,"b":{"text":"x"}}', "[]", "x", '{"t":"pong"}'):
        with chat.bare_socket() as connection:
            stranger = Somebody(connection)
            stranger.send_raw(text)
            assert stranger.end() == (4001, "sign in first")
            assert all('"err"' in one or '"bye"' in one for one in stranger.received)
