"""A README as safe HTML."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.apps.files.readme import MAX_README_BYTES, inline, render

BLOCKS = [
    ("# Title #", "<h3>Title </h3>"),
    ("###### Deep", "<h6>Deep</h6>"),
    ("Title\n=====\n\nSub\n---", "<h3>Title</h3><h4>Sub</h4>"),
    ("one\ntwo\n\nthree", "<p>one two</p><p>three</p>"),
    ("- a\n- b\n  more\n\n* c", "<ul><li>a<li>b more<li>c</ul>"),
    ("1. a\n2) b", "<ol><li>a<li>b</ol>"),
    ("text\n- a\nplain", "<p>text</p><ul><li>a</ul><p>plain</p>"),
    ("> said\n> twice", "<blockquote>said twice</blockquote>"),
    ("***\n\n- - -", "<hr><hr>"),
    ("```py\nx = '<b>'\n\n# no title\n```\nafter", "<pre>x = &#39;&lt;b&gt;&#39;\n\n# no title</pre><p>after</p>"),
    ("~~~\nopen to the end", "<pre>open to the end</pre>"),
    ("    indented\n\tcode", "<pre>indented\ncode</pre>"),
    ("para\n    goes on", "<p>para goes on</p>"),
    ("| a | b |\n|---|---|", "<pre>| a | b |\n|---|---|</pre>"),
    ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
    ("#hash", "<p>#hash</p>"),
    ("```\n```", "<pre></pre>"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "html"), BLOCKS)
def test_blocks(text: str, html: str) -> None:
    assert render(b"README.md", text.encode()) == html
    assert render(b"readme.MARKDOWN", text.replace("\n", "\r\n").encode()) == html


INLINE = [
    ("a `x*y*<` b", "a <code>x*y*&lt;</code> b"),
    ("**bold *no* x**", "**bold <em>no</em> x**"),
    ("**bold** and *star* and _line_", "<strong>bold</strong> and <em>star</em> and <em>line</em>"),
    ("snake_case_name 2 * 3 * 4", "snake_case_name 2 * 3 * 4"),
    ("**_deep_ `code`**", "<strong><em>deep</em> <code>code</code></strong>"),
    ("[notes](notes.md)", '<a href="./notes.md">notes</a>'),
    ("[up](../a) [root](/a) [dot](./a)", '<a href="./../a">up</a> <a href="/a">root</a> <a href="./a">dot</a>'),
    ("[**b**](x)", '<a href="./x"><strong>b</strong></a>'),
    ("[](x)", '<a href="./x">x</a>'),
    ("[out](https://example.org/?a&b)", '<a href="https://example.org/?a&amp;b" rel="nofollow noopener noreferrer">'),
    ("https://example.org now", '<a href="https://example.org" rel="nofollow noopener noreferrer">'),
    ("<https://example.org>", '<a href="https://example.org" rel="nofollow noopener noreferrer">'),
    ("![Stage](img/stage.jpg)", '<img src="./img/stage.jpg" alt="Stage" loading=lazy>'),
]


@pytest.mark.parametrize(("text", "html"), INLINE)
def test_inline(text: str, html: str) -> None:
    assert inline(text).startswith(html)


@pytest.mark.parametrize(
    "target",
    [
        *("javascript:alert(1)", "JaVaScRiPt:alert`1`", "data:text/html,x", "vbscript:x", "//evil.example/x", "#part"),
        *("java&#115;cript&#58;x", "&#106;avascript:x", "\\\\evil\\x", "\x01javascript:x", "&#x01;javascript:x"),
    ],
)
def test_a_dangerous_link_is_only_text(target: str) -> None:
    assert "href" not in inline(f"[click]({target})")


@pytest.mark.parametrize(
    "target",
    [
        *("https://evil.example/x.png", "//evil.example/x.png", "/other/app.png", "../up.png", "a/../../x.png"),
        *("logout?x.png", "%2e%2e/x.png", "script.js", "data:image/png,x.png", "&#104;ttp://x.png"),
    ],
)
def test_a_picture_from_elsewhere_is_not_fetched(target: str) -> None:
    assert "<img" not in inline(f"![x]({target})")


def test_emphasis_nests_three_deep_at_most() -> None:
    assert inline("[*_`a`_*](x)") == '<a href="./x"><em><em>`a`</em></em></a>'


def test_plain_text_stays_as_it_is() -> None:
    assert render(b"README", b"\xef\xbb\xbf# a <b>\n  two\n\n") == "<pre># a &lt;b&gt;\n  two</pre>"
    assert render(b"README.txt", b"\xff\0") == "<pre>\ufffd\ufffd</pre>"


def test_a_long_readme_is_cut() -> None:
    html = render(b"README.md", b"word " * MAX_README_BYTES)
    assert html.endswith("<p>…</p>")
    assert len(html) < MAX_README_BYTES * 1.1
    assert not render(b"README.md", b"a" * MAX_README_BYTES).endswith("…</p>")


TAG = re.compile(
    r'</?(?:h[3-6]|p|ul|ol|li|blockquote|pre|code|em|strong|hr|a)>|<a href="(?:https?://|\./|/(?!/))[^"<>]*"'
    r'(?: rel="nofollow noopener noreferrer")?>|<img src="\./[^"<>:]*" alt="[^"<>]*" loading=lazy>'
)


@given(st.text(st.sampled_from("ab \n#-*_`>|[]()!:/.<\"'&;1\\")) | st.text(), st.sampled_from([b"README", b"r.md"]))
def test_only_known_tags_come_out(text: str, name: bytes) -> None:
    html = render(name, text.encode("utf-8", "surrogatepass"))
    assert not set(TAG.sub("", html)) & set("<>\"'")


@pytest.mark.parametrize(
    "text",
    ["[", "[a](", "![a](x", "*", "**", "`", "_", "*a", "**a ", " _a", "http://", "# ", "- ", "-", ">", "\t", "&"],
)
def test_hostile_text_takes_linear_time(text: str) -> None:
    whole = (text * MAX_README_BYTES)[:MAX_README_BYTES].encode()
    times = []
    for part in (whole[: MAX_README_BYTES // 8], whole):
        began = time.process_time()
        render(b"README.md", part)
        times.append(time.process_time() - began)
    # Eight times the text: a square law would take 64 times as long.
    assert times[1] < max(24 * times[0], 0.05)
