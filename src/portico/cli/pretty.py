"""A body made fit for a person's terminal: no escapes of the peer, JSON indented, colours.

In: text that a server sent. Out: text that is safe to print. Whatever changes is only how it looks: numbers, the order
of keys and keys given twice stay as they were sent (RFC 8259), since nothing is parsed into values and written again.
"""

import re
from typing import Final, Literal

Kind = Literal["json", "html", "xml", ""]

# Beyond these a body is shown as it came: indenting needs all of it at once, colouring takes about 1 us a byte.
MOST_INDENTED: Final = 2 << 20
MOST_COLOURED: Final = 1 << 20

# Control characters but tab and newline, and what turns the direction of writing (CVE-2021-42574).
_UNSAFE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_TOKENS: Final = re.compile(r'"(?:[^"\\]|\\.)*+"|[{}\[\],:]|[^\s{}\[\],:"]+')
_OPENING: Final = {"{": "}", "[": "]"}
# Deeper levels are not set in further: blanks would grow with the square of what was sent.
_INDENTS: Final = tuple("  " * level for level in range(50))


def kind_of(content_type: str) -> Kind:
    """Name the language of a body. content_type: the field's value, "" where there was none."""
    essence = content_type.partition(";")[0].strip().lower()
    if essence in ("application/json", "text/json") or essence.endswith("+json"):
        return "json"
    if essence in ("text/html", "application/xhtml+xml"):
        return "html"
    return "xml" if essence in ("application/xml", "text/xml") or essence.endswith("+xml") else ""


def safe(text: str) -> str:
    r"""Return text that moves no cursor and paints nothing: control characters appear as `\x1b`, `\u202e`.

    Tabs and newlines stay; CR LF counts as a newline.
    """
    return _UNSAFE.sub(_escaped, text.replace("\r\n", "\n"))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def indent_json(text: str) -> str | None:
    r"""Indent JSON, two blanks a level; None where the text is not JSON, or is nested too deeply.

    Numbers and the order of keys are left alone; `\u4e2d` in a string is shown as the character it means.
    """
    import json

    try:
        # The values are thrown away: numbers stay text, since int() refuses more than 4300 digits (CVE-2020-10735).
        json.loads(text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None
    tokens = _TOKENS.findall(text)
    out: list[str] = []
    level = 0
    for token, following in zip(tokens, [*tokens[1:], ""], strict=True):
        if token in _OPENING:
            level += 1
            is_empty = following == _OPENING[token]
            out.append(token if is_empty else f"{token}\n{_indent(level)}")
        elif token in "}]":
            level -= 1
            out.append(token)
        elif token == ",":
            out.append(f",\n{_indent(level)}")
        else:
            out.append(": " if token == ":" else _readable(token))
        if following in ("}", "]") and token not in _OPENING:
            out.append(f"\n{_indent(level - 1)}")
    return "".join(out)


def _indent(level: int) -> str:
    return _INDENTS[min(level, len(_INDENTS) - 1)]


def _readable(token: str) -> str:
    r"""Show what `\uXXXX` stands for in a string; half a surrogate pair cannot be shown."""
    if "\\u" not in token:
        return token
    import json

    shown = json.dumps(json.loads(token), ensure_ascii=False)
    return token if re.search("[\ud800-\udfff]", shown) else shown


def colour(text: str, kind: Kind) -> str:
    """Colour text that is safe already, with the terminal's own sixteen colours. kind: "" leaves it plain."""
    if not kind or len(text) > MOST_COLOURED:
        return text
    # Loaded here, for a terminal alone: they take longer than the rest of the command.
    from pygments import highlight
    from pygments.formatters.terminal import TerminalFormatter

    painted: str = highlight(text, _lexer(kind), TerminalFormatter(colorscheme=_scheme()))
    return painted


def _lexer(kind: Kind) -> object:
    if kind == "json":
        from pygments.lexers.data import JsonLexer

        return JsonLexer(stripnl=False, ensurenl=False)
    from pygments.lexers.html import HtmlLexer, XmlLexer

    return (HtmlLexer if kind == "html" else XmlLexer)(stripnl=False, ensurenl=False)


def _scheme() -> dict[object, tuple[str, str]]:
    """Return colours that can be read on a dark and on a light ground."""
    from pygments import token

    names: dict[object, str] = {
        token.Token: "",
        token.Comment: "brightblack",
        token.Keyword: "magenta",
        token.Name.Tag: "blue",
        token.Name.Attribute: "cyan",
        token.String: "green",
        token.Number: "yellow",
        token.Name.Entity: "yellow",
    }
    return {kind: (name, name) for kind, name in names.items()}


def finish(text: str, kind: Kind, *, has_colour: bool) -> str:
    """Do all of it for a whole body: indent JSON, make it safe, colour it."""
    if kind == "json" and len(text) <= MOST_INDENTED:
        text = indent_json(text) or text
    text = safe(text)
    return colour(text, kind) if has_colour else text
