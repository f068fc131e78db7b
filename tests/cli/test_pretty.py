"""What a server sends becomes readable and harmless; what it means stays the same."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.cli.pretty import MOST_COLOURED, MOST_INDENTED, Kind, colour, finish, indent_json, kind_of, safe


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("application/json", "json"),
        ("Application/Problem+JSON; charset=utf-8", "json"),
        ("text/json", "json"),
        ("text/html;charset=gbk", "html"),
        ("application/xhtml+xml", "html"),
        ("image/svg+xml", "xml"),
        ("text/xml", "xml"),
        ("application/xml", "xml"),
        ("text/plain", ""),
        ("", ""),
    ],
)
def test_kinds(content_type: str, kind: Kind) -> None:
    assert kind_of(content_type) == kind


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("a\r\nb", "a\nb"),
        ("a\rb", "a\\x0db"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("\x7f\x00", "\\x7f\\x00"),
        ("user\u202e\u2066gpj", "user\\u202e\\u2066gpj"),
        ("\ud800", "\\ud800"),
        ("温度 36.6℃", "温度 36.6℃"),
    ],
)
def test_nothing_reaches_the_terminal_but_characters(text: str, shown: str) -> None:
    assert safe(text) == shown


@given(st.text())
def test_safe_text_has_no_control_characters(text: str) -> None:
    assert all(char in "\t\n" or not (char < " " or "\x7f" <= char <= "\x9f") for char in safe(text))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{}", "{}"),
        (" [ ] ", "[]"),
        ("1.10", "1.10"),
        ('{"b":1.10,"a":-0e+5}', '{\n  "b": 1.10,\n  "a": -0e+5\n}'),
        ("[[],[[1]],{}]", "[\n  [],\n  [\n    [\n      1\n    ]\n  ],\n  {}\n]"),
        ('{"a":1,"a":2}', '{\n  "a": 1,\n  "a": 2\n}'),
        (
            r'["\u4e2d\u6587","\ud83d\ude00","\ud83d","\\u4e2d","a\"]"]',
            '[\n  "中文",\n  "😀",\n  "\\ud83d",\n  "\\\\u4e2d",\n  "a\\"]"\n]',
        ),
        ("1" * 5000, "1" * 5000),
        ("[true,false,null]", "[\n  true,\n  false,\n  null\n]"),
    ],
)
def test_json_is_indented_and_nothing_else(text: str, shown: str) -> None:
    assert indent_json(text) == shown


@pytest.mark.parametrize("text", ["", "{", "[1,]", "{'a':1}", "[" * 100_000 + "]" * 100_000, "a b", '"\x1b"'])
def test_what_is_not_json_is_left_alone(text: str) -> None:
    assert indent_json(text) is None


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(values, st.booleans(), st.sampled_from([None, 0, 3]))
def test_indented_json_means_the_same(value: object, is_ascii: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=is_ascii, indent=indent)
    shown = indent_json(text)
    assert shown is not None
    assert json.loads(shown) == value
    assert shown == indent_json(shown)


def test_indenting_grows_no_faster_than_the_text() -> None:
    text = "[" * 400 + ",".join(["1"] * 10_000) + "]" * 400
    assert len(indent_json(text) or "") < 110 * len(text)


@pytest.mark.parametrize(
    ("text", "kind", "shown"),
    [
        ('{"a": 1.50}', "json", '{\x1b[34m"a"\x1b[39;49;00m: \x1b[33m1.50\x1b[39;49;00m}'),
        ("<p>x</p>", "html", "<\x1b[34mp\x1b[39;49;00m>x</\x1b[34mp\x1b[39;49;00m>"),
        ("\n<a/>", "xml", "\n\x1b[34m<a\x1b[39;49;00m\x1b[34m/>\x1b[39;49;00m"),
        ("plain", "", "plain"),
    ],
)
def test_colours(text: str, kind: Kind, shown: str) -> None:
    assert colour(text, kind) == shown


def test_a_body_too_large_to_colour_stays_plain() -> None:
    text = "<p>" * (MOST_COLOURED // 3 + 1)
    assert colour(text, "html") is text


@pytest.mark.parametrize(
    ("text", "kind", "has_colour", "shown"),
    [
        ('["\\u202e"]', "json", False, '[\n  "\\u202e"\n]'),
        ("no json \x1b[2J", "json", False, "no json \\x1b[2J"),
        ("[1]", "", True, "[1]"),
        ("[" + "1," * (MOST_INDENTED // 2) + "1]", "json", True, None),
        ("<b>\x1b</b>", "html", False, "<b>\\x1b</b>"),
    ],
)
def test_a_whole_body(text: str, kind: Kind, has_colour: bool, shown: str | None) -> None:
    assert finish(text, kind, has_colour=has_colour) == (text if shown is None else shown)
