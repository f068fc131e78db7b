"""The greeting: one text with a line feed, in the charset that is asked for."""

import pytest
from tests.apps.services.fake import talk

from portico.apps.services import greet

WELCOME = "欢迎使用课程系统"


@pytest.mark.parametrize(
    ("text", "encoding", "sent"),
    [
        ("hello", "", b"hello\n"),
        ("hello\n", "", b"hello\n"),
        ("a\nb", "", b"a\nb\n"),
        ("", "", b"\n"),
        (WELCOME, "", f"{WELCOME}\n".encode()),
        (WELCOME, "gbk", f"{WELCOME}\n".encode("gbk")),
        (WELCOME, "latin-1", b"????????\n"),
    ],
)
def test_whoever_connects_is_greeted(text: str, encoding: str, sent: bytes) -> None:
    assert talk(greet(text, encoding=encoding)).sent == [sent]


def test_the_settings_decide_where_the_call_does_not() -> None:
    assert talk(greet(WELCOME), encoding="gbk").sent == [f"{WELCOME}\n".encode("gbk")]


def test_it_has_a_name() -> None:
    assert greet("hello").name == "greet"
