"""Forms with files: curl's words, what goes over the wire, and files that change meanwhile."""

import io
import os
import re
import subprocess
import sys
import threading
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.client.body import Pieces
from portico.client.form import PIECE_BYTES, Form, Part, file_part, read_form, read_part
from portico.errors import ConfigError, Refused, UsageError

WORDS = [
    ("a=1", Part("a", b"1")),
    ("a=", Part("a", b"")),
    ("a=b=c", Part("a", b"b=c")),
    ("a=你好", Part("a", "你好".encode())),
    ("名字=x", Part("名字", b"x")),
    ("a=\udcff", Part("a", b"\xff")),
    ("a=x;y", Part("a", b"x;y")),
    ("a=x;type=text/csv", Part("a", b"x", media_type="text/csv")),
    ("a=x;type=text/csv;charset=gbk", Part("a", b"x", media_type="text/csv;charset=gbk")),
    ("a=x;filename=y", Part("a", b"x;filename=y")),
    ('a="quoted"', Part("a", b'"quoted"')),
    ("a=@dir/pic.png", Part("a", path="dir/pic.png", filename="pic.png", media_type="image/png")),
    ("a=@pic", Part("a", path="pic", filename="pic", media_type="application/octet-stream")),
    ("a=@x.txt", Part("a", path="x.txt", filename="x.txt", media_type="text/plain")),
    ("a=@a,b;c", Part("a", path="a,b;c", filename="a,b;c", media_type="application/octet-stream")),
    ("a=@x;type=image/gif", Part("a", path="x", filename="x", media_type="image/gif")),
    ("a=@x.png;filename=y", Part("a", path="x.png", filename="y", media_type="image/png")),
    ("a=@x.png;filename=y.txt", Part("a", path="x.png", filename="y.txt", media_type="text/plain")),
    ("a=@x;filename=", Part("a", path="x", filename="", media_type="application/octet-stream")),
    ('a=@x;filename="y;z\\"";type=image/gif', Part("a", path="x", filename='y;z"', media_type="image/gif")),
    ("a=@x;type=image/gif;filename=y", Part("a", path="x", filename="y", media_type="image/gif")),
    ('a=@"a;type=b"', Part("a", path="a;type=b", filename="a;type=b", media_type="application/octet-stream")),
    ('a=@"b\\\\\\"c.png";filename=d', Part("a", path='b\\"c.png', filename="d", media_type="image/png")),
    ('a=@"open.png', Part("a", path='"open.png', filename='"open.png', media_type="image/png")),
    ('a=@"', Part("a", path='"', filename='"', media_type="application/octet-stream")),
    ("a=@-", Part("a", path="-", filename="-", media_type="application/octet-stream")),
    ("a=<x.png", Part("a", path="x.png")),
    ("a=<-;type=text/plain", Part("a", path="-", media_type="text/plain")),
    ("a=<x;filename=y", Part("a", path="x", filename="y", media_type="application/octet-stream")),
]


@pytest.mark.parametrize(("word", "expected"), WORDS)
def test_words(word: str, expected: Part) -> None:
    assert read_part(word) == expected


BAD_WORDS = [
    ("", "name=value or name=@FILE"),
    ("a", "name=value"),
    ("=x", "name=value"),
    ("a=@", "names no file"),
    ("a=<", "names no file"),
    ("a=@;type=text/plain", "names no file"),
    ('a=@""', "names no file"),
    ("a=@x;type=", "is not a media type"),
    ("a=x;type=plain", "is not a media type"),
    ("a=x;type=text/plain\r\nEvil: 1", "is not a media type"),
    ("a=x;type=text/你", "is not a media type"),
    ("a=x;type=text/é", "is not a media type"),
    ("a=\ud800", "lone surrogate"),
]


@pytest.mark.parametrize(("word", "message"), BAD_WORDS)
def test_words_that_make_no_sense(word: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read_part(word)
    assert "\n" not in str(caught.value)


def sent(form: Form) -> bytes:
    body = b"".join(form.pieces())
    assert form.length in (None, len(body))
    return body


def parsed(form: Form) -> list[Message]:
    head = f"Content-Type: {form.content_type}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + sent(form))
    payload = message.get_payload()
    assert isinstance(payload, list)
    return [part for part in payload if isinstance(part, Message)]


def test_what_goes_over_the_wire(tmp_path: Path) -> None:
    path = tmp_path / "photo 1.png"
    path.write_bytes(b"\x89PNG\r\n--B\r\n")
    form = Form([Part("a", b"1"), file_part("pic", path), Part("t", b"x", media_type="text/csv")], boundary="B")
    assert isinstance(form, Pieces)
    assert form.content_type == "multipart/form-data; boundary=B"
    assert sent(form) == (
        b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
        b'--B\r\nContent-Disposition: form-data; name="pic"; filename="photo 1.png"\r\nContent-Type: image/png\r\n\r\n'
        b"\x89PNG\r\n--B\r\n\r\n"
        b'--B\r\nContent-Disposition: form-data; name="t"\r\nContent-Type: text/csv\r\n\r\nx\r\n--B--\r\n'
    )


def test_an_empty_form() -> None:
    assert sent(Form([], boundary="B")) == b"--B--\r\n"


NAMES = [
    # a name, as it is sent
    ("plain", "plain"),
    ("你好 é", "你好 é"),
    ('say "hi"', "say %22hi%22"),
    ("a\\b", "a\\b"),
    ("a%22b", "a%22b"),
    ("a\r\nEvil: 1", "a%0D%0AEvil: 1"),
]


@pytest.mark.parametrize(("name", "expected"), [*NAMES, ("a\nb\rc", "a%0D%0Ab%0D%0Ac")])
def test_names_as_browsers_write_them(name: str, expected: str) -> None:
    assert f'form-data; name="{expected}"\r\n\r\n'.encode() in sent(Form([Part(name)]))


@pytest.mark.parametrize(("name", "expected"), [*NAMES, ("a\nb\rc", "a%0Ab%0Dc")])
def test_file_names_as_browsers_write_them(name: str, expected: str) -> None:
    assert f'; filename="{expected}"\r\n\r\n'.encode() in sent(Form([Part("f", filename=name)]))


def test_names_that_are_not_unicode() -> None:
    assert b'filename="\xff"' in sent(Form([Part("f", filename="\udcff")]))
    with pytest.raises(UsageError, match="lone surrogate"):
        Form([Part("\ud800")])


def test_each_form_has_a_boundary_of_its_own() -> None:
    one, other = Form([]).content_type, Form([]).content_type
    assert one != other
    assert re.fullmatch(r"multipart/form-data; boundary=[-0-9a-f]{50,70}", one)


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES + 5])
def test_files_are_sent_in_pieces_of_known_length(tmp_path: Path, size: int) -> None:
    path = tmp_path / "data.bin"
    path.write_bytes(os.urandom(size))
    form = Form([Part("a", b"1"), file_part("f", path), file_part("g", str(path))])
    pieces = list(form.pieces())
    assert all(0 < len(piece) <= 2 * PIECE_BYTES for piece in pieces)
    assert sum(map(len, pieces)) == form.length
    assert [part.get_payload(decode=True) for part in parsed(form)][1:] == [path.read_bytes()] * 2


