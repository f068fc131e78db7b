"""An answer on a terminal is readable and harmless; into a pipe it goes byte by byte."""

import gzip
import os
import pty
import threading
from collections.abc import Callable

import pytest
from tests.cli.running import Output
from tests.client.stage import okay, serving

from portico.cli.fetch_show import copy, decoded, show
from portico.cli.pretty import MOST_COLOURED
from portico.cli.screen import Screen
from portico.cli.words import Words
from portico.client.blocking import Client
from portico.client.proxies import Proxies
from portico.client.response import Response
from portico.errors import Gone, Refused

EN = Words("en")


def answered(answer: bytes, use: Callable[[Response], object]) -> None:
    with serving([answer]) as server, Client(proxies=Proxies()) as client, client.stream("GET", server.url) as response:
        use(response)


def shown(answer: bytes, *, head: bytes = b"", colour: bool = False) -> tuple[str, str]:
    """Return what a terminal shows of an answer, and the remark."""
    master, slave = pty.openpty()
    screen = Screen(slave, "utf-8", {"TERM": "xterm"} if colour else {"TERM": "xterm", "NO_COLOR": "1"})
    output = Output(master)
    remarks: list[str] = []
    failures: list[BaseException] = []

    def use(response: Response) -> None:
        try:
            remarks.append(show(response, screen, EN, head=head))
        except Gone as exc:
            failures.append(exc)

    def write() -> None:
        answered(answer, use)
        os.write(slave, b"\0")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        output.until("\0")
    finally:
        writer.join()
        os.close(slave)
        os.close(master)
    if failures:
        raise failures[0]
    return output.raw.decode().replace("\r\n", "\n").removesuffix("\0"), remarks[0]


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (b"hello", "text/plain", "hello\n"),
        (b"hello\n", "text/plain", "hello\n"),
        (b"", "text/plain", ""),
        (b'{"b":1.10,"a":[]}', "application/json", '{\n  "b": 1.10,\n  "a": []\n}\n'),
        (b"{broken", "application/json", "{broken\n"),
        ("欢迎".encode("gbk"), "text/html; charset=gb2312", "欢迎\n"),
        ("欢迎".encode("gbk"), "", "欢迎\n"),
        (b"\x1b[2J\x1b]0;owned\x07", "text/plain", "\\x1b[2J\\x1b]0;owned\\x07\n".replace("\\x07", "\\x07")),
        (b"\xef\xbb\xbf", "text/plain", ""),
    ],
)
def test_what_a_terminal_shows(body: bytes, content_type: str, text: str) -> None:
    assert shown(okay(body, f"Content-Type: {content_type}")) == (text, "")


def test_colours_are_ours_alone() -> None:
    text, _ = shown(okay(b'["\\u001b\x9b"]', "Content-Type: application/json; charset=latin-1"), colour=True)
    assert text == '[\n  \x1b[32m"\\u001b›"\x1b[39;49;00m\n]\n'


def test_what_is_packed_is_unpacked() -> None:
    assert shown(okay(gzip.compress(b"hello"), "Content-Encoding: gzip", "Content-Type: text/plain"))[0] == "hello\n"


@pytest.mark.parametrize(
    ("content_type", "remark"),
    [
        ("image/png", "not shown: image/png is no text; -o FILE or -O saves it"),
        ("", "not shown: what came is no text; -o FILE or -O saves it"),
        ("text/\x9bplain", "not shown: text/\\x9bplain is no text; -o FILE or -O saves it"),
    ],
)
def test_what_is_no_text_is_not_shown(content_type: str, remark: str) -> None:
    assert shown(okay(b"\x89PNG\r\n\x1a\n\0\0", f"Content-Type: {content_type}")) == ("", remark)


@pytest.mark.parametrize(
    ("status", "head", "remark"),
    [
        ("500 Oops", b"", "500 Oops; the answer is empty"),
        ("302 F\x9bound", b"", "302 F\\x9bound; the answer is empty"),
        ("404", b"", "404; the answer is empty"),
        ("500 Oops", b"HTTP/1.1 500 Oops\r\n\r\n", ""),
        ("204 No Content", b"", ""),
    ],
)
def test_a_failure_without_a_body_is_seen(status: str, head: bytes, remark: str) -> None:
    assert shown(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode("latin-1"), head=head)[1] == remark


def test_a_head_is_shown_before() -> None:
    head = b"HTTP/1.1 200 OK\r\nX: \x1by\r\n\r\n"
    assert shown(okay(b"hello"), head=head)[0] == "HTTP/1.1 200 OK\nX: \\x1by\n\nhello\n"
    assert shown(okay(b""), head=head, colour=True)[0] == "\x1b[1mHTTP/1.1 200 OK\x1b[0m\n\x1b[36mX\x1b[0m: \\x1by\n\n"


def test_what_is_too_long_to_colour_is_shown_plain() -> None:
    body = b"<p>\n" * (MOST_COLOURED // 4 + 1000)
    text, _ = shown(okay(body, "Content-Type: text/html"), colour=True)
    assert text.encode() == body


def test_what_came_of_a_body_that_was_cut_is_shown() -> None:
    cut = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"a": 1'
    with pytest.raises(Gone, match="after 7 of 20 bytes"):
        shown(cut)


def test_decoding_divides_neither_characters_nor_line_ends() -> None:
    pieces = [b"a\r", b"\nb\xe4\xb8", b"\xad\r"]
    assert "".join(decoded(pieces, "utf-8")) == "a\r\nb中\r"
    assert [text for text in decoded(pieces, "utf-8") if text.endswith("\r")] == ["\r"]
    assert list(decoded([b"\r"], "utf-8")) == ["\r"]
    assert list(decoded([], "utf-8")) == []


def test_a_pipe_gets_exact_bytes() -> None:
    read, write = os.pipe()
    body = bytes(range(256))
    counts: list[int] = []
    answered(okay(body), lambda response: copy(response, write, b"HTTP/1.1 200 OK\r\n\r\n", counts.append))
    answered(okay(body), lambda response: copy(response, write, b""))
    os.close(write)
    with open(read, "rb") as file:
        assert file.read() == b"HTTP/1.1 200 OK\r\n\r\n" + body + body
    assert sum(counts) == 256


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_reader_who_has_gone(head: bytes) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        with pytest.raises(Refused) as caught:
            answered(okay(b"hello"), lambda response: copy(response, write, head))
    finally:
        os.close(write)
    assert isinstance(caught.value.__cause__, BrokenPipeError)
