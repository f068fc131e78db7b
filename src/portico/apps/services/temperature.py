"""Temperatures: a number in Celsius or Fahrenheit in, the same in the other scale out.

`36.6` is in the scale that is not asked for; `36.6C`, `97.9 °F`, `36.6 ℃` and `36.6度` say it themselves, and what is
in the scale asked for already comes back as it is. Full-width digits and a decimal comma are read too.

The arithmetic is decimal and exact; an answer has at most one decimal more than its question.
"""

import re
import unicodedata
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple

from portico.apps.services.question import ANSWERING_MACHINES, Mistake, read_question, shown
from portico.errors import UsageError, excerpt
from portico.server.peer import Peer
from portico.server.service import DatagramService
from portico.wire.charset import find_charset

MAX_CHARS: Final = 32


class Scale(NamedTuple):
    """A scale. unit: as it is shown. zero: the absolute zero."""

    unit: str
    zero: Decimal


SCALES: Final = {"c": Scale("°C", Decimal("-273.15")), "f": Scale("°F", Decimal("-459.67"))}
_OTHER = {"c": "f", "f": "c"}
# After NFKC, which makes ℃ of one character two, and full-width letters narrow.
_UNITS = {"": "", "c": "c", "°c": "c", "度": "c", "摄氏度": "c", "f": "f", "°f": "f", "华氏度": "f"}
_MINUS = str.maketrans({"\u2212": "-", "\u2013": "-", "。": "."})
_TEMPERATURE = re.compile(r"([+-]?)([0-9]{1,12})(?:[.,]([0-9]{1,12}))?\s*([^\s0-9]{0,3})")


def temperature(to: str = "f", *, encoding: str = "") -> DatagramService:
    """Make a service that converts the temperature in each datagram.

    to: the scale of the answers, "f" or "c". encoding: the charset of questions and answers, "" for the question's.
    Raises UsageError for another scale, or no charset.
    """
    scale = to.strip().lower()
    if scale not in SCALES:
        raise UsageError(f"{excerpt(to)} is not a scale of temperature; c and f are")
    charset = find_charset(encoding)

    def answer(datagram: bytes, peer: Peer) -> bytes | None:
        if peer.port in ANSWERING_MACHINES:
            return None
        question = read_question(datagram, charset)
        try:
            question.check(MAX_CHARS)
            return question.answer(convert(question.text, scale))
        except Mistake as mistake:
            return question.complain(mistake)

    return DatagramService(answer, "temperature", is_quick=True)


def convert(text: str, to: str) -> str:
    """Return a temperature in a scale, as a plain number: `36.6` is `97.88`.

    text: at most `MAX_CHARS`. to: "f" or "c". Raises Mistake for what is no temperature, or colder than possible.
    """
    match = _TEMPERATURE.fullmatch(unicodedata.normalize("NFKC", text).translate(_MINUS).strip())
    unit = _UNITS.get(match[4].lower()) if match else None
    if not match or unit is None:
        raise Mistake(
            f"{shown(text)} is not a temperature; write a number, as 36.6, 36.6C or 97.9F",
            f"{shown(text)} 不是温度；请写成 36.6、36.6C 或 97.9F 这样",
        )
    sign, whole, decimals, _ = match.groups(default="")
    value = Decimal(f"{sign}{whole}.{decimals or 0}")
    scale = unit or _OTHER[to]
    if value < SCALES[scale].zero:
        seen, zero = f"{value.normalize():f} {SCALES[scale].unit}", f"{SCALES[scale].zero} {SCALES[scale].unit}"
        raise Mistake(f"{seen} is colder than anything can be; the least is {zero}", f"{seen} 低于绝对零度 {zero}")
    return _plain(_converted(value, scale, to), len(decimals) + 1)


def _converted(value: Decimal, scale: str, to: str) -> Decimal:
    if scale == to:
        return value
    return value * 9 / 5 + 32 if to == "f" else (value - 32) * 5 / 9


def _plain(value: Decimal, decimals: int) -> str:
    """Write a number with at most so many decimals, and none that say nothing."""
    rounded = value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    return f"{rounded.normalize():f}" if rounded else "0"
