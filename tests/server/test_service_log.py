"""The log of services: both forms, two languages, hostile text, floods."""

import json
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.errors import UsageError
from portico.server import buckets, datagrams
from portico.server.access_log import LocalTime
from portico.server.peer import Peer
from portico.server.service_log import (
    MAX_LINES,
    NOTES,
    JsonLines,
    PrettyLines,
    ServiceLog,
    ServiceRecord,
    service_log,
    text_of,
    visible,
)

NOON_S = 784123200.25  # Sun, 06 Nov 1994 12:00:00 GMT
PEER = Peer("192.168.1.5", 51234)
AT = "12:00:00  192.168.1.5:51234      "
UTC: LocalTime = time.gmtime


class Desk:
    """A log whose time we move. written: the batches."""

    def __init__(
        self, language: str = "en", *, colour: bool = False, dated: bool = False, is_json: bool = False
    ) -> None:
        self.now_s = NOON_S
        self.written: list[str] = []
        pretty = PrettyLines(language, colour=colour, dated=dated, localtime=UTC)
        self.log = ServiceLog(
            lambda batch: self.written.append(batch.decode()),
            JsonLines() if is_json else pretty,
            wall=lambda: self.now_s,
        )

    def lines(self) -> list[str]:
        """Flush, and return all lines written so far."""
        self.log.flush()
        return "".join(self.written).splitlines()

    def line(self) -> str:
        (line,) = self.lines()
        return line


def play(desk: Desk) -> None:
    """One of each."""
    log = desk.log
    log.opened(PEER)
    log.told(PEER, "你好")
    log.closed(PEER, received=12, sent=3200, duration_s=1.24)
    log.closed("unix", received=0, sent=0, duration_s=0.0004, note="cut off")
    log.datagram(PEER, b"36.6\n", b"97.9\n")
    log.datagram(PEER, b"", None, buckets.LARGER)
    log.datagram(Peer("2001:db8::1", 9), "温度".encode("gbk"), "不是温度".encode("gbk"))


def test_english() -> None:
    desk = Desk()
    play(desk)
    assert desk.lines() == [
        f"{AT}connected",
        f"{AT}← 你好",
        f"{AT}closed after 1.2 s, 12 B received, 3.1 KB sent",
        "12:00:00  unix                   closed after 0.4 ms, 0 B received, 0 B sent, cut off",
        f"{AT}← 36.6  → 97.9",
        f"{AT}← (empty)  no answer: it would be larger than the request",
        "12:00:00  [2001:db8::1]:9        ← 温度  → 不是温度",
    ]


def test_chinese() -> None:
    desk = Desk("zh")
    play(desk)
    assert desk.lines() == [
        f"{AT}已连接",
        f"{AT}← 你好",
        f"{AT}已断开，历时 1.2 s，收到 12 B，发出 3.1 KB",
        "12:00:00  unix                   已断开，历时 0.4 ms，收到 0 B，发出 0 B，已中断",
        f"{AT}← 36.6  → 97.9",
        f"{AT}← （空）  未应答：应答会大于请求",
        "12:00:00  [2001:db8::1]:9        ← 温度  → 不是温度",
    ]


def test_json() -> None:
    desk = Desk(is_json=True)
    play(desk)
    lines = desk.lines()
    assert all(line.isascii() for line in lines)
    head = {"time": "1994-11-06T12:00:00.250Z"}
    peer = {"peer": "192.168.1.5:51234"}
    assert [json.loads(line) for line in lines] == [
        head | {"event": "opened"} | peer,
        head | {"event": "told"} | peer | {"text": "你好"},
        head | {"event": "closed"} | peer | {"received": 12, "sent": 3200, "duration": 1.24, "note": ""},
        head | {"event": "closed", "peer": "unix", "received": 0, "sent": 0, "duration": 0.0004, "note": "cut off"},
        head | {"event": "datagram"} | peer | {"received": 5, "sent": 5, "text": "36.6", "answer": "97.9", "note": ""},
        head
        | {"event": "datagram"}
        | peer
        | {"received": 0, "sent": 0, "text": "", "answer": None, "note": buckets.LARGER},
        head
        | {"event": "datagram", "peer": "[2001:db8::1]:9"}
        | {"received": 4, "sent": 8, "text": "温度", "answer": "不是温度", "note": ""},
    ]


