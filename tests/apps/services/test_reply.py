"""The reply: what is a message, whoever writes it and however; and its answer, in its charset."""

import pytest
from tests.apps.services.fake import talk

from portico.apps.services import reply
from portico.apps.services.reply import MAX_MESSAGE
from portico.errors import PeerError

HELLO = "你好，在吗"


@pytest.mark.parametrize(
    ("pieces", "told"),
    [
        ([], []),
        # A peer that sends without line feeds: what arrives at once is a message.
        ([b"hello"], ["hello"]),
        ([b"one", b"two"], ["one", "two"]),
        ([HELLO.encode("gbk"), "再见".encode("gbk")], [HELLO, "再见"]),
        # One that writes lines.
        ([b"one\n", b"two\r\n"], ["one", "two"]),
        ([b"one\ntwo\nthree\n"], ["one", "two", "three"]),
        ([b"\n", b"\n"], ["", ""]),
        ([b"one\r\0two\r\0"], ["one", "two"]),
        # ... whose lines are cut by TCP once it is known to
        ([b"one\n", b"t", b"w", b"o\n"], ["one", "two"]),
        ([b"one\n", "你".encode("gbk")[:1], "你".encode("gbk")[1:] + b"\n"], ["one", "你"]),
        # ... and one whose last line has no end
        ([b"one\n", b"two"], ["one", "two"]),
        # The line feed behind a message that was answered without it is no message of its own.
        ([b"hello", b"\n"], ["hello"]),
        ([b"hello", b"\r\n", b"two\n"], ["hello", "two"]),
        ([b"hello", b"\n\n"], ["hello", ""]),
        ([b"hello", b"two\n", b"three\n"], ["hello", "two", "three"]),
        ([b"hello\r", b"\n"], ["hello"]),
        ([b"hello\r"], ["hello"]),
        # Lines, and what nobody ended.
        ([b"one\ntwo", b"three"], ["one", "two", "three"]),
        # telnet, which says nothing at Ctrl-C
        ([b"one\r\n", b"\xff\xf4\xff\xfd\x06", b"two\r\n"], ["one", "two"]),
        ([b"\xff\xf4\xff\xfd\x06"], []),
        # No text.
        ([b"\x00\x80\xff\n"], ["\0\ufffd\ufffd"]),
        ([b"\xe4", "你好".encode()], ["\ufffd", "你好"]),
    ],
)
def test_each_message_is_told_and_answered(pieces: list[bytes], told: list[str]) -> None:
    stream = talk(reply("ok"), *pieces)
    assert stream.told == told
    assert b"".join(stream.sent) == b"ok\n" * len(told)


@pytest.mark.parametrize(
    ("encoding", "message", "answer"),
    [
        ("auto", HELLO.encode(), "收到\n".encode()),
        ("auto", HELLO.encode("gbk"), "收到\n".encode("gbk")),
        ("auto", b"hello", "收到\n".encode()),
        ("gbk", b"hello", "收到\n".encode("gbk")),
        ("big5", "你好".encode("big5"), "收到\n".encode("big5")),
        ("cp1251", "я\xa0ты".encode("cp1251"), b"??\n"),
    ],
)
def test_the_answer_is_in_the_charset_of_the_message(encoding: str, message: bytes, answer: bytes) -> None:
    assert talk(reply("收到"), message, encoding=encoding).sent == [answer]
    assert talk(reply("收到", encoding=encoding), message).sent == [answer]


def test_a_charset_whose_letters_telnet_uses_is_left_alone() -> None:
    assert talk(reply("ok", encoding="cp1251"), "яфя\n".encode("cp1251")).told == ["яфя"]


def test_the_text_of_the_course_is_the_default() -> None:
    assert talk(reply(), b"hi").sent == ["ok, 问题正在处理中...\n".encode()]


def test_a_message_as_long_as_is_allowed() -> None:
    message = b"x" * MAX_MESSAGE
    stream = talk(reply("ok"), message + b"\n")
    assert stream.told == [message.decode()]
    assert stream.sent == [b"ok\n"]


def test_a_message_too_long_is_refused_behind_the_others() -> None:
    with pytest.raises(PeerError, match="more than 65536 bytes"):
        talk(reply("ok"), b"one\n", b"x" * (MAX_MESSAGE + 1))


def test_many_lines_are_answered_at_once() -> None:
    assert talk(reply("ok"), b"a\n" * 1000).sent == [b"ok\n" * 1000]


def test_a_flood_of_lines_is_answered_piece_by_piece() -> None:
    stream = talk(reply("x" * 999), b"\n" * 65_536)
    assert len(stream.told) == 65_536
    assert b"".join(stream.sent) == (b"x" * 999 + b"\n") * 65_536
    assert max(map(len, stream.sent)) <= 64 * 1024


def test_an_answer_longer_than_what_is_sent_at_once() -> None:
    assert talk(reply("x" * 70_000), b"a\nb\n").sent == [b"x" * 70_000 + b"\n"] * 2
