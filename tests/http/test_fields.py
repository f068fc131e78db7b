"""The shared grammar: RFC 9110's examples, hostile quoting, and round trips."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.errors import UsageError
from portico.http.fields import (
    is_field_name,
    is_field_value,
    is_token,
    parse_parameters,
    parse_weighted,
    quote_string,
    split_list,
)

TCHARS = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
tokens = st.text(st.sampled_from(TCHARS), min_size=1, max_size=12)
quotable = st.text(st.characters(max_codepoint=0xFF, exclude_categories=["Cc"]) | st.just("\t"), max_size=20)


@pytest.mark.parametrize("character", [chr(code) for code in range(0x120)])
def test_the_characters_of_a_token(character: str) -> None:
    assert is_token(character) is (character in TCHARS)
    assert is_field_name(f"x{character}") is (character in TCHARS)


def test_nothing_is_no_token() -> None:
    assert not is_token("")
    assert not is_field_name("")
    assert not is_token("close\n")


@pytest.mark.parametrize("code", range(0x120))
def test_the_characters_of_a_field_value(code: int) -> None:
    assert is_field_value(f"a{chr(code)}b") is (code == 9 or 32 <= code <= 126 or 128 <= code <= 255)


@pytest.mark.parametrize(
    ("text", "is_allowed"),
    [("", True), ("a  b", True), (" a", False), ("a ", False), ("\ta", False), ("a\t", False), ("a\n", False)],
)
def test_the_ends_of_a_field_value(text: str, is_allowed: bool) -> None:
    assert is_field_value(text) is is_allowed


@pytest.mark.parametrize(
    ("value", "elements"),
    [
        # RFC 9110 5.6.1.2
        ("foo,bar", ["foo", "bar"]),
        ("foo ,bar,", ["foo", "bar"]),
        ("foo , ,bar,charlie", ["foo", "bar", "charlie"]),
        ("", []),
        (",", []),
        (",   ,", []),
        # RFC 9110 5.5: quoted commas
        ('"http://example.com/a,b", "second"', ['"http://example.com/a,b"', '"second"']),
        ('a;x="1,2" , b', ['a;x="1,2"', "b"]),
        (r'"a\",b",c', [r'"a\",b"', "c"]),
        (r'"a\\",b', [r'"a\\"', "b"]),
        ('a;b,"c;d",e', ["a;b", '"c;d"', "e"]),
        # never closed: to the end
        ('a,"b,c', ["a", '"b,c']),
        ('a,"b,c\\', ["a", '"b,c\\']),
        ('"', ['"']),
        ("a\tb,\tc\t", ["a\tb", "c"]),
    ],
)
def test_split_list(value: str, elements: list[str]) -> None:
    assert split_list(value) == elements


@given(st.lists(tokens | quotable.map(quote_string), max_size=6))
def test_lists_are_read_back(elements: list[str]) -> None:
    assert split_list(" , ".join(elements)) == elements
    assert split_list(",,".join(elements)) == elements


@pytest.mark.parametrize(
    ("value", "main", "parameters"),
    [
        # RFC 9110 8.3.1: four spellings of one media type
        ("text/html;charset=utf-8", "text/html", {"charset": "utf-8"}),
        ('Text/HTML;Charset="utf-8"', "Text/HTML", {"charset": "utf-8"}),
        ('text/html; charset="utf-8"', "text/html", {"charset": "utf-8"}),
        ("text/html;charset=UTF-8", "text/html", {"charset": "UTF-8"}),
        ("", "", {}),
        ("text/plain", "text/plain", {}),
        (" text/plain ;; a=1 ; ", "text/plain", {"a": "1"}),
        ('form-data; name="a;b"; filename="q\\"x\\\\.txt"', "form-data", {"name": "a;b", "filename": 'q"x\\.txt'}),
        ("a; b=1; B=2", "a", {"b": "1"}),
        ('a; b=""', "a", {"b": ""}),
        # left out: no value, blanks round the sign, no token, text after or before the quotes, never closed
        ("a; b; c=; d =1; e= 1; =2; f=g h", "a", {}),
        ('a; b="x"y', "a", {}),
        ('a; b=y"x"', "a", {}),
        ('a; b="x', "a", {}),
        ('a; b="x\\"', "a", {}),
        ('a; b="x; c=1', "a", {}),
    ],
)
def test_parse_parameters(value: str, main: str, parameters: dict[str, str]) -> None:
    assert parse_parameters(value) == (main, parameters)


@given(st.dictionaries(tokens.map(str.lower), quotable, max_size=5))
def test_parameters_are_read_back(parameters: dict[str, str]) -> None:
    written = "; ".join(["x/y", *(f"{name}={quote_string(text)}" for name, text in parameters.items())])
    assert parse_parameters(written) == ("x/y", parameters)


@pytest.mark.parametrize(
    ("value", "weighted"),
    [
        # RFC 9110 12.5.1 to 12.5.4
        ("audio/*; q=0.2, audio/basic", [("audio/*", 0.2), ("audio/basic", 1.0)]),
        ("iso-8859-5, unicode-1-1;q=0.8", [("iso-8859-5", 1.0), ("unicode-1-1", 0.8)]),
        ("gzip;q=1.0, identity; q=0.5, *;q=0", [("gzip", 1.0), ("identity", 0.5), ("*", 0.0)]),
        ("da, en-gb;q=0.8, en;q=0.7", [("da", 1.0), ("en-gb", 0.8), ("en", 0.7)]),
        ("text/html;level=2;q=0.4", [("text/html;level=2", 0.4)]),
        ("text/html ;level=2 ; Q=0.4 ; x=1", [("text/html ;level=2", 0.4)]),
        ('a;t="q=0.1;q=0.2";q=0.3', [('a;t="q=0.1;q=0.2"', 0.3)]),
        ("", []),
        ("a;q=0.", [("a", 0.0)]),
        ("a;q=1.000", [("a", 1.0)]),
        ("a;q", [("a;q", 1.0)]),
        ("a;q=0,5", [("a", 0.0), ("5", 1.0)]),  # a decimal comma makes two elements
        ("q=0.5", [("q=0.5", 1.0)]),
    ],
)
def test_parse_weighted(value: str, weighted: list[tuple[str, float]]) -> None:
    assert parse_weighted(value) == weighted


@pytest.mark.parametrize(
    "weight",
    ["", "2", "1.1", "1.001", "0.1234", "-1", "+1", ".5", "01", "1e0", "nan", "inf", " 1", '"1"', "١"],
)
def test_an_element_with_a_malformed_weight_is_left_out(weight: str) -> None:
    assert parse_weighted(f"a;q={weight}, b") == [("b", 1.0)]


@given(st.text(st.sampled_from('",;\\= \tqa01.'), max_size=60))
def test_no_value_raises_and_nothing_is_invented(value: str) -> None:
    assert all(element in value and element == element.strip(" \t") != "" for element in split_list(value))
    main, parameters = parse_parameters(value)
    assert main in value
    assert all(is_token(name) for name in parameters)
    assert all(0 <= weight <= 1 for _, weight in parse_weighted(value))


@pytest.mark.parametrize(
    ("text", "quoted"),
    [("", '""'), ("abc", '"abc"'), ('a"b\\c', r'"a\"b\\c"'), ("é\t ", '"é\t "')],
)
def test_quote_string(text: str, quoted: str) -> None:
    assert quote_string(text) == quoted


@pytest.mark.parametrize("text", ["a\nb", "a\r", "\0", "\x7f", "漢"])
def test_quote_string_refuses_what_no_field_can_hold(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be quoted"):
        quote_string(text)
