"""What is said before the first request and after the last, in both languages."""

import os
from collections.abc import Iterator

import pytest

from portico.cli import banner
from portico.cli.places import Links, Moved
from portico.cli.screen import Screen
from portico.cli.survey import Survey
from portico.cli.words import Words
from portico.net.ports import Holder
from portico.server.accepting import Totals

EN, ZH = Words("en"), Words("zh")


@pytest.fixture
def screen() -> Iterator[Screen]:
    """A screen without colours."""
    reading, writing = os.pipe()
    yield Screen(writing, "utf-8", {})
    os.close(reading)
    os.close(writing)


def test_the_greeting(screen: Screen) -> None:
    assert banner.greeting("1.0", "serving docs/", ["read-only"], EN, screen) == [
        "  portico 1.0   serving docs/   (read-only)"
    ]
    assert banner.greeting("1.0", "x", ["a", "b"], EN, screen) == ["  portico 1.0   x   (a, b)"]
    assert banner.greeting("1.0", "x", ["a", "b"], ZH, screen) == ["  portico 1.0   x   (a，b)"]
    assert banner.greeting("1.0", "x", [], EN, screen) == ["  portico 1.0   x"]


@pytest.mark.parametrize(
    ("words", "holder", "line"),
    [
        (EN, Holder("python", 4711), "  8000 is used by python (pid 4711), using 8001"),
        (EN, None, "  8000 is used by another program, using 8001"),
        (ZH, Holder("python", 4711), "  端口 8000 已被 python (pid 4711) 占用\uff0c改用 8001"),
    ],
)
def test_a_port_that_is_taken(words: Words, holder: Holder | None, line: str) -> None:
    assert banner.moved_line(Moved(8000, holder), 8001, words) == line


def test_links(screen: Screen) -> None:
    links = Links(
        ["http://localhost:8000/"], [("http://192.0.2.20:8000/", "wlan0"), ("http://192.0.2.9:8000/", "eth0")]
    )
    assert banner.link_lines(links, EN("lan-on"), screen) == [
        "  ➜  http://192.0.2.20:8000/   wlan0",
        "  ➜  http://192.0.2.9:8000/    eth0",
        "  ➜  http://localhost:8000/",
        "     read-only, for anyone on this network",
    ]


def test_a_link_for_this_machine(screen: Screen) -> None:
    assert banner.link_lines(Links(["unix:/run/x"], []), "x", screen) == ["  ➜  unix:/run/x"]


def test_a_qr_code_needs_room(screen: Screen) -> None:
    assert banner.qr_lines("http://192.0.2.20:8000/", screen)
    assert banner.qr_lines("http://192.0.2.20:8000/" + "x" * 2000, screen) == []


def test_a_survey(screen: Screen) -> None:
    found = Survey(214, 18 * 1024**2, False, [".a", ".b", ".c", ".d", ".e", ".f"], ["out"], ["x\n.pem"])
    assert banner.survey_lines(found, EN, screen) == [
        "  214 files, 18 MB",
        "  not served: .a, .b, .c, .d and 2 more (begins with a dot; --hidden)",
        "  not served: out (a link that is broken or leaves the folder; --links all)",
        "  careful, this looks secret and is served: 'x\\n.pem'",
    ]


def test_a_survey_in_chinese(screen: Screen) -> None:
    assert banner.survey_lines(Survey(2, 10, True, ["乙", "丙"]), ZH, screen) == [
        "  超过 2 个文件\uff0c10 B",
        "  不提供\uff1a乙、丙\uff08以点开头\uff1b--hidden 可提供\uff09",
    ]


@pytest.mark.parametrize(
    ("seconds", "words", "time"),
    [(0.9, EN, "0 s"), (59.9, EN, "59 s"), (18 * 60 + 5, EN, "18 min"), (3725, EN, "1 h 2 min"), (61, ZH, "1 分钟")],
)
def test_the_totals(seconds: float, words: Words, time: str) -> None:
    line = banner.totals_line(Totals(requests=312, bytes_sent=1_503_238_553, addresses=3), "requests", seconds, words)
    expected = {
        "en": f"  served 312 requests, 1.4 GB to 3 devices in {time}",
        "zh": f"  共处理 312 个请求\uff0c向 3 台设备发送 1.4 GB\uff0c用时 {time}",
    }
    assert line == expected[words.language]
