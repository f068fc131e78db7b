"""A folder's README as safe HTML: escaped text, and for Markdown a small subset of it.

In: the file's name and bytes; out: markup that can run nothing and, being text, fetches nothing but
pictures of the same folder. Understood: headings, paragraphs, lists, quotes, code, rules, emphasis, links,
pictures; tables keep their columns as preformatted text. HTML inside is shown, never obeyed.

    render -> _Markdown.feed (a line) -> _flush (a block) -> inline (its text)

The invariant: every piece of input passes `escape` exactly once; every link passes `_link_target`.
All regular expressions are linear: no repeat can begin inside what an equal one has consumed.
"""

import re
from html import unescape

from portico.apps.files.labels import escape

MAX_README_BYTES = 32 * 1024  # even a hostile one is rendered within a loop's patience

_NEAR_PICTURE = re.compile(r"[\w.~/-]+\.(?:avif|gif|jpe?g|png|svg|webp)", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_FOREIGN = re.compile(r"https?://", re.IGNORECASE)
_UNSAFE = re.compile(r"[\x00-\x20\\\x7f]")

_INLINE = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|(?P<picture>!?)\[(?P<label>[^\[\]\n]*)\]\((?P<target>[^()\s]+)\)"
    r"|\*\*(?P<strong>[^*\n]+)\*\*"
    r"|\*(?P<star>[^*\s][^*\n]*)(?<!\s)\*"
    r"|(?<!\w)_(?P<line>[^_\s][^_\n]*)(?<!\s)_(?!\w)"
    r"|<?(?P<url>https?://[^\s<>()\[\]\"'`*]+)>?"
)
_HEADING = re.compile(r"(#{1,6})\s")
_BULLET = re.compile(r"\s{0,9}[-*+]\s")
_NUMBER = re.compile(r"\s{0,9}\d{1,9}[.)]\s")


def render(name: bytes, text: bytes) -> str:
    """Return the HTML of a README.

    name: `README.md` and `.markdown` are read as Markdown, anything else is shown as it is.
    text: any bytes; beyond `MAX_README_BYTES` it is cut, with an ellipsis.
    """
    told = text[:MAX_README_BYTES].decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\0", "\ufffd")
    if len(text) > MAX_README_BYTES:
        told += "\n\n…"
    if not name.lower().endswith((b".md", b".markdown")):
        return f"<pre>{escape(told.strip())}</pre>"
    blocks = _Markdown()
    for line in told.split("\n"):
        blocks.feed(line.rstrip())
    return blocks.end()


def inline(text: str, depth: int = 0) -> str:
    """Return the HTML of text inside a block: code, links, pictures and emphasis, nested three deep at most."""
    if depth > 2:
        return escape(text)
    out, end = [], 0
    for match in _INLINE.finditer(text):
        out.append(escape(text[end : match.start()]))
        out.append(_span(match, depth))
        end = match.end()
    out.append(escape(text[end:]))
    return "".join(out)


def _span(match: re.Match[str], depth: int) -> str:
    kind = match.lastgroup
    if kind == "code":
        return f"<code>{escape(match['code'])}</code>"
    if kind == "strong":
        return f"<strong>{inline(match['strong'], depth + 1)}</strong>"
    if kind in ("star", "line"):
        return f"<em>{inline(match[kind], depth + 1)}</em>"
    if kind == "url":
        return _link(match["url"], escape(match["url"]))
    target, label = match["target"], match["label"]
    if match["picture"] and _is_near_picture(target):
        return f'<img src="{escape(_link_target(target) or "")}" alt="{escape(label)}" loading=lazy>'
    return _link(target, inline(label, depth + 1) if label else escape(target))


def _link(target: str, label: str) -> str:
    href = _link_target(target)
    if href is None:
        return label
    rel = ' rel="nofollow noopener noreferrer"' if _FOREIGN.match(href) else ""
    return f'<a href="{escape(href)}"{rel}>{label}</a>'


