"""The words of a command become a request, as curl's users expect; what makes no sense is said in one line."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import pytest

from portico.cli.fetch_request import Asked, read_fields, read_request
from portico.client.body import Pieces
from portico.errors import ConfigError, UsageError
from portico.settings.asking import Fetch

FORM = ("Content-Type", "application/x-www-form-urlencoded")
JSON = (("Content-Type", "application/json"), ("Accept", "application/json, */*;q=0.5"))
URL = "http://h/"
BOTH = ("GET", URL, (("authorization", "y"), ("User-Agent", None)), None)


@pytest.mark.parametrize(
    ("fetch", "asked"),
    [
        (Fetch(), Asked("GET", URL, (), None)),
        (Fetch(head=True), Asked("HEAD", URL, (), None)),
        (Fetch(method="DELETE"), Asked("DELETE", URL, (), None)),
        (Fetch(data=("a=1", "b=中")), Asked("POST", URL, (FORM,), "a=1&b=中".encode())),
        (Fetch(data=("x",), method="PUT"), Asked("PUT", URL, (FORM,), b"x")),
        (
            Fetch(data=("x",), header=("content-type: text/plain",)),
            Asked("POST", URL, (("content-type", "text/plain"),), b"x"),
        ),
        (Fetch(json='{"a": 1.10}'), Asked("POST", URL, JSON, b'{"a": 1.10}')),
        (Fetch(json="[]", header=("Accept:",)), Asked("POST", URL, (("Accept", None), JSON[0]), b"[]")),
        (Fetch(auth="me:a:b"), Asked("GET", URL, (("Authorization", "Basic bWU6YTpi"),), None)),
        (Fetch(auth="我:密"), Asked("GET", URL, (("Authorization", "Basic 5oiROuWvhg=="),), None)),
        (Fetch(auth="a:b", agent="x", header=("authorization: y", "User-Agent:")), Asked(*BOTH)),
        (Fetch(data=("",)), Asked("POST", URL, (FORM,), b"")),
        (Fetch(agent="x/1"), Asked("GET", URL, (("User-Agent", "x/1"),), None)),
    ],
)
def test_requests(fetch: Fetch, asked: Asked) -> None:
    assert read_request(URL, fetch) == asked


def test_content_of_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1=2\n")
    (tmp_path / "j").write_bytes(b"[1]\n")
    assert read_request(URL, Fetch(data=("x=y", f"@{tmp_path}/a"))).body == b"x=y&1=2\n"
    assert read_request(URL, Fetch(json=f"@{tmp_path}/j")).body == b"[1]\n"


def test_a_form_with_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"content")
    asked = read_request(URL, Fetch(form=("name=值", f"file=@{tmp_path}/a.txt")))
    assert asked.method == "POST"
    assert isinstance(asked.body, Pieces)
    sent = b"".join(asked.body.pieces())
    assert "值".encode() in sent
    assert b'filename="a.txt"' in sent
    assert b"content" in sent


@pytest.mark.parametrize(("url", "found"), [("http://h/d/", "http://h/d/a.txt"), ("http://h/b", "http://h/b")])
def test_an_upload(tmp_path: Path, url: str, found: str) -> None:
    (tmp_path / "a.txt").write_bytes(b"content")
    asked = read_request(url, Fetch(upload=f"{tmp_path}/a.txt"))
    assert (asked.method, asked.url, asked.fields) == ("PUT", found, ())
    assert cast(IO[bytes], asked.body).read() == b"content"
    asked.close()
    assert cast(IO[bytes], asked.body).closed


@contextmanager
def standard_input(fd: int) -> Iterator[None]:
    before = sys.stdin
    sys.stdin = open(fd, closefd=False)
    try:
        yield
    finally:
        sys.stdin.close()
        sys.stdin = before


def test_standard_input() -> None:
    read, write = os.pipe()
    os.write(write, b"typed")
    os.close(write)
    with standard_input(read):
        assert read_request(URL, Fetch(data=("@-",))).body == b"typed"
        upload = read_request(URL, Fetch(upload="-"))
        assert (upload.method, upload.url) == ("PUT", URL)
        assert cast(io.BufferedReader, upload.body).fileno() == read
        upload.close()
        assert not sys.stdin.closed
    os.close(read)


def test_a_password_is_not_asked_for_through_a_pipe() -> None:
    read, write = os.pipe()
    os.close(write)
    with standard_input(read):
        assert read_request(URL, Fetch(auth="me")).fields == (("Authorization", "Basic bWU6"),)
    os.close(read)


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        (["A: b"], [("A", "b")]),
        (["A:b: c"], [("A", "b: c")]),
        (["A:"], [("A", None)]),
        (["A;"], [("A", "")]),
        (["X: 中"], [("X", "中".encode().decode("latin-1"))]),
        (["A: 1", "A: 2"], [("A", "1"), ("A", "2")]),
        ([], []),
    ],
)
def test_fields(words: list[str], fields: list[tuple[str, str | None]]) -> None:
    assert list(read_fields(words)) == fields


def test_fields_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"A: 1\r\n\n@f\nB:\n")
    assert list(read_fields([f"@{tmp_path}/f", "C: 3"])) == [("A", "1"), ("B", None), ("C", "3")]


@pytest.mark.parametrize(
    ("fetch", "complaint"),
    [
        (Fetch(data=("a",), json="1"), "-d and --json do not go together; choose one"),
        (Fetch(form=("a=1",), head=True), "-F and -I do not go together; choose one"),
        (Fetch(method="GE T"), "'GE T' is not a method, as GET or POST"),
        (Fetch(json="{a: 1}"), "--json '{a: 1}' is not JSON: .*; put it in single quotes"),
        (Fetch(json=""), "--json '' is not JSON"),
        (Fetch(json="[" * 100_000), "is not JSON"),
        (Fetch(header=("nothing",)), "-H 'nothing' is not a field; write 'Name: value'"),
        (Fetch(header=("a b: c",)), "-H 'a b: c' cannot be sent"),
        (Fetch(header=("A: b\r\nC: d",)), "cannot be sent"),
        (Fetch(header=(": x",)), "cannot be sent"),
    ],
)
def test_words_that_make_no_sense(fetch: Fetch, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        read_request(URL, fetch)


@pytest.mark.parametrize(
    ("fetch", "complaint"),
    [
        (Fetch(data=("@missing",)), "-d missing cannot be read: No such file or directory"),
        (Fetch(json="@missing"), "--json missing cannot be read: No such file"),
        (Fetch(upload=""), "-T  cannot be read: No such file"),
        (Fetch(upload="missing"), "-T missing cannot be read: No such file"),
        (Fetch(upload="/"), "-T / cannot be read: it is a folder"),
        (Fetch(header=("@missing",)), "-H missing cannot be read: No such file"),
    ],
)
def test_files_that_cannot_be_read(fetch: Fetch, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        read_request(URL, fetch)