def test_colours_are_around_and_not_within() -> None:
    desk = Desk(colour=True)
    desk.log.datagram(PEER, b"a", b"b", "cut off")
    assert desk.line() == (
        "\x1b[2m12:00:00\x1b[0m  192.168.1.5:51234      \x1b[36m←\x1b[0m a  \x1b[32m→\x1b[0m b  \x1b[33mcut off\x1b[0m"
    )


def test_a_file_has_dates() -> None:
    desk = Desk(dated=True)
    desk.log.opened(PEER)
    assert desk.line() == f"1994-11-06 {AT}connected"


def test_an_unknown_language_is_english() -> None:
    desk = Desk("eo")
    desk.log.opened(PEER)
    assert desk.line().endswith("connected")


def test_every_remark_has_its_chinese() -> None:
    remarks = {value for name, value in vars(datagrams).items() if name.isupper() and isinstance(value, str)}
    remarks |= {buckets.LARGER, buckets.LOOPING, buckets.TOO_MANY}
    assert remarks <= NOTES.keys()
    assert all(not text.isascii() for text in NOTES.values())


VISIBLE = [
    ("a b", "a b"),
    ('C:\\dir "x"', 'C:\\dir "x"'),
    ("你好\u3000世界", "你好\u3000世界"),
    ("two\nlines\r\tand", "two\\nlines\\r\\tand"),
    ("\x1b[2J\x07", "\\x1b[2J\\x07"),
    ("\x9b", "\\x9b"),
    ("abc\u202edef", "abc\\u202edef"),
    ("\U000e0041", "\\U000e0041"),
    ("\ud800", "\\ud800"),
]


@pytest.mark.parametrize(("text", "shown"), VISIBLE)
def test_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


TEXTS = [
    (b"abc", 3, "abc"),
    (b"abc\r\n", 5, "abc"),
    (b"a\nb\n", 4, "a\nb"),
    ("好".encode() * 2, 6, "好好"),
    ("好".encode() * 2, 9, "好好…"),
    ("好好".encode()[:5], 6, "好…"),
    ("好好".encode("gbk")[:3], 4, "好…"),
    (b"\xff\x00\x80", 3, "\\xff\\x00\\x80"),
    (b"", 0, ""),
]


@pytest.mark.parametrize(("data", "size", "text"), TEXTS)
def test_a_datagram_as_text(data: bytes, size: int, text: str) -> None:
    assert text_of(data, size) == text


def test_long_things_are_cut() -> None:
    desk = Desk()
    desk.log.datagram(PEER, b"x" * 60_000, b"y" * 241)
    desk.log.told(PEER, "z" * 5000)
    desk.log.told(PEER, "z" * 4096)
    assert desk.lines() == [f"{AT}← {'x' * 240}…  → {'y' * 240}…", f"{AT}← {'z' * 4096}…", f"{AT}← {'z' * 4096}"]


@given(st.text(), st.binary(max_size=300), st.sampled_from(["en", "zh"]), st.booleans())
def test_a_line_stays_a_line(text: str, data: bytes, language: str, is_json: bool) -> None:
    desk = Desk(language, is_json=is_json)
    desk.log.told(text, text)
    desk.log.datagram(PEER, data, data, text)
    desk.log.closed(PEER, received=1, sent=1, duration_s=1, note=text)
    lines = desk.lines()
    assert len(lines) == 3
    assert all(line.replace("\u3000", "").isprintable() for line in lines)


