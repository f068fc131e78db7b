"""Edits that met become one text: the same for everybody, with all in it that anybody wrote."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portico.apps.chat.events import Rejected
from portico.apps.chat.notes import (
    MAX_INSERTED,
    MAX_NOTE,
    MAX_PARTS,
    Edit,
    Part,
    Run,
    apply,
    credit,
    growth,
    reach,
    read_edit,
    tidy,
    transform,
    without,
)

CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("note_cases.json").read_text("utf-8"))
TEXTS = st.text("ab\n打印😀", max_size=20)


@st.composite
def edits(draw: st.DrawFn, text: str, letters: str = "xyz机👋") -> Edit:
    """Draw an edit that a text of this length can have."""
    parts: list[Part] = []
    left = len(text)
    while left or draw(st.booleans()):
        if draw(st.booleans()):
            parts.append(draw(st.text(letters, min_size=1, max_size=4)))
        if left:
            step = draw(st.integers(1, left))
            parts.append(step if draw(st.booleans()) else -step)
            left -= step
    return tidy(parts)


# What an edit is


@pytest.mark.parametrize(
    ("value", "edit"),
    [
        ([5, "ab", -2], (5, "ab", -2)),
        ([5, -2, "ab"], (5, "ab", -2)),
        ([-1, "a", -1, "b", 3], ("ab", -2)),
        ([2, 3, "a", "b", 0, "", -1, -1, 7], (5, "ab", -2)),
        (["a", 1, -1, "b", "c", 1], ("a", 1, "bc", -1)),
    ],
)
def test_one_form(value: list[Part], edit: Edit) -> None:
    assert read_edit(value) == edit


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "bad_body"),
        ("text", "bad_body"),
        ([True], "bad_body"),
        ([1.5], "bad_body"),
        ([["a"]], "bad_body"),
        ([None], "bad_body"),
        ([MAX_NOTE + 1, "a"], "bad_body"),
        ([1 << 60, "a"], "bad_body"),
        (["a\0b"], "bad_body"),
        (["a\r\nb"], "bad_body"),
        ([], "empty"),
        ([7, ""], "empty"),
        (["a" * (MAX_INSERTED + 1)], "too_big"),
        (["a", 1] * (MAX_PARTS // 2 + 1), "too_big"),
    ],
)
def test_what_is_no_edit(value: object, code: str) -> None:
    with pytest.raises(Rejected) as caught:
        read_edit(value)
    assert caught.value.code == code


@given(st.data(), TEXTS)
def test_an_edit_in_its_one_form_does_the_same(data: st.DataObject, text: str) -> None:
    edit = data.draw(edits(text))
    assert tidy(edit) == edit
    assert len(apply(text, edit)) == len(text) + growth(edit)
    assert reach(edit) <= len(text)


# Two at once


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_table_that_the_page_is_tried_with_too(case: dict[str, Any]) -> None:
    text, one, other = case["text"], tidy(case["one"]), tidy(case["other"])
    assert apply(apply(text, one), transform(other, one, is_first=False)) == case["result"]
    assert apply(apply(text, other), transform(one, other, is_first=True)) == case["result"]


@given(st.data(), TEXTS)
def test_either_order_gives_the_same_text(data: st.DataObject, text: str) -> None:
    one, other = data.draw(edits(text)), data.draw(edits(text))
    after_one = apply(apply(text, one), transform(other, one, is_first=False))
    assert after_one == apply(apply(text, other), transform(one, other, is_first=True))


@given(st.data(), TEXTS, st.booleans())
def test_what_is_transformed_keeps_all_that_it_inserts(data: st.DataObject, text: str, is_first: bool) -> None:
    edit, over = data.draw(edits(text)), data.draw(edits(text))
    moved = transform(edit, over, is_first=is_first)
    assert tidy(moved) == moved
    assert reach(moved) <= len(apply(text, over))
    written = "".join(part for part in edit if isinstance(part, str))
    assert "".join(part for part in moved if isinstance(part, str)) == written


# Many, with a server that gives the order


class Server:
    """All edits in their order. An edit under an id that is known is not done again."""

    def __init__(self) -> None:
        self.text = ""
        self.log: list[tuple[int, str, Edit]] = []

    def take(self, person: int, version: int, edit: Edit, cid: str) -> None:
        """Put an edit behind the last."""
        if any((who, known) == (person, cid) for who, known, _ in self.log):
            return
        for who, _, over in self.log[version:]:
            edit = transform(edit, over, is_first=person < who)
        self.text = apply(self.text, edit)
        self.log.append((person, cid, edit))


class Client:
    """A member whose edits wait in a row, the first of them under way; `shown` is what the member sees."""

    def __init__(self, person: int) -> None:
        self.person = person
        self.version = 0
        self.shown = ""
        self.waiting: list[Edit] = []
        self.count = 0

    def write(self, edit: Edit) -> None:
        """Change what is shown."""
        self.shown = apply(self.shown, edit)
        self.waiting.append(edit)

    def send(self, server: Server) -> None:
        """Send what is under way, perhaps not for the first time; nothing comes back."""
        if self.waiting:
            server.take(self.person, self.version, self.waiting[0], str(self.count))

    def hear(self, server: Server, count: int) -> None:
        """Take some of the edits that come next."""
        for who, cid, edit in server.log[self.version : self.version + count]:
            self.version += 1
            if who == self.person and self.waiting and cid == str(self.count):
                assert edit == self.waiting.pop(0)
                self.count += 1
                continue
            over = edit
            for at, own in enumerate(self.waiting):
                self.waiting[at] = transform(own, over, is_first=self.person < who)
                over = transform(over, own, is_first=who <= self.person)
            self.shown = apply(self.shown, over)


@settings(max_examples=60)
@given(st.data(), st.integers(2, 4))
def test_whoever_writes_what_when_all_end_with_one_text(data: st.DataObject, count: int) -> None:
    server, clients = Server(), [Client(person) for person in range(count)]
    written = 0
    for _ in range(data.draw(st.integers(1, 25))):
        client = data.draw(st.sampled_from(clients))
        act = data.draw(st.sampled_from(["write", "write", "send", "send", "hear"]))
        if act == "write":
            edit = data.draw(edits(client.shown))
            if edit:
                client.write(edit)
                written += 1
        elif act == "send":
            client.send(server)
        else:
            client.hear(server, data.draw(st.integers(1, 5)))
    while any(client.waiting for client in clients):
        for client in clients:
            client.hear(server, len(server.log))
            client.send(server)
            client.send(server)
    for client in clients:
        client.hear(server, len(server.log))
        assert client.shown == server.text
    assert len(server.log) == written


@settings(max_examples=60)
@given(st.data(), st.integers(2, 4))
def test_what_nobody_takes_out_is_there_in_the_end(data: st.DataObject, count: int) -> None:
    server, clients = Server(), [Client(person) for person in range(count)]
    for number in range(12):
        client = data.draw(st.sampled_from(clients))
        at = data.draw(st.integers(0, len(client.shown)))
        client.write(tidy([at, f"{chr(0x4E00 + number)}"]))
        if data.draw(st.booleans()):
            client.send(server)
        if data.draw(st.booleans()):
            client.hear(server, 3)
    while any(client.waiting for client in clients):
        for client in clients:
            client.hear(server, len(server.log))
            client.send(server)
    assert sorted(server.text) == [chr(0x4E00 + number) for number in range(12)]


def test_words_that_two_write_letter_by_letter_at_one_place_stay_words() -> None:
    server, ada, wei = Server(), Client(1), Client(2)
    for own, other in zip("abcd", "wxyz", strict=True):
        ada.write(tidy([ada.shown.index(own) if own in ada.shown else "abcd".index(own), own]))
        at = wei.shown.index("wxyz"["wxyz".index(other) - 1]) + 1 if other != "w" else 0
        wei.write(tidy([at, other]))
        wei.send(server)
        ada.send(server)
        for client in (ada, wei):
            client.hear(server, 9)
    assert server.text == ada.shown == wei.shown == "abcdwxyz"


# Who wrote what


@given(st.data())
def test_every_character_is_somebodys_and_goes_with_who_wrote_it(data: st.DataObject) -> None:
    text = ""
    runs: list[Run] = []
    for person in data.draw(st.lists(st.integers(1, 3), max_size=8)):
        edit = data.draw(edits(text, letters=str(person)))
        text, runs = apply(text, edit), credit(runs, edit, person)
        assert "".join(str(who) * length for who, length in runs) == text
        assert all(one[0] != other[0] for one, other in pairwise(runs))
    assert apply(text, without(runs, 2)) == text.replace("2", "")
