"""The time: formats in datagrams, in any charset; their bounds; a line for a connection."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.apps.services.fake import SOMEBODY, talk

from portico.apps.services import time
from portico.apps.services.time import MAX_ANSWER_CHARS, MAX_FORMAT_CHARS
from portico.errors import UsageError
from portico.server.peer import Peer

NOON_S = 1_709_611_200.25  # Tue, 05 Mar 2024 04:00:00.25 GMT
KNOWN = "%Y %m %d %H %M %S %F %T %a %b %z"


class Clock:
    """A clock that only we move."""

    def __init__(self) -> None:
        self.now_s = NOON_S

    def __call__(self) -> float:
        return self.now_s


def ask(datagram: bytes, *, tz: str = "Asia/Shanghai", encoding: str = "") -> bytes | None:
    _, service = time(tz, encoding=encoding, clock=Clock())
    answer = service(datagram, SOMEBODY)
    assert answer is None or isinstance(answer, bytes)
    return answer


@pytest.mark.parametrize(
    ("datagram", "answer"),
    [
        (b"", b"2024-03-05 12:00:00"),
        (b"\n", b"2024-03-05 12:00:00\n"),
        (b"%H:%M", b"12:00"),
        (b"%H:%M\r\n", b"12:00\n"),
        (b"%Y-%m-%d %X", b"2024-03-05 12:00:00"),
        (b"%f", b"250000"),
        (b"%Z %z", b"CST +0800"),
        ("现在：%Y年%-m月%-d日".encode(), "现在：2024年3月5日".encode()),
        ("现在：%Y年%-m月%-d日".encode("gbk"), "现在：2024年3月5日".encode("gbk")),
        (b"no directive at all", b"no directive at all"),
        (b"%a" * 32, b"Tue" * 32),
    ],
)
def test_a_datagram_is_a_format(datagram: bytes, answer: bytes) -> None:
    assert ask(datagram) == answer


@pytest.mark.parametrize(
    ("datagram", "answer"),
    [
        (b"%Q", f"error: '%Q' is not known here; known are {KNOWN} and others of strftime"),
        (b"%1000000000d\n", f"error: '%1000000000d' is not known here; known are {KNOWN} and others of strftime\n"),
        (b"%", f"error: '%' is not known here; known are {KNOWN} and others of strftime"),
        ("时%Q".encode(), f"错误：不认识 '%Q'；可用 strftime 的 {KNOWN} 等"),
        (b"%H" * 33, "error: 66 characters are too many; at most 64 are read"),
        (b"x" * 65_507, "error: 65507 characters are too many; at most 64 are read"),
        ("时".encode() * 65, "错误：共 65 个字符，太长了；最多 64 个"),
        (b"%c" * 32, "error: the answer would have 768 characters; at most 256 are sent"),
        (b"%c" * 31 + "时".encode(), "错误：结果有 745 个字符，太长了；最多 256 个"),
        (b"\0\1\2", "error: '\\x00\\x01\\x02' is not text; send UTF-8 or GBK"),
        (b"\xff\xfe", "error: '\ufffd\ufffd' is not text; send UTF-8 or GBK"),
        (b"%H\n%M", "error: '%H\\n%M' is not text; send UTF-8 or GBK"),
    ],
)
def test_a_bad_format_gets_one_line(datagram: bytes, answer: str) -> None:
    assert ask(datagram) == answer.encode()


@pytest.mark.parametrize(
    ("encoding", "datagram", "answer"),
    [
        ("gbk", "一%H".encode("gbk"), "一12".encode("gbk")),
        ("utf-8", "一%H".encode(), "一12".encode()),
        ("latin-1", b"\xe9%H", b"\xe912"),
        ("gbk", b"%Q", f"错误：不认识 '%Q'；可用 strftime 的 {KNOWN} 等".encode("gbk")),
    ],
)
def test_the_charset_can_be_fixed(encoding: str, datagram: bytes, answer: bytes) -> None:
    assert ask(datagram, encoding=encoding) == answer


@pytest.mark.parametrize(("tz", "answer"), [("UTC", b"04:00 UTC"), ("-03:30", b"00:30 UTC-03:30")])
def test_the_zone_is_chosen(tz: str, answer: bytes) -> None:
    assert ask(b"%H:%M %Z", tz=tz) == answer


def test_without_a_zone_it_is_that_of_this_machine() -> None:
    assert ask(b"%s", tz="") == b"1709611200"


def test_bad_arguments_are_refused_at_once() -> None:
    with pytest.raises(UsageError, match="is not a time zone"):
        time("Nowhere/Land")
    with pytest.raises(UsageError, match="is not the name of a charset"):
        time(encoding="klingon")


@pytest.mark.parametrize("move_s", [1.0, -1.0, 3600.0, 0.75])
def test_what_is_remembered_is_forgotten_with_its_second(move_s: float) -> None:
    clock = Clock()
    _, service = time("UTC", clock=clock)
    assert service(b"%s", SOMEBODY) == b"1709611200"
    clock.now_s += move_s
    assert service(b"%s", SOMEBODY) == str(int(NOON_S + move_s)).encode()


def test_fractions_of_a_second_are_not_remembered() -> None:
    clock = Clock()
    _, service = time("UTC", clock=clock)
    assert service(b"%s.%f", SOMEBODY) == b"1709611200.250000"
    clock.now_s += 0.5
    assert service(b"%s.%f", SOMEBODY) == b"1709611200.750000"


def test_a_flood_of_formats_is_answered_too() -> None:
    _, service = time("UTC", clock=Clock())
    for number in range(3000):
        assert service(b"%%H%%%d" % number, SOMEBODY) is not None or number < 0
    assert service(b"%H", SOMEBODY) == b"04"


@pytest.mark.parametrize("port", [7, 13, 17, 19, 37])
def test_no_answer_to_what_would_answer_it(port: int) -> None:
    _, service = time("UTC", clock=Clock())
    assert service(b"%H", Peer("192.0.2.1", port)) is None


def test_a_connection_gets_one_line() -> None:
    stream, datagram = time("UTC", clock=Clock())
    assert talk(stream, b"whatever").sent == [b"2024-03-05 04:00:00\n"]
    assert (stream.name, datagram.name) == ("time", "time")
    assert datagram.is_quick
    assert not datagram.may_amplify


@given(st.binary(max_size=100) | st.text(st.sampled_from("%-0aYHcEZ 时\n")).map(str.encode))
def test_whatever_comes_is_answered_within_bounds(datagram: bytes) -> None:
    answer = ask(datagram, tz="UTC")
    assert answer is not None
    text = answer.decode("gb18030" if "错误：".encode("gbk") in answer else "utf-8", "replace")
    assert len(text) <= max(MAX_ANSWER_CHARS, 4 * MAX_FORMAT_CHARS) + 1
