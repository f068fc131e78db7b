"""The directory page in a real browser: order, filter, keyboard, dark, phone, pictures, no JavaScript."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

Opener = Callable[..., Page]
FOLDERS = ["2024 archive", "latest", "slides"]
TALKS = ["Talk1.txt", "talk2.txt", "talk10.txt"]


def names(page: Page) -> list[str]:
    return page.locator("tbody tr:visible bdi").all_inner_texts()


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.innerText")).split("\n")[0]


@pytest.mark.parametrize("scripts", [True, False])
def test_a_click_sorts_and_the_address_remembers(listed: str, open_page: Opener, scripts: bool) -> None:
    page = open_page(f"{listed}/talks/", java_script_enabled=scripts)
    assert names(page)[:3] == FOLDERS
    assert [name for name in names(page) if name in TALKS] == TALKS
    page.get_by_role("link", name="Size").click()
    assert page.url == f"{listed}/talks/?sort=-size"
    assert names(page)[:5] == [*FOLDERS, "keynote.mp4", "slides.pdf"]
    assert page.get_by_role("columnheader", name="Size").get_attribute("aria-sort") == "descending"
    page.get_by_role("link", name="Size").click()
    assert page.url == f"{listed}/talks/?sort=size"
    page.get_by_role("link", name="Modified").click()
    assert names(page)[3] == "all.zip"
    page.go_back()
    assert page.url == f"{listed}/talks/?sort=size"


def test_without_javascript_nothing_is_dead(listed: str, open_page: Opener) -> None:
    page = open_page(f"{listed}/talks/", java_script_enabled=False)
    expect(page.locator("#q")).to_be_hidden()
    expect(page.locator("button")).to_be_hidden()
    expect(page.locator("dialog")).to_be_hidden()
    page.get_by_role("table").get_by_role("link", name="slides", exact=True).click()
    assert page.url == f"{listed}/talks/slides/"
    page.get_by_role("link", name="talks").click()
    assert page.url == f"{listed}/talks/"


def test_typing_filters_at_once(listed: str, open_page: Opener) -> None:
    page = open_page(f"{listed}/talks/")
    everything, summary = names(page), page.locator("#sum").inner_text()
    page.keyboard.press("/")
    page.keyboard.type("TXT alk")
    assert names(page) == TALKS
    assert page.locator("#sum").inner_text() == f"3 / {len(everything)}"
    page.keyboard.type("zzz")
    expect(page.get_by_text("No name matches.")).to_be_visible()
    page.keyboard.press("Escape")
    assert names(page) == everything
    assert page.locator("#sum").inner_text() == summary
    page.keyboard.press("/")
    page.keyboard.type("notes")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{listed}/talks/notes.md")


def test_the_keyboard_goes_everywhere(listed: str, open_page: Opener) -> None:
    page = open_page(f"{listed}/talks/")
    for key, name in (("j", FOLDERS[0]), ("ArrowDown", FOLDERS[1]), ("j", FOLDERS[2]), ("k", FOLDERS[1])):
        page.keyboard.press(key)
        assert focused(page) == name
    page.keyboard.press("ArrowUp")
    page.keyboard.press("k")
    assert focused(page) == FOLDERS[0]
    page.keyboard.press("Enter")
    page.wait_for_url(f"{listed}/talks/2024%20archive/")
    page.keyboard.press("j")  # nothing here to go to
    page.keyboard.press("Backspace")
    page.wait_for_url(f"{listed}/talks/")
    page.keyboard.press("h")
    page.wait_for_url(f"{listed}/")
    page.keyboard.press("h")
    assert page.url == f"{listed}/"


def test_the_filter_hands_over_to_the_rows(listed: str, open_page: Opener) -> None:
    page = open_page(f"{listed}/talks/")
    page.keyboard.press("/")
    page.keyboard.type("talk")
    page.keyboard.press("ArrowDown")
    assert focused(page) == TALKS[0]


def test_the_question_mark_shows_the_keys(listed: str, open_page: Opener) -> None:
    page = open_page(f"{listed}/talks/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_role("button", name="Keys").click()
    page.get_by_text("folder above").click()
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_the_empty_folder_works_too(listed: str, open_page: Opener) -> None:
    page = open_page(f"{listed}/empty/")
    expect(page.get_by_text("This folder is empty.")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()


def brightness(page: Page, selector: str, which: str) -> float:
    text = page.evaluate(f"getComputedStyle(document.querySelector({selector!r})).{which}")
    red, green, blue = (int(part) for part in text.removeprefix("rgb(").removesuffix(")").split(","))
    linear = [c / 3294.6 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "selector", ["td a", "td time", ".off bdi", "th:last-child a", "header a", "article a", "#sum"]
)
def test_every_text_has_contrast(listed: str, open_page: Opener, scheme: str, selector: str) -> None:
    # WCAG 2.2, 1.4.3: at least 4.5 to 1.
    page = open_page(f"{listed}/talks/", color_scheme=scheme)
    ground, text = brightness(page, "body", "backgroundColor"), brightness(page, selector, "color")
    assert (ground > 0.5) == (scheme == "light")
    assert (max(ground, text) + 0.05) / (min(ground, text) + 0.05) >= 4.5


PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


@pytest.mark.parametrize("path", ["/talks/", "/talks/?view=grid", "/odd/", "/talk"])
def test_a_phone_shows_it_all_without_scrolling_sideways(listed: str, open_page: Opener, path: str) -> None:
    page = open_page(f"{listed}{path}", **PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    touched = page.locator("td a, th a, header a, main li a, input, button, .view a").all()
    heights = [box["height"] for item in touched if (box := item.bounding_box())]
    assert heights
    assert min(heights) >= 44


def test_a_phone_row_opens_wherever_it_is_touched(listed: str, open_page: Opener) -> None:
    page = open_page(f"{listed}/talks/", **PHONE)
    page.get_by_text("4 days ago").tap(force=True)
    page.wait_for_url(f"{listed}/talks/notes.md")


def test_pictures_are_shown_on_demand(listed: str, open_page: Opener) -> None:
    page = open_page(f"{listed}/talks/?sort=-name")
    assert page.locator("td img").count() == 0
    page.get_by_role("link", name="Pictures").click()
    assert page.url == f"{listed}/talks/?sort=-name&view=grid"
    # Not wait_for_function: it evaluates a string in the page, which the page's policy forbids.
    decoded = (
        "Promise.all([...document.querySelectorAll('td img')].map(async i => (await i.decode(), i.naturalWidth > 0)))"
    )
    shown = page.evaluate(decoded)
    assert shown == [True] * 4
    page.keyboard.press("j")
    first = focused(page)
    page.keyboard.press("ArrowRight")
    assert focused(page) != first
    page.keyboard.press("ArrowLeft")
    assert focused(page) == first
    page.keyboard.press("ArrowDown")
    top, left = page.evaluate("[document.activeElement.closest('tr').offsetTop, document.activeElement.offsetLeft]")
    assert top > page.locator("tbody tr").first.evaluate("row => row.offsetTop")
    assert left == page.locator("tbody a").first.evaluate("link => link.offsetLeft")


def test_evil_names_do_nothing(listed: str, open_page: Opener) -> None:
    page = open_page(f"{listed}/odd/")
    assert page.title() == "odd"
    count = page.locator("tbody tr").count()
    for index in range(count):
        link = page.locator("tbody a").nth(index)
        assert str(link.evaluate("link => link.href")).startswith(f"{listed}/odd/")
        answer = page.request.get(str(link.evaluate("link => link.href")))
        assert (answer.status, answer.body()) == (200, b"odd")
    with page.expect_download() as download:
        page.get_by_role("link", name="javascript:alert(3)").click()
    assert download.value.url == f"{listed}/odd/javascript%3Aalert(3)"


def test_the_readme_is_shown_and_runs_nothing(listed: str, open_page: Opener) -> None:
    page = open_page(f"{listed}/talks/")
    assert page.title() == "talks"
    assert page.locator("article script").count() == 0
    page.locator("article").get_by_role("link", name="the notes").click()
    assert page.url == f"{listed}/talks/notes.md"


def test_the_exact_date_is_told_in_the_readers_own_words(listed: str, open_page: Opener, now_s: int) -> None:
    page = open_page(f"{listed}/talks/", locale="en-GB")
    time = page.get_by_text("2 h ago")
    then = datetime.fromtimestamp(now_s - 7200, UTC)
    assert time.get_attribute("title") == f"{then:%Y-%m-%d %H:%M:%S} UTC"
    time.hover()
    told = time.get_attribute("title") or ""
    assert str(then.day) in told
    assert f"{then:%B}" in told


def test_chinese_readers_get_chinese(listed: str, open_page: Opener) -> None:
    page = open_page(f"{listed}/talks/", locale="zh-CN")
    assert page.get_by_role("columnheader").all_inner_texts() == ["名称", "大小", "修改时间"]
    assert "3 个文件夹" in page.locator("#sum").inner_text()
    assert page.get_by_placeholder("按名称筛选").is_visible()
    assert page.evaluate("document.documentElement.lang") == "zh-CN"


@pytest.mark.parametrize(("locale", "heading"), [("en-US", "There is nothing here"), ("zh-CN", "这里什么也没有")])
def test_an_error_page_names_what_is_near(listed: str, open_page: Opener, locale: str, heading: str) -> None:
    page = open_page(f"{listed}/talk/", locale=locale)
    expect(page.get_by_role("heading", name=heading)).to_be_visible()
    page.get_by_role("link", name="/talks/", exact=True).click()
    assert page.url == f"{listed}/talks/"
