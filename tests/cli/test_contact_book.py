"""The contact book: what is a name and an address, and a file that is never half written or written over."""

import json
import multiprocessing
import os
from pathlib import Path

import pytest

from portico.cli.contact_book import (
    MAX_BYTES,
    MAX_CONTACTS,
    Contact,
    ContactBook,
    book_path,
    check_address,
    check_name,
    parse_place,
)
from portico.errors import ConfigError, UsageError
from portico.http.url import Url
from portico.net.addresses import Address


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"HOME": "/home/wang"}, "/home/wang/.config/portico/contacts.json"),
        ({"HOME": "/home/wang", "XDG_CONFIG_HOME": "/set"}, "/set/portico/contacts.json"),
        ({"HOME": "/home/wang", "XDG_CONFIG_HOME": "set"}, "/home/wang/.config/portico/contacts.json"),
    ],
)
def test_where_it_is(environ: dict[str, str], path: str) -> None:
    assert book_path(environ) == path


def test_without_a_home_there_is_no_book() -> None:
    with pytest.raises(ConfigError, match="XDG_CONFIG_HOME"):
        book_path({"HOME": "here"})


@pytest.mark.parametrize(("text", "name"), [("金老板", "金老板"), (" Wang Lei ", "Wang Lei"), ("cafe\u0301", "café")])
def test_names(text: str, name: str) -> None:
    assert check_name(text) == name


@pytest.mark.parametrize("text", ["", "  ", "x" * 41, "a\x1b[2J", "a\nb", "-l", "udp:1", "a/b", "a@b", "#1"])
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(UsageError, match="is no name"):
        check_name(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("udp://192.168.1.8:8081", "udp://192.168.1.8:8081"),
        ("tcp://Box:80", "tcp://box:80"),
        ("box:80", "tcp://box:80"),
        ("8000", "tcp://localhost:8000"),
        ("tls://[::1]:443", "tls://[::1]:443"),
        ("unix:/run/x", "unix:/run/x"),
        ("http://192.168.1.8:8000", "http://192.168.1.8:8000/"),
        ("https://wang@chat.example/ws", "https://wang@chat.example/"),
        ("ws://h:8000/ws", "http://h:8000/"),
        ("wss://h/", "https://h/"),
    ],
)
def test_addresses(text: str, address: str) -> None:
    assert check_address(text) == address
    assert check_address(address) == address


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("fd:3", "descriptor"),
        ("udp://box:0", "no port"),
        ("udp://*:80", "every interface"),
        ("box", "is not an address|port"),
        ("gopher://h", "the scheme 'gopher'"),
        ("http://h/room", "write it without '/room'"),
        ("http://w:secret@h", "no place for a password"),
        ("http://h/#abc", "lets in once"),
    ],
)
def test_what_nobody_is_reached_at(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        check_address(text)
    assert "secret" not in str(caught.value)


def test_what_an_address_means() -> None:
    place = parse_place("ws://wang@h:8000/ws#token")
    assert isinstance(place, Url)
    assert (place.authority, place.userinfo and place.userinfo.user) == ("h:8000", "wang")
    assert parse_place("udp://h:1") == Address("udp", host="h", port=1)


def test_contacts_are_kept_found_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "portico" / "contacts.json"
    book = ContactBook(str(path))
    assert book.all() == []
    assert book.add("金老板", "udp://192.168.1.8:8081") is None
    assert book.add("Office", "http://h") is None
    assert book.add("OFFICE", "http://other") == "http://h/"
    again = ContactBook(str(path))
    assert again.all() == [Contact("OFFICE", "http://other/"), Contact("金老板", "udp://192.168.1.8:8081")]
    assert again.find("office") == Contact("OFFICE", "http://other/")
    assert again.find("nobody") is None
    assert again.remove("office") == "http://other/"
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(path.parent)) == ["contacts.json", "contacts.json.lock"]


def test_nobody_is_removed_who_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no contact '小李'"):
        ContactBook(str(tmp_path / "book")).remove("小李")


def test_a_link_to_the_book_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    target = tmp_path / "dotfiles" / "contacts.json"
    target.write_text('{"a": "udp://h:1"}')
    link = tmp_path / "contacts.json"
    link.symlink_to(target)
    ContactBook(str(link)).add("b", "udp://h:2")
    assert link.is_symlink()
    assert json.loads(target.read_text()) == {"a": "udp://h:1", "b": "udp://h:2"}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', "[" * 5000, '{"a": "' + "x" * MAX_BYTES + '"}', "\xff"])
def test_what_is_no_book_is_not_written_over(text: str, tmp_path: Path) -> None:
    path = tmp_path / "book"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match="is no contact book"):
        ContactBook(str(path)).add("a", "udp://h:1")
    assert path.read_bytes() == text.encode("latin-1")


def test_a_book_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        ContactBook(str(tmp_path)).all()
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        ContactBook(str(tmp_path / "file" / "book")).add("a", "udp://h:1")


def test_it_does_not_grow_without_end(tmp_path: Path) -> None:
    path = tmp_path / "book"
    path.write_text(json.dumps({f"n{i}": "udp://h:1" for i in range(MAX_CONTACTS)}))
    with pytest.raises(UsageError, match=f"there are {MAX_CONTACTS} contacts"):
        ContactBook(str(path)).add("one more", "udp://h:1")
    assert ContactBook(str(path)).add("n1", "udp://h:2") == "udp://h:1"


def _add_ten(path: str, first: int) -> None:
    for number in range(first, first + 10):
        ContactBook(path).add(f"n{number}", "udp://h:1")


def test_two_who_write_at_once_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    path = str(tmp_path / "book")
    writers = [context.Process(target=_add_ten, args=(path, first)) for first in (0, 10)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
        assert writer.exitcode == 0
    assert len(ContactBook(path).all()) == 20
