"""Preconditions: RFC 9110's comparison table and the order of 13.2.2, row by row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.http.conditional import EntityTag, Validators, allows_range, evaluate, parse_entity_tags
from portico.http.dates import format_date

MODIFIED_S = 784_111_777
NOW_S = MODIFIED_S + 1_000_000
THEN = format_date(MODIFIED_S)
BEFORE = format_date(MODIFIED_S - 1)
AFTER = format_date(MODIFIED_S + 1)
STRONG = Validators(EntityTag("x"), MODIFIED_S)
WEAK = Validators(EntityTag("x", is_weak=True), MODIFIED_S)
UNTAGGED = Validators(None, MODIFIED_S)
UNDATED = Validators(EntityTag("x"), None)
UNKNOWN = Validators(None, None)


# RFC 9110 8.8.3.2
@pytest.mark.parametrize(
    ("one", "other", "is_strong", "is_weak"),
    [
        ('W/"1"', 'W/"1"', False, True),
        ('W/"1"', 'W/"2"', False, False),
        ('W/"1"', '"1"', False, True),
        ('"1"', '"1"', True, True),
        ('"1"', 'W/"1"', False, True),
        ('"1"', '"2"', False, False),
    ],
)
def test_comparison(one: str, other: str, is_strong: bool, is_weak: bool) -> None:
    (left,) = parse_entity_tags(one) or ()
    (right,) = parse_entity_tags(other) or ()
    assert left.matches_strongly(right) is is_strong
    assert left.matches_weakly(right) is is_weak
    assert (str(left), str(right)) == (one, other)


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        ("*", None),
        (" *\t", None),
        # RFC 9110 13.1.1, 13.1.2
        ('"xyzzy"', (EntityTag("xyzzy"),)),
        ('"xyzzy", "r2d2xxxx", "c3piozzzz"', (EntityTag("xyzzy"), EntityTag("r2d2xxxx"), EntityTag("c3piozzzz"))),
        ('W/"xyzzy",W/"r2d2xxxx"', (EntityTag("xyzzy", True), EntityTag("r2d2xxxx", True))),
        ('""', (EntityTag(""),)),
        # a comma and a backslash are ordinary characters
        (r'"a,b\" , "é"', (EntityTag("a,b\\"), EntityTag("é"))),
        (' ,, "a" ,\t, "b" ,', (EntityTag("a"), EntityTag("b"))),
        # malformed, in whole or in part
        ("", ()),
        (",", ()),
        ("a", ()),
        ('"a', ()),
        ('"a" "b"', ()),
        ('"a""b"', ()),
        ('w/"a"', ()),
        ('W/ "a"', ()),
        ("W/", ()),
        ('"a b"', ()),
        ('"a", *', ()),
        ('"a", b', ()),
        ('"a\x7f"', ()),
    ],
)
def test_parse_entity_tags(value: str, tags: tuple[EntityTag, ...] | None) -> None:
    assert parse_entity_tags(value) == tags


opaques = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0xFF).filter(
        lambda c: c not in '"\x7f' and not "\x7f" <= c < "\xa0"
    )
)


@given(st.lists(st.builds(EntityTag, opaques, st.booleans()), max_size=6))
def test_entity_tags_are_read_back(tags: list[EntityTag]) -> None:
    assert parse_entity_tags(", ".join(map(str, tags))) == tuple(tags)


@given(st.text(st.sampled_from('"W/*,a \t\\'), max_size=40))
def test_no_tags_raise(value: str) -> None:
    tags = parse_entity_tags(value)
    assert tags is None or all(str(tag) in value for tag in tags)


@pytest.mark.parametrize(
    ("method", "values", "validators", "status"),
    [
        ("GET", {}, STRONG, None),
        ("PUT", {}, None, None),
        # If-Match: strong comparison, 412 for every method
        ("GET", {"if-match": '"x"'}, STRONG, None),
        ("GET", {"if-match": '"a", "x"'}, STRONG, None),
        ("GET", {"if-match": '"a"'}, STRONG, 412),
        ("PUT", {"if-match": '"a"'}, STRONG, 412),
        ("PUT", {"if-match": 'W/"x"'}, STRONG, 412),
        ("PUT", {"if-match": '"x"'}, WEAK, 412),
        ("PUT", {"if-match": '"x"'}, UNTAGGED, 412),
        ("PUT", {"if-match": "x"}, STRONG, 412),
        ("PUT", {"if-match": ""}, STRONG, 412),
        ("PUT", {"if-match": "*"}, UNKNOWN, None),
        ("PUT", {"if-match": "*"}, None, 412),
        ("PUT", {"if-match": '"x"'}, None, 412),
        # If-Unmodified-Since: only without If-Match
        ("PUT", {"if-unmodified-since": THEN}, STRONG, None),
        ("PUT", {"if-unmodified-since": AFTER}, STRONG, None),
        ("PUT", {"if-unmodified-since": BEFORE}, STRONG, 412),
        ("GET", {"if-unmodified-since": BEFORE}, STRONG, 412),
        ("PUT", {"if-unmodified-since": BEFORE}, UNDATED, None),
        ("PUT", {"if-unmodified-since": BEFORE}, None, None),
        ("PUT", {"if-unmodified-since": "yesterday"}, STRONG, None),
        ("PUT", {"if-match": '"x"', "if-unmodified-since": BEFORE}, STRONG, None),
        ("PUT", {"if-match": '"a"', "if-unmodified-since": AFTER}, STRONG, 412),
        # If-None-Match: weak comparison, 304 for reading, 412 for the rest
        ("GET", {"if-none-match": '"x"'}, STRONG, 304),
        ("HEAD", {"if-none-match": '"x"'}, STRONG, 304),
        ("GET", {"if-none-match": 'W/"x"'}, STRONG, 304),
        ("GET", {"if-none-match": '"a", "x"'}, WEAK, 304),
        ("GET", {"if-none-match": "*"}, UNKNOWN, 304),
        ("GET", {"if-none-match": '"a"'}, STRONG, None),
        ("GET", {"if-none-match": "x"}, STRONG, None),
        ("GET", {"if-none-match": '"x"'}, UNTAGGED, None),
        ("PUT", {"if-none-match": '"x"'}, STRONG, 412),
        ("PUT", {"if-none-match": "*"}, STRONG, 412),
        ("PUT", {"if-none-match": "*"}, None, None),
        ("DELETE", {"if-none-match": '"a"'}, STRONG, None),
        ("get", {"if-none-match": '"x"'}, STRONG, 412),  # methods are case-sensitive
        # If-Modified-Since: only for reading and without If-None-Match
        ("GET", {"if-modified-since": THEN}, STRONG, 304),
        ("HEAD", {"if-modified-since": AFTER}, STRONG, 304),
        ("GET", {"if-modified-since": BEFORE}, STRONG, None),
        ("GET", {"if-modified-since": "Sunday, 06-Nov-94 08:49:37 GMT"}, STRONG, 304),
        ("GET", {"if-modified-since": "Sun Nov  6 08:49:37 1994"}, STRONG, 304),
        ("GET", {"if-modified-since": f"{THEN}, {THEN}"}, STRONG, None),
        ("GET", {"if-modified-since": "0"}, STRONG, None),
        ("GET", {"if-modified-since": THEN}, UNDATED, None),
        ("GET", {"if-modified-since": THEN}, None, None),
        ("POST", {"if-modified-since": THEN}, STRONG, None),
        ("GET", {"if-none-match": '"a"', "if-modified-since": THEN}, STRONG, None),
        ("GET", {"if-none-match": '"x"', "if-modified-since": BEFORE}, STRONG, 304),
        # the first steps come first
        ("GET", {"if-match": '"a"', "if-none-match": '"x"'}, STRONG, 412),
        ("GET", {"if-match": '"x"', "if-none-match": '"x"'}, STRONG, 304),
        ("GET", {"if-unmodified-since": BEFORE, "if-none-match": '"x"'}, STRONG, 412),
        ("GET", {"if-unmodified-since": THEN, "if-modified-since": THEN}, STRONG, 304),
        # 13.2.1: no conditions on these
        ("OPTIONS", {"if-match": '"a"'}, STRONG, None),
        ("TRACE", {"if-none-match": "*"}, STRONG, None),
        ("CONNECT", {"if-match": '"a"'}, STRONG, None),
    ],
)
def test_evaluate(method: str, values: dict[str, str], validators: Validators | None, status: int | None) -> None:
    assert evaluate(method, values, validators=validators, now_s=NOW_S) == status


@pytest.mark.parametrize(
    ("if_range", "validators", "now_s", "is_allowed"),
    [
        (None, UNKNOWN, NOW_S, True),
        ('"x"', STRONG, NOW_S, True),
        ('"a"', STRONG, NOW_S, False),
        ('W/"x"', STRONG, NOW_S, False),
        ('"x"', WEAK, NOW_S, False),
        ('W/"x"', WEAK, NOW_S, False),
        ('"x"', UNTAGGED, NOW_S, False),
        ('"a", "x"', STRONG, NOW_S, False),
        ("*", STRONG, NOW_S, False),
        ("", STRONG, NOW_S, False),
        (THEN, STRONG, NOW_S, True),
        (THEN, UNTAGGED, NOW_S, True),
        (BEFORE, STRONG, NOW_S, False),
        (AFTER, STRONG, NOW_S, False),
        (THEN, UNDATED, NOW_S, False),
        ("yesterday", STRONG, NOW_S, False),
        # weak while its second, or a clock set back, may see another change
        (THEN, STRONG, MODIFIED_S + 1, True),
        (THEN, STRONG, MODIFIED_S, False),
        (THEN, STRONG, MODIFIED_S - 5, False),
    ],
)
def test_allows_range(if_range: str | None, validators: Validators, now_s: int, is_allowed: bool) -> None:
    assert allows_range(if_range, validators, now_s=now_s) is is_allowed
