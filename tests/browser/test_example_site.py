"""The example site in a real browser: both languages, its own 404 page, a listing below it, and a seek in its sound."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from portico import HttpWebServer

SITE = Path(__file__).parents[2] / "examples" / "site"
Opener = Callable[..., Page]


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """Serve the example site and return its URL, without a slash at its end."""
    with HttpWebServer(0, SITE) as server:
        yield server.url.rstrip("/")


@pytest.mark.parametrize(("path", "language"), [("/", "en"), ("/zh/", "zh-Hans")])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_front_page_in_both_languages(
    site: str, open_page: Opener, path: str, language: str, *, scheme: str
) -> None:
    page = open_page(f"{site}{path}", color_scheme=scheme)
    assert page.evaluate("document.documentElement.lang") == language
    assert page.locator("h1").count() == 1
    loaded = page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert loaded


@pytest.mark.parametrize("path", ["/", "/zh/", "/files/", "/nothing-here"])
def test_a_phone_needs_no_scrolling_sideways(site: str, open_page: Opener, path: str) -> None:
    page = open_page(f"{site}{path}", viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_every_link_of_the_front_page_leads_somewhere_but_the_one_that_shows_the_404(
    site: str, open_page: Opener
) -> None:
    page = open_page(site)
    links = page.evaluate("[...document.links].map(link => link.href).filter(url => url.startsWith(origin))")
    assert links
    assert [url for url in links if page.request.get(url).status != 200] == [f"{site}/no/such/page"]


def test_a_wrong_address_gets_the_sites_own_page(site: str, open_page: Opener) -> None:
    page = open_page(f"{site}/nothing-here")
    expect(page.get_by_role("heading", name="There is no door here")).to_be_visible()


def test_the_folder_without_a_page_is_listed(site: str, open_page: Opener) -> None:
    page = open_page(f"{site}/files/")
    expect(page.get_by_role("link", name="门廊.txt")).to_be_visible()
    page.get_by_role("link", name="drawings").click()
    assert page.url == f"{site}/files/drawings/"


def write_tone(path: Path, seconds: int) -> int:
    """Write silence as 8 kHz 16-bit WAV and return its size: large enough for a player not to fetch it whole."""
    import wave

    with wave.open(str(path), "wb") as tone:
        tone.setnchannels(2)
        tone.setsampwidth(2)
        tone.setframerate(44_100)
        tone.writeframes(bytes(4 * 44_100 * seconds))
    return path.stat().st_size


def test_a_player_seeks_with_ranges(tmp_path: Path, open_page: Opener) -> None:
    size = write_tone(tmp_path / "long.wav", 600)
    (tmp_path / "index.html").write_text(
        "<!doctype html><title>seek</title><video preload=metadata src=long.wav></video>"
    )
    with HttpWebServer(0, tmp_path) as server:
        page = open_page(server.url)
        ranges: list[str] = []
        page.on("response", lambda answer: ranges.append(answer.headers.get("content-range", "")))
        page.wait_for_function("document.querySelector('video').readyState >= 1")
        page.evaluate(
            """() => new Promise(done => {
                const video = document.querySelector('video');
                video.onseeked = done;
                video.currentTime = video.duration - 60;
            })"""
        )
        assert page.evaluate("document.querySelector('video').currentTime") == pytest.approx(540, abs=1)
        starts = [int(text.removeprefix("bytes ").partition("-")[0]) for text in ranges if text]
        assert all(text.endswith(f"/{size}") for text in ranges if text)
        assert max(starts) > size // 2
        page.close()
