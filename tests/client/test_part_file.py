"""A part stays a part until it is whole, and what is noted of it is believed only where it makes sense."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.client.part_file import Notes, PartFile, Piece, loads_notes
from portico.errors import ConfigError, Refused

NOTES = Notes("http://h/a", '"1"', 100, [Piece(0, 60, 60), Piece(60, 40, 5)])


@pytest.mark.parametrize("notes", [NOTES, Notes("http://h/", '"x"', None), Notes("http://h/", '"x"', 0)])
def test_notes_are_read_as_they_were_written(notes: Notes) -> None:
    assert loads_notes(notes.dumps()) == notes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"url": 1, "validator": "", "size": 1, "pieces": []}',
        '{"url": "", "validator": null, "size": 1, "pieces": []}',
        '{"url": "", "validator": "", "size": -1, "pieces": []}',
        '{"url": "", "validator": "", "size": "1", "pieces": []}',
        '{"url": "", "validator": "", "size": 10, "pieces": 5}',
        '{"url": "", "validator": "", "size": 10, "pieces": [[0]]}',
        '{"url": "", "validator": "", "size": 10, "pieces": [[0, 10, 11]]}',
        '{"url": "", "validator": "", "size": 10, "pieces": [[0, 10, true]]}',
        '{"url": "", "validator": "", "size": 10, "pieces": [[0, 5, 5]]}',
        '{"url": "", "validator": "", "size": 10, "pieces": [[0, 5, 5], [6, 5, 5]]}',
        '{"url": "", "validator": "", "size": null, "pieces": [[0, 5, 5]]}',
    ],
)
def test_notes_that_make_no_sense_are_none(text: str) -> None:
    assert loads_notes(text) is None


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_any_text_is_notes_or_none(text: str) -> None:
    assert loads_notes(text) is None


@pytest.mark.parametrize(("done", "is_whole"), [(0, False), (4, False), (5, True)])
def test_pieces(done: int, is_whole: bool) -> None:
    assert Piece(3, 5, done).is_whole is is_whole


@pytest.fixture
def part(tmp_path: Path) -> PartFile:
    return PartFile(str(tmp_path / "a.bin"))


def names(part: PartFile) -> list[str]:
    return sorted(os.listdir(os.path.dirname(part.path)))


def test_a_part_that_is_whole_becomes_the_file(part: PartFile) -> None:
    part.open()
    part.write_notes(NOTES)
    os.write(part.fd, b"whole")
    assert names(part) == ["a.bin.part", "a.bin.part.json"]
    assert part.held() == 5
    part.finish(replace=False)
    assert names(part) == ["a.bin"]
    assert Path(part.path).read_bytes() == b"whole"
    assert part.fd == -1
    part.close()


def test_a_part_is_kept_with_its_notes(part: PartFile) -> None:
    part.open()
    assert part.read_notes() is None
    part.write_notes(NOTES)
    os.write(part.fd, b"abc")
    part.close()
    part.open()
    assert part.read_notes() == NOTES
    assert os.stat(f"{part.path}.part.json").st_mode & 0o777 == 0o600
    assert part.held() == 3
    part.empty()
    assert part.held() == 0
    assert part.read_notes() is None
    part.discard()
    assert names(part) == []


def test_notes_in_another_encoding_are_none(part: PartFile) -> None:
    Path(f"{part.path}.part.json").write_bytes(b"\xff\xfe")
    assert part.read_notes() is None


def test_a_file_that_appeared_is_not_replaced_unless_asked(part: PartFile) -> None:
    part.open()
    os.write(part.fd, b"new")
    Path(part.path).write_bytes(b"old")
    with pytest.raises(Refused, match=r"has appeared meanwhile; what was fetched is in .*a.bin.part"):
        part.finish(replace=False)
    assert Path(part.path).read_bytes() == b"old"
    part.open()
    part.finish(replace=True)
    assert Path(part.path).read_bytes() == b"new"


def test_two_downloads_do_not_write_to_one_part(part: PartFile) -> None:
    part.open()
    second = PartFile(part.path)
    with pytest.raises(Refused, match="another download writes"):
        second.open()
    part.discard()
    second.open()
    second.discard()


def test_room_is_made(part: PartFile) -> None:
    part.open()
    part.make_room(0)
    assert part.held() == 0
    part.make_room(5000)
    assert part.held() == 5000
    with pytest.raises(Refused, match="there is no room for 4611686018427387904 bytes"):
        part.make_room(1 << 62)
    assert part.held() == 5000
    part.discard()


def test_a_link_in_the_place_of_the_part_is_not_followed(part: PartFile, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    Path(part.part).symlink_to(tmp_path / "precious")
    with pytest.raises(ConfigError, match=r"cannot write .*a.bin.part: "):
        part.open()
    assert (tmp_path / "precious").read_text() == "x"


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    part = PartFile(str(tmp_path / "missing" / "a"))
    with pytest.raises(ConfigError, match=r"cannot write .*/missing/a.part: No such file or directory"):
        part.open()
    with pytest.raises(ConfigError, match=r"cannot write .*/missing/a.part.json: No such file or directory"):
        part.write_notes(NOTES)


def test_a_pipe_in_the_place_of_the_part_or_its_notes_is_not_waited_for(part: PartFile) -> None:
    os.mkfifo(part.part)
    with pytest.raises(ConfigError, match=r"a.bin.part: it is a pipe or a device; remove it"):
        part.open()
    assert part.fd == -1
    os.mkfifo(f"{part.part}.json")
    assert part.read_notes() is None


def test_folders_in_the_way_are_named(part: PartFile) -> None:
    part.open()
    os.mkdir(f"{part.part}.json")
    with pytest.raises(ConfigError, match=r"cannot write .*a.bin.part.json: Is a directory"):
        part.empty()
    os.mkdir(part.path)
    with pytest.raises(ConfigError, match=r"cannot write .*a.bin: Is a directory; what was fetched is in .*a.bin.part"):
        part.finish(replace=True)
    part.close()


def test_a_part_opened_again_has_a_place_of_its_own(part: PartFile) -> None:
    part.open()
    os.write(part.fd, b"abcd")
    fd = part.open_again()
    os.write(fd, b"AB")
    os.close(fd)
    assert Path(part.part).read_bytes() == b"ABcd"
    part.discard()
    with pytest.raises(ConfigError, match=r"cannot write .*a.bin.part: No such file"):
        part.open_again()
