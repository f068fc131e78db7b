"""Where paths lead with one root, with one file, and with several."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from portico.apps.files.mounts import Mounts, Place
from portico.apps.files.root import Entry, Root
from portico.errors import UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Root]:
    (tmp_path / "a.txt").write_bytes(b"a")
    root = Root(tmp_path)
    yield root
    root.close()


@pytest.fixture
def file(folder: Root) -> Iterator[Root]:
    root = Root.for_file(folder.path + b"/a.txt")
    yield root
    root.close()


def test_one_root_takes_every_path(folder: Root) -> None:
    mounts = Mounts({"": folder})
    for segments in ((), (b"x",), (b"x", b"y")):
        assert mounts.place(segments) == Place(folder, segments)
    assert mounts.single_file is None
    assert mounts.top() == []


def test_one_file(file: Root) -> None:
    mounts = Mounts({"": file})
    assert mounts.single_file == b"a.txt"
    assert mounts.place((b"a.txt",)) == Place(file, (b"a.txt",))


PLACES = [((), None), ((b"none",), None), ((b"none", b"left"), None), ((b"talk", b"x"), None)]


@pytest.mark.parametrize(("segments", "place"), PLACES)
def test_where_nothing_is(folder: Root, file: Root, segments: tuple[bytes, ...], place: None) -> None:
    assert Mounts({"left": folder, "talk": file}).place(segments) is place


def test_several_roots(folder: Root, file: Root) -> None:
    mounts = Mounts({"left": folder, "späť": folder, "talk": file, "\udcff": folder})
    assert mounts.single_file is None
    assert mounts.place((b"left",)) == Place(folder, ())
    assert mounts.place((b"left", b"x", b"y")) == Place(folder, (b"x", b"y"))
    assert mounts.place(("späť".encode(), b"x")) == Place(folder, (b"x",))
    assert mounts.place((b"\xff",)) == Place(folder, ())
    assert mounts.place((b"talk",)) == Place(file, (b"a.txt",))
    kinds = [(b"left", "folder"), ("späť".encode(), "folder"), (b"talk", "file"), (b"\xff", "folder")]
    assert [entry[:2] for entry in mounts.top()] == kinds
    assert all(isinstance(entry, Entry) and entry.is_served for entry in mounts.top())


def test_close_closes_every_root(tmp_path: Path) -> None:
    roots = [Root(tmp_path), Root(tmp_path)]
    Mounts({"a": roots[0], "b": roots[1]}).close()
    for root in roots:
        with pytest.raises(UsageError):
            root.open(())
