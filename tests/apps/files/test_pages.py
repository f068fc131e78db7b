"""Error pages, policies, and what is inlined into a page."""

import base64
import hashlib
import re

import pytest

from portico.apps.files.pages import WORDS, asset, csp, error_csp, error_page, page_start, style

STATUSES = (400, 401, 403, 404, 405, 408, 410, 413, 414, 416, 421, 429, 431, 500, 503)


def test_a_listing_may_load_nothing_from_elsewhere() -> None:
    policy = dict(part.strip().partition(" ")[::2] for part in csp("abc").split(";"))
    assert policy == {
        "default-src": "'none'",
        "style-src": "'nonce-abc'",
        "script-src": "'nonce-abc'",
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'self'",
    }


def test_the_error_policy_names_the_hash_of_the_style() -> None:
    found = re.search(rb"<style>(.*?)</style>", error_page(404))
    assert found is not None
    digest = base64.b64encode(hashlib.sha256(found[1]).digest()).decode()
    assert f"style-src 'sha256-{digest}';" in error_csp()
    assert "script-src 'none'" in error_csp()


@pytest.mark.parametrize("status", STATUSES)
def test_every_usual_status_has_words_of_its_own(status: int) -> None:
    for language in ("en", "zh"):
        page, other = error_page(status, language=language).decode(), error_page(599, language=language).decode()
        assert re.findall("<h1>.*?</h1>", page) != re.findall("<h1>.*?</h1>", other)
        assert f"<p class=status>{status} " in page


def test_an_unknown_status_has_a_page_too() -> None:
    assert "<title>599 · This did not work</title>" in error_page(599).decode()
    assert "<p class=status>599</p><h1>请求未能完成</h1>" in error_page(599, language="zh").decode()


def test_hints_are_links_to_this_site() -> None:
    page = error_page(404, hints=["/a%20b/%3Ci%3E.txt", "/%zz", "/x?a=1&b=2"]).decode()
    assert '<li><a href="/a%20b/%3Ci%3E.txt"><bdi>/a b/&lt;i&gt;.txt</bdi></a>' in page
    assert '<li><a href="/%zz"><bdi>/%zz</bdi></a>' in page
    assert 'href="/x?a=1&amp;b=2"' in page
    assert "Did you mean" in page
    assert "start page" not in page


@pytest.mark.parametrize("hint", ["//evil.example/", "/\\evil.example/", "javascript:alert(1)", "", "relative"])
def test_a_hint_that_leads_away_is_left_out(hint: str) -> None:
    assert error_page(404, hints=[hint]) == error_page(404)


def test_without_hints_the_page_leads_to_the_start() -> None:
    assert '<a href="/prefix/">回到首页</a>' in error_page(500, language="zh", start="/prefix/").decode()
    assert "href=" not in error_page(500, start="").decode().partition("<body>")[2]


def test_both_languages_have_the_same_words() -> None:
    assert WORDS["en"].keys() == WORDS["zh"].keys()


@pytest.mark.parametrize(("language", "tag"), [("en", "<html lang=en>"), ("zh", "<html lang=zh-CN>")])
def test_a_page_says_its_language(language: str, tag: str) -> None:
    assert tag in page_start(language, "title", "<style></style>")


def test_icons_are_inside_the_style() -> None:
    inlined = style(("base.css", "listing.css"))
    assert "icons.svg" not in inlined
    assert "data:image/svg+xml,%3Csvg" in inlined
    assert "</" not in inlined


@pytest.mark.parametrize("name", ["base.css", "listing.css", "grid.css", "readme.css", "error.css", "listing.js"])
def test_no_asset_names_another_server(name: str) -> None:
    assert not re.search(r"https?:|//\w|@import|</", asset(name))
