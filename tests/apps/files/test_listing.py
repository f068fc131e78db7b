"""A folder's listing as HTML, JSON and text."""

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.apps.files.listing import Page, Readme, html, json_listing, read_query, text_listing
from portico.apps.files.root import Entry, Root

NOW_S = 1_763_715_000  # 2025-11-21T08:50:00Z
PAGE = Page(now_s=NOW_S, nonce="abc", segments=(b"talks", b"2025 & more"))


def file(name: bytes, size: int | None = 3, *, is_link: bool = False, is_served: bool = True) -> Entry:
    return Entry(name, "file", size, NOW_S - 180, is_link, is_served)


def folder(name: bytes, *, is_link: bool = False, is_served: bool = True) -> Entry:
    return Entry(name, "folder", None, NOW_S - 86_400, is_link, is_served)


class Reader(HTMLParser):
    """Reads what a browser would: tags with attributes, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.names: list[str] = []
        self._is_name = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "bdi":
            self._is_name = True
            self.names.append("")

    def handle_endtag(self, tag: str) -> None:
        self._is_name = self._is_name and tag != "bdi"

    def handle_data(self, data: str) -> None:
        if self._is_name:
            self.names[-1] += data


def page_of(page: Page, *entries: Entry) -> str:
    return b"".join(html(page, entries)).decode()


def rows_of(page: Page, *entries: Entry) -> list[str]:
    return page_of(page, *entries).partition("<tbody>\n")[2].partition("</table>")[0].splitlines()


def replaced(page: Page, **changes: Any) -> Page:
    return Page(**{name: changes.get(name, getattr(page, name)) for name in Page.__slots__})


WHEN = '<td><time datetime=2025-11-21T08:47:00Z title="2025-11-21 08:47:00 UTC">3 min ago</time>'
BEFORE = '<td><time datetime=2025-11-20T08:50:00Z title="2025-11-20 08:50:00 UTC">1 day ago</time>'
ROWS = [
    (file(b"a.txt"), f'<tr class=t><td><a href="./a.txt"><bdi>a.txt</bdi></a><td>3 B{WHEN}'),
    (file(b"README", 0), f'<tr class=t><td><a href="./README"><bdi>README</bdi></a><td>0 B{WHEN}'),
    (file(b"x.jpg"), f'<tr class=i><td><a href="./x.jpg"><bdi>x.jpg</bdi></a><td>3 B{WHEN}'),
    (file(b"what", None), f'<tr class=f><td><a href="./what"><bdi>what</bdi></a><td>{WHEN}'),
    (
        file(b"a.txt", is_link=True),
        f'<tr class=t><td><a href="./a.txt"><bdi>a.txt</bdi><small>link</small></a><td>3 B{WHEN}',
    ),
    (folder(b"sub dir"), f'<tr class=d><td><a href="./sub%20dir/"><bdi>sub dir</bdi></a><td>{BEFORE}'),
    (
        folder(b"out", is_link=True, is_served=False),
        f'<tr class="d off"><td><span><bdi>out</bdi><small>link, not followed</small></span><td>{BEFORE}',
    ),
    (
        file(b"<secret>", is_served=False),
        f'<tr class="x off"><td><span><bdi>&lt;secret&gt;</bdi><small>not readable</small></span><td>3 B{WHEN}',
    ),
    (
        Entry(b"lost", "broken", None, None, True, False),
        '<tr class="x off"><td><span><bdi>lost</bdi><small>broken link</small></span><td><td>',
    ),
    (
        Entry(b"out.txt", "other", None, None, True, False),
        '<tr class="x off"><td><span><bdi>out.txt</bdi><small>link, not followed</small></span><td><td>',
    ),
    (
        Entry(b"pipe", "other", None, None, False, False),
        '<tr class="x off"><td><span><bdi>pipe</bdi><small>special file</small></span><td><td>',
    ),
]


@pytest.mark.parametrize(("entry", "row"), ROWS)
def test_a_row(entry: Entry, row: str) -> None:
    assert rows_of(PAGE, entry) == [row]
    # Icons are remembered by extension: a second row of a kind must look like the first.
    second = entry._replace(name=b"2" + entry.name)
    assert len(rows_of(PAGE, entry, second)) == 2
    assert rows_of(PAGE, file(b"0.txt"), entry)[0 if entry.kind == "folder" else 1] == row


def test_a_known_icon_is_used_again() -> None:
    first, second = rows_of(PAGE, file(b"a.jpg"), file(b"b.jpg"))
    assert second == first.replace("a.jpg", "b.jpg")


EVIL = [
    *(b'"><svg onload=alert(1)>', b"</script><script>alert(1)", b"javascript:alert(1)", b"' onclick=x", b"&lt;b&gt;"),
    *(b"a&copy=1", b"//evil.example", b"\\\\evil", b"data:text/html,x", b"?sort=size", b"#top", b"%2e%2e", b"a b\tc\n"),
]


def target_of(entry: Entry, prefix: str = "http://site.example/talks/") -> str:
    links = [attributes for tag, attributes in Reader("".join(rows_of(PAGE, entry))).tags if tag == "a"]
    return urljoin(prefix, links[0]["href"])


@pytest.mark.parametrize("name", [name.replace(b"/", b"\xe2\x88\x95") for name in EVIL])
def test_an_evil_name_is_inert(name: bytes) -> None:
    read = Reader("".join(rows_of(PAGE, file(name), folder(name), file(name, is_served=False))))
    assert {tag for tag, _ in read.tags} == {"tr", "td", "a", "bdi", "time", "span", "small"}
    assert not any(key.startswith("on") for _, attributes in read.tags for key in attributes)
    assert target_of(file(name)).startswith("http://site.example/talks/")


FILE_NAMES = st.binary(min_size=1, max_size=40).map(lambda b: b.translate(None, b"/\0")).filter(lambda b: b.strip(b"."))


@given(FILE_NAMES)
def test_any_name_leads_back_to_itself(name: bytes) -> None:
    target = target_of(file(name))
    assert unquote_to_bytes(target.removeprefix("http://site.example/talks/")) == name
    assert "?" not in target
    assert "#" not in target
    (entry,) = json.loads(b"".join(json_listing(PAGE, [file(name)])))["entries"]
    assert unquote_to_bytes(entry["href"].removeprefix("./")) == name
    assert len(b"".join(text_listing(PAGE, [file(name)])).decode().splitlines()) == 6


@given(st.lists(FILE_NAMES, max_size=8))
def test_a_page_shows_every_name_as_it_is(names: list[bytes]) -> None:
    page = page_of(Page(now_s=NOW_S), *map(file, names))
    plain = [name.decode() for name in names if name.isalnum()]
    assert set(plain) <= set(Reader(page).names)
    assert page.count("<tr class") == len(names)


def test_breadcrumbs_lead_up_and_are_relative() -> None:
    page = page_of(PAGE)
    assert (
        '<ol><li><a class=home href="../../"><bdi>Home</bdi></a><li><a rel=up href="../"><bdi>talks</bdi></a>'
        "<li aria-current=page><h1><bdi>2025 &amp; more</bdi></h1></ol>"
    ) in page
    assert "<title>2025 &amp; more</title>" in page


def test_the_root_is_its_own_heading() -> None:
    root = Page(now_s=NOW_S, title="<dist>")
    assert "<ol><li class=home aria-current=page><h1><bdi>&lt;dist&gt;</bdi></h1></ol>" in page_of(root)
    assert "<title>&lt;dist&gt;</title>" in page_of(root)
    assert "<title>/</title>" in page_of(Page(now_s=NOW_S))


SORTS = [
    ("name", ("-name", "-size", "-modified"), ("ascending", "", "")),
    ("-name", ("name", "-size", "-modified"), ("descending", "", "")),
    ("size", ("name", "-size", "-modified"), ("", "ascending", "")),
    ("-size", ("name", "size", "-modified"), ("", "descending", "")),
    ("modified", ("name", "-size", "-modified"), ("", "", "ascending")),
    ("-modified", ("name", "-size", "modified"), ("", "", "descending")),
]


@pytest.mark.parametrize(("sort", "links", "states"), SORTS)
def test_columns_link_to_the_next_order(sort: str, links: tuple[str, ...], states: tuple[str, ...]) -> None:
    for view, suffix in (("list", ""), ("grid", "&view=grid")):
        tags = Reader(page_of(Page(now_s=NOW_S, sort=sort, view=view))).tags
        heads = [index for index, (tag, _) in enumerate(tags) if tag == "th"]
        assert tuple(tags[index][1].get("aria-sort", "") for index in heads) == states
        assert [tags[index + 1][1]["href"] for index in heads] == [f"?sort={link}{suffix}" for link in links]


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        (None, ("name", "list")),
        ("", ("name", "list")),
        ("sort=-size", ("-size", "list")),
        ("view=grid&sort=modified", ("modified", "grid")),
        ("sort=<svg>&view=x", ("name", "list")),
        ("sort", ("name", "list")),
        ("sort=size=1&&;", ("name", "list")),
    ],
)
def test_a_query_asks_for_an_order_and_a_view(query: str | None, asked: tuple[str, str]) -> None:
    assert read_query(query) == asked


def test_pictures_are_offered_where_there_are_some() -> None:
    picture, other = file(b"a b.jpg"), file(b"c.heic")
    assert "<nav class=view" not in page_of(PAGE, other)
    assert "<img" not in page_of(PAGE, picture)
    assert '<a href="?sort=name&amp;view=grid">Pictures</a>' in page_of(PAGE, picture)
    grid = replaced(PAGE, view="grid", sort="-size")
    page = page_of(grid, picture, file(b"c d.jpg"), other)
    assert page.count("loading=lazy") == 2
    assert '<a href="./a%20b.jpg"><img src="./a%20b.jpg" loading=lazy alt=""><bdi>a b.jpg</bdi></a>' in page
    assert '<a href="?sort=-size&amp;view=grid" aria-current=true>Pictures</a>' in page


def test_a_readme_is_shown_below() -> None:
    page = page_of(replaced(PAGE, readme=Readme(b"README.md", b"# Hello <b>")), file(b"README.md"))
    assert "<article class=readme><h2>README.md</h2><div class=md><h3>Hello &lt;b&gt;</h3></div></article>" in page
    page = page_of(replaced(PAGE, readme=Readme(b"README.txt", b"# Hello")))
    assert "<h2>README.txt</h2><div><pre># Hello</pre></div>" in page


def test_an_empty_folder_says_so() -> None:
    assert "<p class=empty>This folder is empty.</p>" in page_of(PAGE)
    assert "<p class=empty>这个文件夹是空的。</p>" in page_of(replaced(PAGE, language="zh"))
    assert "<p class=empty>" not in page_of(PAGE, file(b"x"))
    assert "This folder is empty." in b"".join(text_listing(PAGE, [])).decode()


def test_style_and_script_carry_the_nonce_and_nothing_is_inline() -> None:
    tags = Reader(page_of(PAGE, *[entry for entry, _ in ROWS])).tags
    assert [attributes for tag, attributes in tags if tag in ("style", "script")] == [{"nonce": "abc"}] * 2
    assert not [key for _, attributes in tags for key in attributes if key == "style" or key.startswith("on")]


def test_an_average_page_is_small() -> None:
    entries = [file(b"chapter-%02d-the-beginning.md" % number, 12_345) for number in range(25)]
    page = page_of(replaced(PAGE, nonce="A" * 22), folder(b"images"), folder(b"drafts"), *entries, file(b"cover.jpg"))
    assert len(page.encode()) <= 15 * 1024


@pytest.mark.parametrize("make", [html, json_listing, text_listing])
def test_the_beginning_is_there_before_the_first_entry(make: Any) -> None:
    def source() -> Iterator[Entry]:
        taken.append(1)
        yield from (file(b"%d.txt" % number) for number in range(3000))

    taken: list[int] = []
    chunks = make(PAGE, source())
    assert next(chunks)
    assert taken == []
    sizes = [len(chunk) for chunk in chunks]
    assert sizes.count(0) >= 10
    assert max(sizes) < 128 * 1024


def test_json_says_all_there_is() -> None:
    page = replaced(PAGE, base=(b"prefix",), sort="-name")
    told = json.loads(b"".join(json_listing(page, [*(entry for entry, _ in ROWS[:2]), ROWS[5][0], ROWS[8][0]])))
    assert told["path"] == "/prefix/talks/2025%20%26%20more/"
    when, before = "2025-11-21T08:47:00Z", "2025-11-20T08:50:00Z"
    columns = ("name", "kind", "size", "modified", "href", "link", "served")
    assert [tuple(entry[column] for column in columns) for entry in told["entries"]] == [
        ("sub dir", "folder", None, before, "./sub%20dir/", False, True),
        ("README", "file", 0, when, "./README", False, True),
        ("lost", "broken", None, None, None, True, False),
        ("a.txt", "file", 3, when, "./a.txt", False, True),
    ]


def test_json_of_many_is_one_object() -> None:
    told = json.loads(b"".join(json_listing(PAGE, [file(b"%d" % number) for number in range(3000)])))
    assert [entry["name"] for entry in told["entries"]] == [str(number) for number in range(3000)]
    assert json.loads(b"".join(json_listing(Page(now_s=NOW_S), []))) == {"path": "/", "entries": []}


def test_text_is_aligned() -> None:
    entries = [folder(b"slides"), file(b"key\x1b[31mnote.mp4", 1_204_000_000), ROWS[8][0]]
    assert b"".join(text_listing(PAGE, entries)).decode() == (
        "/talks/2025 & more/\n"
        "\n"
        "    Size  Modified (UTC)    Name\n"
        "       -  2025-11-20 08:50  slides/\n"
        "  1.2 GB  2025-11-21 08:47  key\\x1b[31mnote.mp4\n"
        "       -  -                 lost  (broken link)\n"
        "\n"
        "1 folder, 2 files, 1.2 GB, 1 not served\n"
    )


def test_text_in_chinese() -> None:
    text = b"".join(text_listing(replaced(PAGE, language="zh", segments=()), [file(b"a")])).decode()
    assert text == (
        "/\n\n    大小  修改时间 (UTC)    名称\n"
        "     3 B  2025-11-21 08:47  a\n\n1 个文件\uff0c共 3 B\n"
    )  # fmt: skip


def test_what_a_root_scans_is_listed(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_bytes(b"abc")
    (tmp_path / "out").symlink_to("/etc")
    (tmp_path / "lost").symlink_to("nowhere")
    root = Root(bytes(tmp_path))
    read = Reader(b"".join(html(Page(now_s=NOW_S), root.scan(()))).decode())
    root.close()
    assert read.names == ["Home", "sub", "a.txt", "lost", "out"]
