"""PATH words: what is shared, under which name, and what is refused."""

import os
from pathlib import Path

import pytest

from portico.apps.files.opened import OpenedFile
from portico.cli.shares import Share, described, entry_path, open_roots, parse_shares
from portico.errors import ConfigError, UsageError
from portico.settings import Files


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """A folder with a folder, a file and a file whose name has an equals sign."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "a b.txt").write_text("x")
    (tmp_path / "x=y").write_text("x")
    return tmp_path


@pytest.mark.parametrize(
    ("texts", "shares"),
    [
        ([], [("", ".")]),
        (["docs"], [("", "docs")]),
        (["d=docs"], [("d", "docs")]),
        (["docs", "b=/tmp"], [("docs", "docs"), ("b", "/tmp")]),
        (["docs/", "/etc"], [("docs", "docs/"), ("etc", "/etc")]),
        (["./a=b"], [("", "./a=b")]),
        (["d=x=y"], [("d", "x=y")]),
    ],
)
def test_words_become_shares(texts: list[str], shares: list[tuple[str, str]]) -> None:
    assert parse_shares(texts) == tuple(Share(*share) for share in shares)


def test_a_path_with_an_equals_sign_is_a_path(inside: Path) -> None:
    path = str(inside / "x=y")
    assert parse_shares([path]) == (Share("", path),)


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        ([""], "'' is not a path"),
        (["=docs"], "'=docs' is not NAME=PATH"),
        (["a="], "'a=' is not NAME=PATH"),
        ([".git=docs"], "'.git=docs' is not NAME=PATH"),
        (["a=docs", "a=tmp"], "two paths would be called 'a'"),
        (["/", "docs"], "'/' has no name to appear under"),
        ([".cache", "docs"], "'.cache' has no name to appear under"),
    ],
)
def test_words_that_make_no_sense(texts: list[str], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint.replace(".", r"\.")):
        parse_shares(texts)


def test_a_folder_and_a_file_become_roots(inside: Path) -> None:
    roots = open_roots([Share("d", str(inside / "docs")), Share("f", str(inside / "a b.txt"))], Files())
    assert (roots["d"].only, roots["f"].only) == (None, b"a b.txt")
    opened = roots["f"].open((b"a b.txt",))
    assert isinstance(opened, OpenedFile)
    opened.close()
    for root in roots.values():
        root.close()


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("missing", "No such file or directory"), ("8000", "there is no folder '8000'; a port is written -p 8000")],
)
def test_what_is_not_there(name: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=complaint):
        open_roots([Share("", name if name == "8000" else str(tmp_path / name))], Files())


def test_what_is_neither_folder_nor_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="cannot serve"):
        open_roots([Share("", str(tmp_path / "pipe"))], Files())


@pytest.mark.parametrize(
    ("name", "base", "path"),
    [("", "/", ""), ("", "/docs", "docs/"), ("a b.txt", "/", "a%20b.txt"), ("a b.txt", "/x/y/", "x/y/a%20b.txt")],
)
def test_what_to_open(inside: Path, name: str, base: str, path: str) -> None:
    assert entry_path([Share("", str(inside / name))], base) == path


def test_several_are_opened_at_the_top(inside: Path) -> None:
    assert entry_path([Share("a", str(inside / "a b.txt")), Share("b", str(inside))], "/") == ""


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (Share("", "/srv/www"), "/srv/www"),
        (Share("www", "/srv/www"), "/srv/www"),
        (Share("a", "/srv/www"), "a=/srv/www"),
        (Share("", "."), os.path.basename(os.getcwd()) + "/"),
        (Share("", os.getcwd() + "/x"), "./x"),
        (Share("", "/a\nb"), "'/a\\nb'"),
    ],
)
def test_how_a_share_is_named(share: Share, text: str) -> None:
    assert described([share]) == text


def test_how_several_are_named() -> None:
    assert described([Share("a", "/x/a"), Share("b", "/y")]) == "/x/a, b=/y"
