"""The name of a saved file: what RFC 6266 says, and nothing that leaves the folder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.cli.fetch_name import free_name, name_of

URL = "http://example.com/files/talk.pdf?v=2#page"


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        # RFC 6266 section 5
        ("Attachment; filename=example.html", "example.html"),
        ('INLINE; FILENAME= "an example.html"', "talk.pdf"),  # a blank after the equals sign is not allowed
        ('INLINE; FILENAME="an example.html"', "an example.html"),
        ("attachment; filename*= UTF-8''%e2%82%ac%20rates", "talk.pdf"),
        ("attachment; filename*=UTF-8''%e2%82%ac%20rates", "€ rates"),
        ("attachment; filename=\"EURO rates\"; filename*=utf-8''%e2%82%ac%20rates", "€ rates"),
        ("attachment; filename*=iso-8859-1'en'%A3%20rates", "£ rates"),
        ("attachment; filename*=gbk''%d6%d0; filename=a.txt", "a.txt"),
        ("attachment; filename*=UTF-8''%ff", "\ufffd"),
        ("attachment; filename*=nothing", "talk.pdf"),
        ("attachment", "talk.pdf"),
        ("", "talk.pdf"),
        ('attachment; filename=""', "talk.pdf"),
        ('attachment; filename="\xe4\xb8\xad.txt"', "中.txt"),
        ('attachment; filename="\xe9t\xe9.txt"', "été.txt"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="C:\\\\\\\\Windows\\\\\\\\x.exe"', "x.exe"),
        ('attachment; filename="/"', "talk.pdf"),
        ('attachment; filename=".."', "talk.pdf"),
        ('attachment; filename=".bashrc"', "bashrc"),
        ("attachment; filename*=UTF-8''a%00b%1b%0ac%e2%80%aetxt", "abctxt"),
        ("attachment; filename*=UTF-8''..%2f..%2fx", "x"),
        ('attachment; filename="x.txt. ."', "x.txt"),
        ('attachment; filename="-rf"', "rf"),
        ('attachment; filename=". --checkpoint-action=exec=sh x"', "checkpoint-action=exec=sh x"),
        ('attachment; filename="-"', "talk.pdf"),
    ],
)
def test_what_the_server_calls_it(disposition: str, name: str) -> None:
    assert name_of(disposition, URL) == name


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://h", "index.html"),
        ("http://h/", "index.html"),
        ("http://h/a/", "index.html"),
        ("http://h/a/..", "index.html"),
        ("http://h/?q=/x.txt", "index.html"),
        ("http://h/%E4%B8%AD%E6%96%87.txt", "中文.txt"),
        ("http://h/a%2Fb", "b"),
        ("http://h/a%5Cb", "b"),
        ("http://h/%FF", "\ufffd"),
        ("http://h/archive.tar.gz", "archive.tar.gz"),
    ],
)
def test_what_the_url_calls_it(url: str, name: str) -> None:
    assert name_of("", url) == name


@pytest.mark.parametrize("name", ["x" * 400 + ".txt", "中" * 200 + ".pdf", "x." + "y" * 400, "." + "z" * 400])
def test_long_names_are_cut_and_keep_a_short_extension(name: str) -> None:
    found = name_of(f'attachment; filename="{name.encode().decode("latin-1")}"', URL)
    assert 200 < len(found.encode()) <= 230
    assert found[-4:] == name[-4:] or len(name.rpartition(".")[2]) > 16


@given(st.text(), st.text(alphabet=st.characters(codec="latin-1")))
def test_any_name_is_a_name(path: str, value: str) -> None:
    for name in (name_of(f'a; filename="{value}"', "http://h/" + path), name_of("", "http://h/" + path)):
        assert name
        assert not set(name) & set("/\\\0\n\r")
        assert not name.startswith(".")
        assert len(name.encode("utf-8", "replace")) <= 255


@pytest.mark.parametrize(
    ("name", "taken", "free"),
    [
        ("a.txt", set(), "a.txt"),
        ("a.txt", {"a.txt"}, "a (2).txt"),
        ("a.txt", {"a.txt", "a (2).txt"}, "a (3).txt"),
        ("README", {"README"}, "README (2)"),
        (".x", {".x"}, ".x (2)"),
    ],
)
def test_a_name_that_is_taken_gets_a_number(name: str, taken: set[str], free: str) -> None:
    assert free_name(name, taken.__contains__) == free