def _link_target(target: str) -> str | None:
    """Return where a link may lead: http(s), or a path of this site; None for any other scheme and odd characters."""
    target = unescape(target)
    if _UNSAFE.search(target) or target.startswith(("//", "#")):
        return None
    if _FOREIGN.match(target):
        return target
    if _SCHEME.match(target):
        return None
    return target if target.startswith("/") else f"./{target.removeprefix('./')}"


def _is_near_picture(target: str) -> bool:
    # Only below this folder: a picture is a GET without a click, and other paths may belong to an application.
    return bool(_NEAR_PICTURE.fullmatch(target)) and not target.startswith("/") and ".." not in target


def _is_rule(bare: str) -> bool:
    return bare[0] in "-*_" and bare.count(bare[0]) >= 3 and not bare.strip(f"{bare[0]} ")


class _Markdown:
    """Turns lines into blocks. `_kind` names the open block, `_lines` holds its text so far."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._kind = ""
        self._lines: list[str] = []
        self._fence = ""

    def feed(self, line: str) -> None:
        """Take the next line, without its end."""
        bare = line.lstrip()
        if self._fence:
            if bare.startswith(self._fence):
                self._flush()
            else:
                self._lines.append(line)
        elif not bare:
            # A list or indented code may go on after an empty line; everything else ends.
            if self._kind not in ("ul", "ol"):
                self._flush()
        elif bare.startswith(("```", "~~~")):
            self._open("pre")
            self._fence = bare[:3]
        else:
            self._text(line, bare)

    def end(self) -> str:
        """Close what is open and return the HTML."""
        self._flush()
        return "".join(self._out)

    def _text(self, line: str, bare: str) -> None:
        if heading := _HEADING.match(bare):
            self._flush()
            self._heading(len(heading[1]), bare[heading.end() :].strip().rstrip("#"))
        elif self._kind == "p" and len(self._lines) == 1 and (bare.strip("=") == "" or bare.strip("-") == ""):
            title, self._lines = self._lines[0], []
            self._heading(1 if bare[0] == "=" else 2, title)
            self._flush()
        elif _is_rule(bare):
            self._flush()
            self._out.append("<hr>")
        elif match := _BULLET.match(line):
            self._more("ul", line[match.end() :])
        elif match := _NUMBER.match(line):
            self._more("ol", line[match.end() :])
        elif self._kind in ("ul", "ol") and line[0].isspace():
            self._lines[-1] += f" {bare}"
        else:
            self._plain(line, bare)

    def _plain(self, line: str, bare: str) -> None:
        if bare.startswith(">"):
            self._more("blockquote", bare[1:].strip())
        elif bare.startswith("|"):
            self._more("pre", bare)
        elif line.startswith(("    ", "\t")) and self._kind != "p":
            self._more("pre", line.expandtabs(4)[4:])
        else:
            self._more("p", bare)

    def _heading(self, level: int, title: str) -> None:
        # The page has an h1 and the README's name is its h2.
        tag = f"h{min(level + 2, 6)}"
        self._out.append(f"<{tag}>{inline(title)}</{tag}>")

    def _more(self, kind: str, text: str) -> None:
        if self._kind != kind:
            self._open(kind)
        self._lines.append(text)

    def _open(self, kind: str) -> None:
        self._flush()
        self._kind = kind

    def _flush(self) -> None:
        kind, lines = self._kind, self._lines
        self._kind, self._lines, self._fence = "", [], ""
        if kind == "pre":
            self._out.append(f"<pre>{escape(chr(10).join(lines))}</pre>")
        elif kind in ("ul", "ol"):
            self._out.append(f"<{kind}>{''.join(f'<li>{inline(line)}' for line in lines)}</{kind}>")
        elif kind and lines:
            self._out.append(f"<{kind}>{inline(' '.join(lines))}</{kind}>")
