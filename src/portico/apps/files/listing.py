"""A folder's listing as HTML, JSON or text, made in slices.

In: a `Page` (what the request asked for) and entries, in any order, as the disk gives them; out: an iterator
of chunks. The head of the page comes before the first entry is asked for. An empty chunk means "still
working": every step takes at most a few hundred entries, so that an event loop can breathe between steps.

    html / json_listing / text_listing
        Shelf.fill      takes the entries      (one empty chunk a step)
        Shelf.batches   gives them in order    (one chunk of rows a step)

Names are bytes: links carry them percent-encoded behind `./`, so that no name can be a scheme, and text
carries them escaped.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from json.encoder import encode_basestring as quoted
from typing import NamedTuple

from portico.apps.files import readme as readme_page
from portico.apps.files.labels import Dates, shown, size, terminal
from portico.apps.files.pages import WORDS, asset, page_start, style
from portico.apps.files.shelf import SORTS, EntryLike, Shelf
from portico.http.media_types import kind, media_type
from portico.http.target import encode_path, encode_segment

VIEWS = ("list", "grid")


class Readme(NamedTuple):
    """A folder's README: its file name and its bytes."""

    name: bytes
    text: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What one listing is about.

    segments: the folder below the root, decoded. base: the segments below which the root is served, decoded too.
    sort: one of `SORTS`. view: one of `VIEWS`. language: "en" or "zh". now_s: epoch seconds, for dates.
    nonce: as in `pages.csp`. readme: shown below the rows, None for none. title: name of the root, "" for "Home".
    """

    now_s: int
    nonce: str = ""
    segments: tuple[bytes, ...] = ()
    base: tuple[bytes, ...] = ()
    sort: str = "name"
    view: str = "list"
    language: str = "en"
    readme: Readme | None = None
    title: str = ""


def read_query(query: str | None) -> tuple[str, str]:
    """Return the sort order and the view that a query asks for, `name` and `list` where it asks for nothing known."""
    chosen = dict(part.partition("=")[::2] for part in (query or "").split("&"))
    sort, view = chosen.get("sort", ""), chosen.get("view", "")
    return sort if sort in SORTS else SORTS[0], view if view in VIEWS else VIEWS[0]


# HTML

_PLAIN = re.compile(rb"[A-Za-z0-9._~-]+").fullmatch
_LETTERS = {"image": "i", "video": "v", "audio": "a", "text": "t", "archive": "z", "document": "p", "font": "n"}
# Pictures that every current browser shows, by extension.
_SHOWABLE = frozenset((b"avif", b"bmp", b"gif", b"ico", b"jpeg", b"jpg", b"png", b"svg", b"webp"))


def html(page: Page, entries: Iterable[EntryLike]) -> Iterator[bytes]:
    """Make the page of a folder; to be sent with `pages.csp(page.nonce)`.

    Returns chunks; empty ones ask for patience. Raises whatever `entries` raises.
    """
    yield _head(page).encode()
    shelf = Shelf(page.sort)
    for _ in shelf.fill(entries):
        yield b""
    rows = _Rows(page)
    for step in shelf.batches():
        yield rows.make(step)
    yield _below(page, shelf, rows.has_pictures).encode()
    yield _readme(page.readme).encode()
    yield _foot(page, shelf).encode()


class _Rows:
    """Makes table rows. Icons are remembered by extension, for one page."""

    def __init__(self, page: Page) -> None:
        self._words = WORDS[page.language]
        self._dates = Dates(page.language, page.now_s)
        self._is_grid = page.view == "grid"
        self._icons: dict[bytes, str] = {}
        self.has_pictures = False

    def make(self, step: list[EntryLike]) -> bytes:
        """Return the rows of some entries."""
        icons = self._icons
        # What was unpacked, copied or checked out together has one time: remembered for this step.
        times: dict[int | None, str] = {None: ""}
        out = []
        for entry in step:
            name, mtime_s, count, is_folder = entry.name, entry.mtime_s, entry.size, entry.kind == "folder"
            when = times.get(mtime_s)
            if when is None:
                when = times[mtime_s] = self._when(mtime_s or 0)
            # The common row, whose name needs no escape and whose icon is known, is made right here.
            icon = icons.get(name[name.rfind(b".") + 1 :])
            if icon is not None and not is_folder and _PLAIN(name) and entry.is_served and not entry.is_link:
                text = name.decode("ascii")
                cell = f'<tr class={icon}><td><a href="./{text}"><bdi>{text}</bdi></a>'
            else:
                cell = self._cell(entry)
            out.append(f"{cell}<td>{'' if count is None or is_folder else size(count)}<td>{when}\n")
        return "".join(out).encode()

    def _when(self, time_s: int) -> str:
        day, time, told = self._dates.read(time_s)
        return f'<time datetime={day}T{time}Z title="{day} {time} UTC">{told}</time>'

    def _cell(self, entry: EntryLike) -> str:
        if not entry.is_served:
            return self._grey(entry)
        name = entry.name
        href, text = encode_segment(name).replace("&", "&amp;"), shown(name)
        link = f"<small>{self._words['link']}</small>" if entry.is_link else ""
        if entry.kind == "folder":
            return f'<tr class=d><td><a href="./{href}/"><bdi>{text}</bdi>{link}</a>'
        extension = name[name.rfind(b".") + 1 :]
        icon = _LETTERS.get(kind(media_type(name.decode("utf-8", "replace"))), "f")
        picture = ""
        if icon == "i" and extension.lower() in _SHOWABLE:
            self.has_pictures = True
            if self._is_grid:
                picture = f'<img src="./{href}" loading=lazy alt="">'
        if not picture:
            self._icons[extension] = icon
        return f'<tr class={icon}><td><a href="./{href}">{picture}<bdi>{text}</bdi>{link}</a>'

    def _grey(self, entry: EntryLike) -> str:
        text = f"<bdi>{shown(entry.name)}</bdi><small>{self._words[_reason(entry)]}</small>"
        return f'<tr class="{"d" if entry.kind == "folder" else "x"} off"><td><span>{text}</span>'


def _reason(entry: EntryLike) -> str:
    """Return the key in `WORDS` of why an entry is grey."""
    if entry.kind == "broken":
        return "broken"
    if entry.is_link:  # its target lies outside, cannot be read, or links are not followed at all
        return "outside"
    return "other" if entry.kind == "other" else "unreadable"


def _head(page: Page) -> str:
    words = WORDS[page.language]
    extras = {"grid.css": page.view == "grid", "readme.css": page.readme is not None}
    styles = ("base.css", "listing.css", *(name for name, is_needed in extras.items() if is_needed))
    name = shown(page.segments[-1]) if page.segments else shown(page.title.encode() or b"/")
    start = page_start(page.language, name, f'<style nonce="{page.nonce}">{style(styles)}</style>')
    columns = "".join(_column(page, column, words[column]) for column in ("name", "size", "modified"))
    return (
        f"{start}<body class={page.view}><header><nav aria-label={words['path']}><ol>{_crumbs(page)}</ol></nav>"
        f'<input id=q type=search hidden placeholder="{words["filter_hint"]}" aria-label={words["filter"]} '
        "autocomplete=off spellcheck=false></header>"
        f"<main><table><thead><tr>{columns}</thead><tbody>\n"
    )


def _crumbs(page: Page) -> str:
    # Relative links: right behind any prefix, also one that a proxy has taken away.
    depth = len(page.segments)
    names = [shown(page.title.encode()) or WORDS[page.language]["home"], *map(shown, page.segments)]
    out = []
    for level, name in enumerate(names):
        home = "" if level else " class=home"
        if level == depth:
            out.append(f"<li{home} aria-current=page><h1><bdi>{name}</bdi></h1>")
        else:
            up = " rel=up" if level == depth - 1 else ""
            out.append(f'<li><a{home}{up} href="{"../" * (depth - level)}"><bdi>{name}</bdi></a>')
    return "".join(out)


def _column(page: Page, column: str, word: str) -> str:
    current = page.sort.removeprefix("-") == column
    is_descending = page.sort.startswith("-")
    # The first click on a number shows the largest and the newest.
    turned = not is_descending if current else column != "name"
    state = f" aria-sort={'descending' if is_descending else 'ascending'}" if current else ""
    view = "&amp;view=grid" if page.view == "grid" else ""
    return f'<th{state}><a href="?sort={"-" if turned else ""}{column}{view}">{word}</a>'


def _below(page: Page, shelf: Shelf, has_pictures: bool) -> str:
    words = WORDS[page.language]
    empty = "" if shelf.folders or shelf.files else f"<p class=empty>{words['empty']}</p>"
    none = f"<p id=none class=empty hidden>{words['none']}</p>"
    return f"</table>{empty}{none}</main>{_views(page) if has_pictures else ''}"


def _foot(page: Page, shelf: Shelf) -> str:
    words = WORDS[page.language]
    summary = shelf.summary(page.language)
    keys = "".join(f"<dt>{_KEYS[key]}<dd>{words[key]}" for key in _KEYS)
    return (
        f"<footer><span id=sum role=status>{summary}</span><span>Portico"
        f"<button id=keys hidden aria-label={words['keys']}>?</button></span></footer>"
        f"<dialog aria-label={words['keys']}><dl>{keys}</dl></dialog>"
        f'<script nonce="{page.nonce}">{asset("listing.js")}</script></body></html>'
    )


_KEYS = {
    "key_filter": "<kbd>/</kbd>",
    "key_move": "<kbd>j</kbd> <kbd>k</kbd> <kbd>↓</kbd> <kbd>↑</kbd>",
    "key_open": "<kbd>Enter</kbd>",
    "key_up": "<kbd>h</kbd>",
    "key_clear": "<kbd>Esc</kbd>",
}


def _views(page: Page) -> str:
    words = WORDS[page.language]
    current = {page.view: " aria-current=true"}
    links = "".join(
        f'<a href="?sort={page.sort}&amp;view={view}"{current.get(view, "")}>{words[view]}</a>' for view in VIEWS
    )
    return f"<nav class=view aria-label={words['view']}>{links}</nav>"


def _readme(readme: Readme | None) -> str:
    if readme is None:
        return ""
    body = readme_page.render(readme.name, readme.text)
    is_plain = "" if readme.name.lower().endswith(b".txt") else " class=md"
    return f"<article class=readme><h2>{shown(readme.name)}</h2><div{is_plain}>{body}</div></article>"


# JSON and text


def json_listing(page: Page, entries: Iterable[EntryLike]) -> Iterator[bytes]:
    """Make the listing as one JSON object, an entry a line.

    `path` and `href` are percent-encoded and exact; `name` is text, with U+FFFD where it is not UTF-8.
    `size` and `modified` (RFC 3339) are null where unknown, `href` is null for what is not served.
    Returns chunks; empty ones ask for patience.
    """
    yield f'{{"path":{quoted(encode_path((*page.base, *page.segments), True))},"entries":['.encode()
    shelf = Shelf(page.sort)
    for _ in shelf.fill(entries):
        yield b""
    exact = Dates("en", page.now_s).exact
    lead = "\n"
    for step in shelf.batches():
        yield (lead + ",\n".join(_json_entry(entry, exact) for entry in step)).encode()
        lead = ",\n"
    yield b"\n]}\n"


_JSON_WORD = {False: "false", True: "true"}


def _json_entry(entry: EntryLike, exact: Callable[[int], str]) -> str:
    slash = "/" if entry.kind == "folder" else ""
    href = quoted(f"./{encode_segment(entry.name)}{slash}") if entry.is_served else "null"
    modified = "null" if entry.mtime_s is None else f'"{exact(entry.mtime_s)}"'
    return (
        f'{{"name":{quoted(entry.name.decode("utf-8", "replace"))},"kind":{quoted(entry.kind)},'
        f'"size":{"null" if entry.size is None else entry.size},"modified":{modified},"href":{href},'
        f'"link":{_JSON_WORD[entry.is_link]},"served":{_JSON_WORD[entry.is_served]}}}'
    )


_TEXT_HEADS = {"en": "    Size  Modified (UTC)    Name", "zh": "    大小  修改时间 (UTC)    名称"}


def text_listing(page: Page, entries: Iterable[EntryLike]) -> Iterator[bytes]:
    """Make the listing as aligned plain text, for a terminal.

    Folders end in "/"; what does not print shows as a backslash escape; names come last, so that their
    width disturbs nothing. Returns chunks; empty ones ask for patience.
    """
    path = b"/".join((b"", *page.base, *page.segments, b""))
    yield f"{terminal(path)}\n\n{_TEXT_HEADS[page.language]}\n".encode()
    shelf = Shelf(page.sort)
    for _ in shelf.fill(entries):
        yield b""
    dates, words = Dates(page.language, page.now_s), WORDS[page.language]
    for step in shelf.batches():
        yield "".join(_text_row(entry, dates, words) for entry in step).encode()
    yield f"\n{shelf.summary(page.language) or words['empty']}\n".encode()


def _text_row(entry: EntryLike, dates: Dates, words: dict[str, str]) -> str:
    is_folder = entry.kind == "folder"
    count = "-" if entry.size is None or is_folder else size(entry.size)
    when = "-"
    if entry.mtime_s is not None:
        day, time, _ = dates.read(entry.mtime_s)
        when = f"{day} {time[:5]}"
    grey = "" if entry.is_served else f"  ({words[_reason(entry)]})"
    return f"{count:>8}  {when:<16}  {terminal(entry.name)}{'/' if is_folder else ''}{grey}\n"
