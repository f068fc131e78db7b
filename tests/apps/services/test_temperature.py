"""Temperatures: every way to write one, exact arithmetic, and one line for what is none."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.apps.services.fake import SOMEBODY

from portico.apps.services import temperature
from portico.apps.services.question import Mistake
from portico.apps.services.temperature import convert
from portico.errors import UsageError
from portico.server.peer import Peer


@pytest.mark.parametrize(
    ("text", "fahrenheit"),
    [
        ("36.6", "97.88"),
        ("36.6C", "97.88"),
        ("36.6c", "97.88"),
        ("36.6 C", "97.88"),
        ("36.6°C", "97.88"),
        ("36.6 ℃", "97.88"),
        ("36.6度", "97.88"),
        ("36.6 摄氏度", "97.88"),
        (" 36.6 ", "97.88"),
        ("+36.6", "97.88"),
        ("36,6", "97.88"),
        ("３６．６", "97.88"),
        ("３６。６Ｃ", "97.88"),
        ("97.9F", "97.9"),
        ("97.9 ℉", "97.9"),
        ("97.9华氏度", "97.9"),
        ("0", "32"),
        ("-0", "32"),
        ("100", "212"),
        ("100.0", "212"),
        ("37", "98.6"),
        ("-40", "-40"),
        ("−40", "-40"),
        ("－40", "-40"),
        ("-17.8", "-0.04"),
        ("-273.15", "-459.67"),
        ("1000000", "1800032"),
        ("0.000000000001", "32.0000000000018"),
        ("0F", "0"),
    ],
)
def test_to_fahrenheit(text: str, fahrenheit: str) -> None:
    assert convert(text, "f") == fahrenheit


@pytest.mark.parametrize(
    ("text", "celsius"),
    [
        ("97.88", "36.6"),
        ("97.9F", "36.61"),
        ("97.9°f", "36.61"),
        ("36.6C", "36.6"),
        ("32", "0"),
        ("31.99", "-0.006"),
        ("212", "100"),
        ("0", "-17.8"),
        ("-40F", "-40"),
        ("-459.67", "-273.15"),
    ],
)
def test_to_celsius(text: str, celsius: str) -> None:
    assert convert(text, "c") == celsius


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "abc", "C", "-", ".", "36.", ".5", "36..6", "36.6.6", "1,000.5", "--1", "36 6", "36.6CC", "36.6K"),
        *("inf", "-inf", "nan", "1e3", "1e999", "0x10", "1_000", "1" * 13, "0." + "1" * 13, "36.6\n7", "36.6 °"),
        *("٣٦", "三十六", "%d", "36.6;", "36.6 C F", "½"),
    ],
)
def test_what_is_no_temperature(text: str) -> None:
    with pytest.raises(Mistake) as raised:
        convert(text, "f")
    assert raised.value.en == f"{text!r} is not a temperature; write a number, as 36.6, 36.6C or 97.9F"
    assert raised.value.zh == f"{text!r} 不是温度；请写成 36.6、36.6C 或 97.9F 这样"


@pytest.mark.parametrize(
    ("text", "to", "en", "zh"),
    [
        (
            "-273.16",
            "f",
            "-273.16 °C is colder than anything can be; the least is -273.15 °C",
            "低于绝对零度 -273.15 °C",
        ),
        (
            "-459.68",
            "c",
            "-459.68 °F is colder than anything can be; the least is -459.67 °F",
            "低于绝对零度 -459.67 °F",
        ),
        ("-500F", "f", "-500 °F is colder than anything can be; the least is -459.67 °F", "低于绝对零度 -459.67 °F"),
    ],
)
def test_nothing_is_colder_than_absolute_zero(text: str, to: str, en: str, zh: str) -> None:
    with pytest.raises(Mistake) as raised:
        convert(text, to)
    assert raised.value.en == en
    assert raised.value.zh.endswith(zh)


@pytest.mark.parametrize(
    ("datagram", "answer"),
    [
        (b"36.6", b"97.88"),
        (b"36.6\n", b"97.88\n"),
        ("36.6℃".encode("gbk"), b"97.88"),
        (b"hot", b"error: 'hot' is not a temperature; write a number, as 36.6, 36.6C or 97.9F"),
        ("热".encode(), "错误：'热' 不是温度；请写成 36.6、36.6C 或 97.9F 这样".encode()),
        ("很热".encode("gbk"), "错误：'很热' 不是温度；请写成 36.6、36.6C 或 97.9F 这样".encode("gbk")),
        (b"1" * 65_507, b"error: 65507 characters are too many; at most 32 are read"),
        (b"\0", b"error: '\\x00' is not text; send UTF-8 or GBK"),
        (b"", b"error: '' is not a temperature; write a number, as 36.6, 36.6C or 97.9F"),
    ],
)
def test_a_datagram_is_answered(datagram: bytes, answer: bytes) -> None:
    assert temperature()(datagram, SOMEBODY) == answer


@pytest.mark.parametrize(("to", "answer"), [("c", b"36.61"), ("C", b"36.61"), ("f", b"97.9")])
def test_the_scale_is_chosen(to: str, answer: bytes) -> None:
    assert temperature(to)(b"97.9F", SOMEBODY) == answer


def test_the_charset_can_be_fixed() -> None:
    assert temperature(encoding="gbk")("１".encode("gbk"), SOMEBODY) == b"33.8"
    assert temperature(encoding="utf-8")("１度".encode("gbk"), SOMEBODY) != b"33.8"


def test_bad_arguments_are_refused_at_once() -> None:
    with pytest.raises(UsageError, match="'kelvin' is not a scale of temperature; c and f are"):
        temperature("kelvin")
    with pytest.raises(UsageError, match="is not the name of a charset"):
        temperature(encoding="klingon")


@pytest.mark.parametrize("port", [7, 13, 17, 19, 37])
def test_no_answer_to_what_would_answer_it(port: int) -> None:
    assert temperature()(b"36.6", Peer("192.0.2.1", port)) is None


@given(st.decimals("-273.15", "1000000", places=3))
def test_there_and_back(celsius: Decimal) -> None:
    fahrenheit = convert(f"{celsius:f}", "f")
    assert Decimal(convert(fahrenheit, "c")) == celsius


@given(st.text(max_size=32) | st.text(st.sampled_from("0123456789.,+-CF°℃度 "), max_size=32))
def test_whatever_comes_is_a_number_or_a_mistake(text: str) -> None:
    answer = temperature()(text.encode("utf-8", "replace"), SOMEBODY)
    assert isinstance(answer, bytes)
    if not answer.startswith((b"error: ", "错误：".encode())):
        assert Decimal(answer.decode()).is_finite()