def test_a_flood_is_no_flood_of_lines() -> None:
    desk = Desk()
    for number in range(MAX_LINES + 12_345):
        desk.log.datagram(PEER, str(number).encode(), None)
    assert len(desk.lines()) == MAX_LINES
    assert desk.log.is_pending
    desk.now_s += 1
    assert desk.lines()[MAX_LINES:] == ["12:00:00  ... and 12 345 more"]
    assert not desk.log.is_pending


@pytest.mark.parametrize(("language", "told"), [("en", "... and 1 more"), ("zh", "……另有 1 条")])
def test_the_next_second_tells_first_what_the_last_one_held_back(language: str, told: str) -> None:
    desk = Desk(language)
    for _ in range(MAX_LINES + 1):
        desk.log.opened(PEER)
    desk.now_s += 1
    desk.log.told(PEER, "on")
    assert desk.lines()[MAX_LINES:] == [f"12:00:00  {told}", f"{AT.replace(':00  ', ':01  ')}← on"]


def test_each_kind_counts_against_the_flood() -> None:
    desk = Desk(is_json=True)
    for _ in range(MAX_LINES):
        desk.log.opened(PEER)
    desk.log.opened(PEER)
    desk.log.told(PEER, "x")
    desk.log.closed(PEER, received=1, sent=1, duration_s=1)
    desk.log.datagram(PEER, b"", None)
    desk.log.finish()
    assert json.loads(desk.lines()[-1]) == {"time": "1994-11-06T12:00:00.000Z", "event": "more", "count": 4}


def test_the_end_tells_everything() -> None:
    desk = Desk()
    for _ in range(MAX_LINES + 2):
        desk.log.opened(PEER)
    desk.log.finish()
    assert desk.written[0].endswith("... and 2 more\n")
    desk.log.finish()
    assert len(desk.written) == 1


def test_a_full_disk_costs_lines_and_not_the_server() -> None:
    def refuse(batch: bytes) -> None:
        raise OSError("no space left on device")

    log = service_log("pretty", refuse)
    log.opened(PEER)
    log.flush()
    assert log.lost == 1
    assert not log.is_pending


def test_what_commands_build() -> None:
    written: list[bytes] = []
    for form, language in (("pretty", "zh"), ("json", "en")):
        log = service_log(form, written.append, language=language, colour=True, dated=True)
        log.opened(PEER)
        log.flush()
    assert "\x1b[0m  192.168.1.5:51234      已连接\n" in written[0].decode()
    assert json.loads(written[1])["event"] == "opened"


@pytest.mark.parametrize("form", ["common", "combined"])
def test_what_only_http_has_is_refused(form: str) -> None:
    with pytest.raises(UsageError, match=f"format {form} tells of HTTP requests only"):
        service_log(form, print)


def test_a_format_is_any_function() -> None:
    seen: list[ServiceRecord] = []

    def keep(records: Sequence[ServiceRecord]) -> bytes:
        seen.extend(records)
        return b""

    log = ServiceLog(lambda batch: None, keep)
    log.told("unix", "x")
    log.flush()
    assert [type(record).__name__ for record in seen] == ["Told"]


def test_a_discreet_log_tells_who_came_and_not_what_was_said() -> None:
    written: list[bytes] = []
    log = ServiceLog(written.append, JsonLines(), wall=lambda: 1.0)
    log.is_discreet = True
    peer = Peer("192.0.2.1", 5)
    log.opened(peer)
    log.told(peer, "a secret")
    log.datagram(peer, b"another secret", b"and its answer")
    log.datagram(peer, b"a third", None)
    log.closed(peer, received=9, sent=0, duration_s=1)
    log.flush()
    rows = [json.loads(line) for line in written[0].splitlines()]
    assert [row["event"] for row in rows] == ["opened", "datagram", "datagram", "closed"]
    assert (rows[1]["received"], rows[1]["sent"], rows[1]["text"], rows[1]["answer"]) == (14, 14, "…", "…")
    assert rows[2]["answer"] is None
    assert b"secret" not in written[0]
    assert b"answer is" not in written[0]
