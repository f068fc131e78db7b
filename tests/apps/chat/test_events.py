"""What peers may append: each kind, checked, or refused with a word for programs."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.apps.chat.events import MAX_CID, MAX_TEXT, Claim, Event, Rejected, check, check_text, dump


@pytest.mark.parametrize(
    ("claim", "body", "ref"),
    [
        (Claim(1, "msg", {"text": "你好"}), {"text": "你好"}, None),
        (Claim(1, "msg", {"text": "\n a \t\n"}), {"text": "a"}, None),
        (Claim(1, "msg", {"text": "", "files": [1, 2]}), {"files": [1, 2], "text": ""}, None),
        (Claim(1, "msg", {"text": "x" * MAX_TEXT}), {"text": "x" * MAX_TEXT}, None),
        (Claim(1, "msg", {"text": "<b>\x1b[1m"}, 7), {"text": "<b>\x1b[1m"}, 7),
        (Claim(1, "edit", {"text": "b"}, 3), {"text": "b"}, 3),
        (Claim(1, "del", {"anything": 1}, 3), {}, 3),
        (Claim(1, "react", {"mark": "👍"}, 3), {"mark": "👍", "on": True}, 3),
        (Claim(1, "react", {"mark": "好", "on": 0}, 3), {"mark": "好", "on": False}, 3),
    ],
)
def test_what_may_be_appended(claim: Claim, body: object, ref: int | None) -> None:
    entry = check(claim, 5, "ws")
    assert (json.loads(entry.body), entry.ref, entry.sender, entry.conversation) == (body, ref, 5, 1)


@pytest.mark.parametrize(
    ("claim", "code"),
    [
        (Claim(1, "join", {}), "unknown_kind"),
        (Claim(1, "state", {}), "unknown_kind"),
        (Claim(1, "msg", None), "bad_body"),
        (Claim(1, "msg", {"text": 1}), "bad_body"),
        (Claim(1, "msg", {"text": "\ud83d"}), "bad_body"),
        (Claim(1, "msg", {"text": "a\0b"}), "bad_body"),
        (Claim(1, "msg", {"text": "x" * (MAX_TEXT + 1)}), "too_big"),
        (Claim(1, "msg", {"text": " \n"}), "empty"),
        (Claim(1, "msg", {}), "empty"),
        (Claim(1, "msg", {"text": "a", "files": [0]}), "bad_body"),
        (Claim(1, "msg", {"text": "a", "files": [1] * 11}), "bad_body"),
        (Claim(1, "msg", {"text": "a", "files": "1"}), "bad_body"),
        (Claim(1, "msg", {"text": "a"}, "1"), "bad_ref"),
        (Claim(1, "msg", {"text": "a"}, True), "bad_ref"),
        (Claim(1, "edit", {"text": "b"}), "bad_ref"),
        (Claim(1, "edit", {"text": ""}, 1), "empty"),
        (Claim(1, "del", {}, -1), "bad_ref"),
        (Claim(1, "react", {"mark": ""}, 1), "bad_body"),
        (Claim(1, "react", {"mark": " "}, 1), "bad_body"),
        (Claim(1, "react", {"mark": "\x1b"}, 1), "bad_body"),
        (Claim(1, "react", {"mark": "x" * 17}, 1), "bad_body"),
        (Claim(1, "msg", {"text": "a"}, None, ""), "bad_cid"),
        (Claim(1, "msg", {"text": "a"}, None, "x" * (MAX_CID + 1)), "bad_cid"),
        (Claim(1, "msg", {"text": "a"}, None, "é"), "bad_cid"),
        (Claim(1, "msg", {"text": "a"}, None, 5), "bad_cid"),
    ],
)
def test_what_may_not(claim: Claim, code: str) -> None:
    with pytest.raises(Rejected) as caught:
        check(claim, 5, "ws")
    assert caught.value.code == code
    assert len(str(caught.value).splitlines()) == 1


@given(st.text())
def test_any_text_is_stored_as_it_is_but_for_blanks_around_it(text: str) -> None:
    try:
        stored = check_text(text)
    except Rejected:
        assert "\0" in text.strip("\n\r\0 \t") or any("\ud800" <= letter <= "\udfff" for letter in text)
        return
    assert stored in text
    assert json.loads(dump({"text": stored})) == {"text": stored}


def test_the_text_of_an_event() -> None:
    assert Event(1, 1, 0, 1, "msg", '{"text":"a"}', None, None, "ws").text == "a"
    assert Event(1, 1, 0, 1, "join", '{"person":1}', None, None, "ws").text == ""
