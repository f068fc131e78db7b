"""The grammar that field values share: tokens, quoted strings, lists, parameters, weights (RFC 9110 section 5.6).

In: field values as text; out: their parts. Reading is lenient and never raises: what cannot be read is left
out. Writing is strict. Every function is linear in the length of its text.
"""

import re

from portico.errors import UsageError, excerpt

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# RFC 9110 5.5: visible characters, obs-text, and blanks between them; the ends are checked apart.
_FIELD_CONTENT = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_QVALUE = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
# A quoted string, closed or running to the end; or plain text; or one separator. The quoted alternative is
# possessive and a quote always opens one, so no character is looked at twice.
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*+"?|[^",;]+|[,;]', re.DOTALL)
_QUOTED_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_TO_ESCAPE = re.compile(r'(["\\])')
_BLANKS = " \t"


def is_token(text: str) -> bool:
    """Say whether the text is a token: one or more letters, digits or ``!#$%&'*+-.^_`|~`` (5.6.2)."""
    return _TOKEN.fullmatch(text) is not None


def is_field_name(text: str) -> bool:
    """Say whether a field may be sent under this name: it is a token (5.1)."""
    return is_token(text)


def is_field_value(text: str) -> bool:
    """Say whether the text may be sent as a field value as it stands (5.5).

    No control characters but the tab, nothing above U+00FF, no blank at either end; empty is fine.
    """
    return _FIELD_CONTENT.fullmatch(text) is not None and text == text.strip(_BLANKS)


def split_list(value: str) -> list[str]:
    """Split a comma-separated list (5.6.1) into its elements, trimmed; empty elements are dropped.

    A comma inside a quoted string does not split; a quote that is never closed runs to the end.
    """
    return [element for piece in _split(value, ",") if (element := piece.strip(_BLANKS))]


def parse_parameters(value: str) -> tuple[str, dict[str, str]]:
    """Take apart `value;name=text;name="quoted text"` (5.6.6).

    Returns what precedes the first semicolon, trimmed and otherwise as sent, and the parameters: names in
    lower case, quoted strings unquoted. A parameter that is not `token=token` or `token="..."` is left out;
    of two with the same name the first counts.
    """
    first, *rest = _split(value, ";")
    parameters: dict[str, str] = {}
    for piece in rest:
        name, _, text = piece.strip(_BLANKS).partition("=")
        parsed = _unquote(text)
        if parsed is not None and is_token(name):
            parameters.setdefault(name.lower(), parsed)
    return first.strip(_BLANKS), parameters


def parse_weighted(value: str) -> list[tuple[str, float]]:
    """Read a list whose elements carry a weight, as in Accept (12.4.2).

    Returns each element with its weight from 0.0 to 1.0, in the order sent; 1.0 where none is given. The
    element is as sent, with its other parameters, up to `;q=`; what follows the weight is dropped. An element
    whose weight is malformed is left out.
    """
    weighted: list[tuple[str, float]] = []
    for element in split_list(value):
        kept: list[str] = []
        weight = "1"
        for piece in _split(element, ";"):
            name, equals, text = piece.strip(_BLANKS).partition("=")
            if kept and equals and name in ("q", "Q"):
                weight = text
                break
            kept.append(piece)
        if _QVALUE.fullmatch(weight) is not None:
            weighted.append((";".join(kept).strip(_BLANKS), float(weight)))
    return weighted


def quote_string(text: str) -> str:
    """Write text as a quoted string (5.6.4), with its quotes and backslashes escaped.

    Raises UsageError for text that no field value can hold: control characters, anything above U+00FF.
    """
    if _FIELD_CONTENT.fullmatch(text) is None:
        raise UsageError(f"{excerpt(text)} cannot be quoted: use printable characters up to U+00FF, or encode it")
    escaped = _TO_ESCAPE.sub(r"\\\1", text)
    return f'"{escaped}"'


def _split(value: str, separator: str) -> list[str]:
    """Split at a comma or a semicolon that is not inside a quoted string; the parts are as sent."""
    if '"' not in value:
        return value.split(separator)
    parts: list[list[str]] = [[]]
    for piece in _PIECE.findall(value):
        if piece == separator:
            parts.append([])
        else:
            parts[-1].append(piece)
    return ["".join(part) for part in parts]


def _unquote(text: str) -> str | None:
    """Return what a token or a whole quoted string says; None for anything else."""
    if is_token(text):
        return text
    if _QUOTED_STRING.fullmatch(text) is not None:
        return _QUOTED_PAIR.sub(r"\1", text[1:-1])
    return None
