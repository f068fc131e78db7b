"""What a screen without a pointer changes on the directory page: no key is offered where there are no keys."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

Opener = Callable[..., Page]
TOUCH = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
HINTS = [
    ("en-US", False, "Filter    /"),
    ("en-US", True, "Filter"),
    ("zh-CN", False, "按名称筛选    /"),
    ("zh-CN", True, "按名称筛选"),
]


@pytest.mark.parametrize(("locale", "is_touch", "hint"), HINTS)
def test_the_filter_offers_its_key_only_where_something_hovers(
    listed: str, open_page: Opener, locale: str, is_touch: bool, *, hint: str
) -> None:
    page = open_page(f"{listed}/talks/", locale=locale, **(TOUCH if is_touch else {}))
    assert page.evaluate("matchMedia('(hover: none)').matches") == is_touch
    assert page.locator("#q").get_attribute("placeholder") == hint
    page.locator("#q").fill("notes")
    assert page.locator("tbody tr:visible bdi").all_inner_texts() == ["notes.md"]