def test_many_small_parts_are_sent_together() -> None:
    form = Form([Part(f"n{number}", b"x" * 100) for number in range(1000)])
    assert len(list(form.pieces())) <= 2
    assert len(parsed(form)) == 1000


def test_standard_input_is_sent_once(tmp_path: Path) -> None:
    form = read_form(["a=1", "f=@-;filename=x"], stdin=io.BytesIO(b"from a pipe"))
    assert form.length is None
    assert b'filename="x"\r\nContent-Type: application/octet-stream\r\n\r\nfrom a pipe\r\n--' in sent(form)
    with pytest.raises(Refused, match="cannot be sent again"):
        list(form.pieces())
    with pytest.raises(UsageError, match="not several"):
        read_form(["a=@-", "b=<-"])


def test_the_standard_input_of_the_process() -> None:
    code = "from portico.client.form import read_form; print(b''.join(read_form(['a=<-']).pieces()))"
    done = subprocess.run([sys.executable, "-c", code], input=b"typed", capture_output=True, check=True)
    assert b"\\r\\n\\r\\ntyped\\r\\n--" in done.stdout


def test_a_pipe_has_no_length(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    form = Form([Part("f", path=str(path))])
    assert form.length is None
    writer = threading.Thread(target=path.write_bytes, args=(b"through a pipe",))
    writer.start()
    assert b"\r\n\r\nthrough a pipe\r\n--" in b"".join(form.pieces())
    writer.join()


def test_files_that_cannot_be_sent(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        Form([Part("f", path=str(tmp_path / "missing"))])
    with pytest.raises(ConfigError, match="it is a folder"):
        Form([Part("f", path=str(tmp_path))])
    with pytest.raises(ConfigError, match=r"cannot be read: .*null"):
        Form([Part("f", path="a\0b")])


@pytest.mark.parametrize("now", [b"", b"shorter", b"longer than it was", os.urandom(PIECE_BYTES * 2)])
def test_a_file_that_changed_is_an_error_before_the_form_ends(tmp_path: Path, now: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"what it said")
    form = Form([file_part("f", path)])
    path.write_bytes(now)
    body = io.BytesIO()
    with pytest.raises(Refused, match="changed while it was sent: it had 12 bytes"):
        body.writelines(form.pieces())
    assert not body.getvalue().endswith(b"--\r\n")


def test_a_file_that_grows_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * PIECE_BYTES)
    pieces = Form([file_part("f", path)]).pieces()
    assert len(next(pieces)) < 1000
    assert len(next(pieces)) == PIECE_BYTES
    with path.open("ab") as file:
        file.write(b"y")
    with pytest.raises(Refused, match="changed while it was sent"):
        next(pieces)


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x")
    form = Form([file_part("f", path)])
    path.unlink()
    with pytest.raises(Refused, match="cannot be read any more: No such file"):
        list(form.pieces())


def test_a_file_whose_disk_fails() -> None:
    # The memory of this process, as a file: there is nothing at address 0.
    with open("/proc/self/mem", "rb", buffering=0) as memory:
        form = read_form(["f=@-"], stdin=memory)
        with pytest.raises(Refused, match="cannot be read further"):
            list(form.pieces())


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@given(st.lists(st.tuples(names, st.binary(max_size=100), st.none() | names), max_size=5))
def test_no_name_and_no_value_can_break_out_of_its_part(given_parts: list[tuple[str, bytes, str | None]]) -> None:
    form = Form([Part(name, value, filename=filename) for name, value, filename in given_parts], boundary="BOUNDARY-0")
    body = sent(form)
    heads = [piece.partition(b"\r\n\r\n") for piece in body.split(b"--BOUNDARY-0\r\n")[1:]]
    assert len(heads) == len(given_parts)
    for (head, _, rest), (_, value, filename) in zip(heads, given_parts, strict=True):
        assert b"\r" not in head
        assert b"\n" not in head
        assert head.count(b'"') == (2 if filename is None else 4)
        assert rest.removesuffix(b"--BOUNDARY-0--\r\n") == value + b"\r\n"
