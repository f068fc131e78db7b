"""Heads, text and JSON; how bodies are read is in test_blocking.py and, for tasks, below."""

import asyncio
from pathlib import Path

import pytest
from tests.client.stage import okay, serving

from portico.client.http import AsyncClient
from portico.client.proxies import Proxies
from portico.client.response import decode_json, decode_text
from portico.errors import Gone, PeerError, Refused, UsageError

TEXTS = [
    ("", b"", "", ""),
    ("ASCII", b"abc", "", "abc"),
    ("UTF-8", "中文".encode(), "", "中文"),
    ("GBK without a word", "中文网页".encode("gbk"), "", "中文网页"),
    ("GBK", "中文".encode("gbk"), "gbk", "中文"),
    ("Latin-1", b"caf\xe9", "iso-8859-1", "café"),
    ("a byte order mark", b"\xef\xbb\xbfabc", "gbk", "abc"),
    ("UTF-16, little end first", b"\xff\xfea\0", "", "a"),
    ("UTF-16, big end first", b"\xfe\xff\0a", "utf-8", "a"),
    ("a charset that nobody knows", "中".encode(), "x-none", "中"),
    ("no charset at all", b"abc", "zlib", "abc"),
    ("a coding of host names, whose time grows with the square of the length", b"a-bcd", "punycode", "a-bcd"),
    ("not what it says", b"abc\xff", "utf-8", "abc\ufffd"),
    ("nothing", b"abc\xff\xff", "", "abc\ufffd\ufffd"),
]


@pytest.mark.parametrize(("content", "charset", "text"), [row[1:] for row in TEXTS], ids=[row[0] for row in TEXTS])
def test_a_body_as_text(content: bytes, charset: str, text: str) -> None:
    assert decode_text(content, charset) == text


@pytest.mark.parametrize("content", [b'{"a": 1}', '{"a": 1}'.encode("utf-16"), b'\xef\xbb\xbf{"a": 1}'])
def test_a_body_as_json(content: bytes) -> None:
    assert decode_json(content) == {"a": 1}


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xff\xff\xff", b"[" * 100_000])
def test_what_is_no_json(content: bytes) -> None:
    with pytest.raises(PeerError, match="not JSON") as caught:
        decode_json(content)
    assert len(str(caught.value)) < 400


def test_an_answer_says_what_it_is(tmp_path: Path) -> None:
    page = okay("中".encode("gbk"), 'Content-Type: text/html; charset="GBK"', "X-A: 1", "x-a: 2")
    missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nContent-Type: text/html; charset=a b\r\n\r\n"

    async def work(url: str) -> None:
        async with AsyncClient(proxies=Proxies()) as client:
            response = await client.get(url)
            assert (response.encoding, response.text, response.is_ok) == ("gbk", "中", True)
            assert response.raise_for_status() is response
            assert response.fields[2:] == (("x-a", "1"), ("x-a", "2"))
            assert response.values["x-a"] == "1, 2"
            assert repr(response) == f"<AsyncResponse 200 OK {url}/>"
            response = await client.get(url)
            assert (response.encoding, response.is_ok) == ("", False)
            with pytest.raises(Refused, match=r"answers 404 Not Found$"):
                response.raise_for_status()

    with serving([page, missing]) as server:
        asyncio.run(work(server.url))


def test_tasks_read_a_body_in_every_way(tmp_path: Path) -> None:
    async def work(url: str) -> None:
        async with AsyncClient(proxies=Proxies()) as client:
            async with client.stream("GET", url) as response:
                with pytest.raises(UsageError, match=r"await response\.read"):
                    response.content  # noqa: B018  # it raises
                assert (await response.read(), await response.read(), response.json()) == (b"[1]", b"[1]", [1])
            async with client.stream("GET", url) as response:
                assert [piece async for piece in response.pieces(2)] == [b"[1", b"]"]
            async with client.stream("GET", url) as response:
                assert [piece async for piece in response.raw_pieces(2)] == [b"[1", b"]"]
            with (tmp_path / "f").open("wb") as file:
                async with client.stream("GET", url) as response:
                    assert await response.copy_to(file.fileno()) == 3

    with serving([okay(b"[1]")] * 4) as server:
        asyncio.run(work(server.url))
        assert server.connections == 1
    assert (tmp_path / "f").read_bytes() == b"[1]"


def test_a_copy_of_a_task_that_is_cut_short_is_an_error(tmp_path: Path) -> None:
    async def work(url: str) -> None:
        async with AsyncClient(proxies=Proxies()) as client, client.stream("GET", url) as response:
            with (tmp_path / "f").open("wb") as file:
                await response.copy_to(file.fileno())

    with serving([okay(b"x" * 1_000_000)[:-1]]) as server, pytest.raises(Gone, match="999999 of 1000000"):
        asyncio.run(work(server.url))
