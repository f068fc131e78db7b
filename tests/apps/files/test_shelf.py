"""The entries of a folder in order."""

from collections.abc import Iterator
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portico.apps.files.root import Entry, Kind
from portico.apps.files.shelf import SORTS, EntryLike, Shelf, natural_key


def entry(name: str, kind: Kind = "file", size: int | None = 1, mtime_s: int | None = 0) -> Entry:
    return Entry(name.encode(), kind, size, mtime_s, False, True)


def ordered(sort: str, entries: list[Entry]) -> list[str]:
    shelf = Shelf(sort)
    for _ in shelf.fill(entries):
        pass
    return [item.name.decode() for item in chain(*shelf.batches())]


@pytest.mark.parametrize(
    "names",
    [
        ["2", "10"],
        ["a2", "A10", "a11"],
        ["0", "1", "007", "8"],
        ["a", "B", "c"],
        ["A", "a"],
        ["file", "file.txt", "file1", "file 2"],
        ["1.2.9", "1.2.10", "1.10.1"],
        ["9" * 200 + "a", "9" * 201],
        ["9z", "a"],
        ["straße 1", "STRASSE 2"],
        [],
    ],
)
def test_names_go_in_natural_order(names: list[str]) -> None:
    expected = sorted(names, key=lambda name: natural_key(entry(name)))
    assert ordered("name", [entry(name) for name in reversed(names)]) == expected
    assert ordered("-name", [entry(name) for name in names]) == expected[::-1]


@pytest.mark.parametrize(
    ("less", "more"), [("2", "10"), ("a2", "A10"), ("007", "8"), ("9z", "a"), ("A", "a"), ("B", "c"), ("a", "a1")]
)
def test_one_name_sorts_before_another(less: str, more: str) -> None:
    assert natural_key(entry(less)) < natural_key(entry(more))


FOLDER = [
    entry("z", "folder", None, 50),
    entry("y", "folder", 4096, 10),
    entry("a", size=5, mtime_s=30),
    entry("b", size=500, mtime_s=20),
    entry("c", size=5, mtime_s=None),
    entry("d", "broken", None, None),
]


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("name", "yzabcd"),
        ("-name", "zydcba"),
        ("size", "yzdacb"),
        ("-size", "yzbacd"),
        ("modified", "yzcdba"),
        ("-modified", "zyabcd"),
    ],
)
def test_each_order_keeps_folders_first(sort: str, names: str) -> None:
    assert "".join(ordered(sort, FOLDER)) == names
    assert "".join(ordered(sort, FOLDER[::-1])) == names


NAMES = st.text(st.sampled_from("aB10 ."), min_size=1, max_size=4)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(SORTS), st.lists(st.tuples(NAMES, st.booleans(), st.integers(0, 3)), max_size=30))
def test_merged_runs_equal_one_sort(sort: str, rows: list[tuple[str, bool, int]]) -> None:
    few = [entry(name, "folder" if is_folder else "file", size, size) for name, is_folder, size in rows]
    many = [item for item in few for _ in range(5000 // len(few))] if few else []
    doubled = ordered(sort, many)
    assert doubled[:: max(1, len(many) // max(1, len(few)))] == ordered(sort, few)


def test_every_step_is_small() -> None:
    asked = 0

    def source() -> Iterator[EntryLike]:
        nonlocal asked
        for number in range(5000):
            asked += 1
            yield entry(str(number))

    shelf = Shelf("name")
    assert asked == 0
    seen = 0
    for _ in shelf.fill(source()):
        assert 0 < asked - seen <= 512
        seen = asked
    assert max(map(len, shelf.batches())) <= 512


@pytest.mark.parametrize(
    ("entries", "en", "zh"),
    [
        ([], "", ""),
        ([entry("a", "folder")], "1 folder", "1 个文件夹"),
        ([entry("a", size=999)], "1 file, 999 B", "1 个文件\uff0c共 999 B"),
        (
            [*FOLDER, Entry(b"x", "file", 7, 1, False, False)],
            "2 folders, 5 files, 517 B, 1 not served",
            "2 个文件夹\uff0c5 个文件\uff0c共 517 B\uff0c1 项不提供访问",
        ),
    ],
)
def test_the_summary_counts(entries: list[Entry], en: str, zh: str) -> None:
    shelf = Shelf("name")
    for _ in shelf.fill(entries):
        pass
    assert shelf.summary("en") == en
    assert shelf.summary("zh") == zh
