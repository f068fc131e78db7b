"""Frames: what clients may say, what is refused, and what the server says."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.apps.chat import frames
from portico.apps.chat.events import Claim, Event, Rejected


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"t":"hello","v":1,"tok":"x"}', [frames.Hello("x", "", {})]),
        (
            '{"t":"hello","v":1,"tok":"x","epoch":"e","have":{"3":0,"4":7,"x":1}}',
            [frames.Hello("x", "e", {3: 0, 4: 7})],
        ),
        ('{"t":"hello","v":1,"tok":"x","recent":80}', [frames.Hello("x", "", {}, 80)]),
        ('{"t":"send","c":1,"b":{"text":"a"}}', [frames.Send(Claim(1, "msg", {"text": "a"}))]),
        ('{"t":"send","c":1,"k":"del","ref":3,"b":{},"cid":"i"}', [frames.Send(Claim(1, "del", {}, 3, "i"))]),
        ('{"t":"get","id":1,"c":2,"after":0}', [frames.Get(1, 2, 0, None, 200)]),
        ('{"t":"get","id":1,"c":2,"before":9,"limit":5}', [frames.Get(1, 2, None, 9, 5)]),
        ('{"t":"mark","c":2,"read":0}\n{"t":"typ","c":2}\n\n{"t":"pong"}', [(2, 0, None), (2,), ()]),
        ('{"t":"mark","c":2,"got":7}', [(2, None, 7)]),
        ('{"t":"view","c":2}\n{"t":"view","c":0}', [(2,), (0,)]),
        ('{"t":"ask","id":1,"op":"me","more":1}', [frames.Ask(1, "me", {"t": "ask", "id": 1, "op": "me", "more": 1})]),
        ("", []),
        (" \n ", []),
    ],
)
def test_what_clients_say(text: str, found: list[object]) -> None:
    assert frames.parse(text) == found


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x", "proto"),
        ("[]", "proto"),
        ('"hello"', "proto"),
        ("{}", "unknown_type"),
        ('{"t":1}', "unknown_type"),
        ('{"t":"nothing"}', "unknown_type"),
        ('{"t":"hello","v":2,"tok":""}', "version"),
        ('{"t":"hello","v":1}', "proto"),
        ('{"t":"hello","v":1,"tok":"x","have":[]}', "proto"),
        ('{"t":"hello","v":1,"tok":"x","have":{"1":-1}}', "proto"),
        ('{"t":"hello","v":1,"tok":"\\ud800"}', "proto"),
        ('{"t":"send","b":{}}', "proto"),
        ('{"t":"send","c":true}', "proto"),
        ('{"t":"send","c":1.5}', "proto"),
        ('{"t":"send","c":1e3}', "proto"),
        ('{"t":"send","c":9007199254740992}', "proto"),
        ('{"t":"send","c":NaN}', "proto"),
        ('{"t":"get","id":1,"c":2}', "proto"),
        ('{"t":"get","id":1,"c":2,"after":1,"before":2}', "proto"),
        ('{"t":"get","id":1,"c":2,"after":0,"limit":0}', "proto"),
        ('{"t":"ask","id":1,"op":5}', "proto"),
        ('{"t":"ask","op":"me"}', "proto"),
        ("[" * 100_000, "proto"),
        ('{"t":"pong"}\n' * (frames.MAX_FRAMES + 1), "proto"),
    ],
)
def test_what_is_refused(text: str, code: str) -> None:
    with pytest.raises(Rejected) as caught:
        frames.parse(text)
    assert caught.value.code == code
    assert len(str(caught.value)) < 400


@given(st.text(max_size=200))
def test_any_text_is_frames_or_refused(text: str) -> None:
    said = ""
    try:
        frames.parse(text)
    except Rejected as exc:
        said = str(exc)
    assert said.isprintable()


def test_what_the_server_says() -> None:
    event = Event(3, 7, 5, 1, "msg", '{"text":"你\\"好"}', 2, "cid", "line")
    assert json.loads(frames.write_event(event)) == {
        "t": "ev", "c": 3, "s": 7, "at": 5, "f": 1, "k": "msg", "b": {"text": '你"好'}, "ref": 2, "via": "line",
    }  # fmt: skip
    assert "ref" not in json.loads(frames.write_event(event._replace(ref=None)))
    written = frames.write_events("sync", [frames.write_event(event)] * 2, c=3, first=None)
    assert [found["s"] for found in json.loads(written)["ev"]] == [7, 7]
    assert "first" not in json.loads(written)
    refused = Rejected("rate", "slow down", retry_s=1.5)
    assert json.loads(frames.write_rejection("nack", refused, cid="x")) == {
        "t": "nack", "cid": "x", "code": "rate", "why": "slow down", "retry": 1.5,
    }  # fmt: skip
