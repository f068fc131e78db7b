"""The example site in a real browser: both languages, its own 404 page, a listing below it, and a seek in its sound."""

import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Response, expect

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
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightest = max(int(part) for part in paper.removeprefix("rgb(").removesuffix(")").split(","))
    assert (brightest > 127) == (scheme == "light")


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
    assert page.request.get(page.url).status == 404
    page.get_by_role("link", name="回到入口").click()
    assert page.url == f"{site}/zh/"


def test_the_folder_without_a_page_is_listed(site: str, open_page: Opener) -> None:
    page = open_page(f"{site}/files/")
    expect(page.get_by_role("link", name="门廊.txt")).to_be_visible()
    page.get_by_role("link", name="drawings").click()
    assert page.url == f"{site}/files/drawings/"


def write_silence(path: Path, seconds: int) -> int:
    """Write silence as 16-bit stereo WAV at 44.1 kHz and return its size."""
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(2)
        sound.setframerate(44_100)
        sound.writeframes(bytes(4 * 44_100 * seconds))
    return path.stat().st_size


SEEK = """() => new Promise((done, failed) => {
    const video = document.querySelector('video');
    const seek = () => {
        video.onseeked = () => done(video.currentTime / video.duration);
        video.currentTime = video.duration / 2;
    };
    video.onerror = () => failed(video.error.message);
    if (video.readyState >= 1) seek(); else video.onloadedmetadata = seek;
})"""


def start_of_range(answer: Response) -> int:
    """Return where the part that an answer carries begins, 0 for a whole file."""
    return int(answer.headers.get("content-range", "bytes 0-").removeprefix("bytes ").partition("-")[0])


def test_a_player_seeks_with_ranges(tmp_path: Path, open_page: Opener) -> None:
    # Long enough that a player does not read on to the middle, but asks for it.
    size = write_silence(tmp_path / "long.wav", 240)
    (tmp_path / "index.html").write_text("<!doctype html><title>-</title><video preload=metadata src=long.wav></video>")
    with HttpWebServer(0, tmp_path) as server:
        page = open_page(server.url)
        with page.expect_response(lambda answer: start_of_range(answer) > size // 3) as asked:
            assert page.evaluate(SEEK) == pytest.approx(0.5, abs=0.001)
        answer, start = asked.value, start_of_range(asked.value)
        assert start <= size // 2
        assert answer.request.headers["range"] == f"bytes={start}-"
        assert (answer.status, answer.headers["content-type"]) == (206, "audio/wav")
        assert answer.headers["content-range"] == f"bytes {start}-{size - 1}/{size}"
        assert answer.headers["content-length"] == str(size - start)
        page.close()
