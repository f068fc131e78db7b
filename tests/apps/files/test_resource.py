"""One file in one version: its forms, their validators, and the answers made of them."""

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from portico.apps.files.opened import Folder, NotServed, OpenedFile, Reason, Version
from portico.apps.files.policy import read_policy
from portico.apps.files.resource import IDENTITY, LongAnswer, Resource, Variant, load, read_all
from portico.apps.files.root import Root
from portico.errors import Refused
from portico.http.message import Response, Span
from portico.settings import Files
from portico.wire.answer import WholeAnswer

MTIME_S = 1_700_000_000
POLICY = read_policy(Files())
TEXT = b"All work and no play makes Jack a dull boy.\n" * 100


def put(path: Path, data: bytes, mtime_s: int = MTIME_S) -> None:
    path.write_bytes(data)
    os.utime(path, (mtime_s, mtime_s))


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Root]:
    made = Root(tmp_path)
    yield made
    made.close()


def loaded(root: Root, name: bytes, *, packs: bool = True) -> Resource:
    resource = load(root, (name,), POLICY, packs=packs, wait=True)
    assert isinstance(resource, Resource)
    return resource


def plain(resource: Resource) -> Variant:
    return resource.variants[IDENTITY]


def test_a_small_file_is_kept_in_memory_a_large_one_open(tmp_path: Path, root: Root) -> None:
    for size, is_held in ((0, True), (65_536, True), (65_537, False)):
        put(tmp_path / "a.bin", bytes(size))
        resource = loaded(root, b"a.bin")
        variant = plain(resource)
        assert (variant.size, variant.body is not None, variant.source is None) == (size, is_held, is_held)
        assert resource.held_bytes == (size if is_held else 1024)
        answer = variant.whole()
        assert isinstance(answer, WholeAnswer) == is_held
        if isinstance(answer, LongAnswer):
            assert isinstance(answer.body, tuple)
            (span,) = answer.body
            assert isinstance(span, Span)
            assert (span.offset, span.length, span.source) == (0, size, variant.source)
            span.source.close()
            again = variant.whole()
            assert isinstance(again, LongAnswer)
            assert again.head is answer.head
            span.source.close()
        else:
            assert variant.whole() is answer
        resource.close()
        assert not resource.is_current


def test_a_folder_is_no_resource(tmp_path: Path, root: Root) -> None:
    assert isinstance(load(root, (), POLICY, packs=True, wait=True), Folder)


OFFERS = [
    ("a.txt", TEXT, (), True, ("zstd", "br", "gzip", IDENTITY)),
    ("a.txt", TEXT, (), False, (IDENTITY,)),
    ("a.txt", TEXT[:1023], (), True, (IDENTITY,)),
    ("a.jpg", TEXT, (), True, (IDENTITY,)),
    ("a.jpg", TEXT, (".gz",), True, ("gzip", IDENTITY)),
    ("a.jpg", TEXT, (".gz", ".zst", ".br"), False, ("zstd", "br", "gzip", IDENTITY)),
    ("a.txt.gz", TEXT, (".gz",), True, (IDENTITY,)),
]


@pytest.mark.parametrize(("name", "data", "sidecars", "packs", "offered"), OFFERS)
def test_codings_to_choose_from(
    tmp_path: Path, root: Root, name: str, data: bytes, sidecars: tuple[str, ...], packs: bool, offered: tuple[str, ...]
) -> None:
    put(tmp_path / name, data)
    for suffix in sidecars:
        put(tmp_path / (name + suffix), b"packed")
    resource = loaded(root, name.encode(), packs=packs)
    assert resource.offered == offered
    assert resource.is_negotiable == (len(offered) > 1)
    assert set(resource.sidecars) == set(offered) & set(resource.variants) - {IDENTITY}
    resource.close()


def test_tags_tell_forms_and_versions_apart(tmp_path: Path, root: Root) -> None:
    tags = set()
    for number in range(3):
        put(tmp_path / "a.css", TEXT[number:], MTIME_S + number // 2)
        for later in range(2):
            put(tmp_path / "a.css.gz", gzip.compress(TEXT[number:]), MTIME_S + 5 + later)
            resource = loaded(root, b"a.css")
            tags |= {str(variant.tag) for variant in resource.variants.values()}
            assert not any(variant.tag.is_weak for variant in resource.variants.values())
            resource.close()
    assert len(tags) == 3 + 6


def test_the_stamp_tells_whether_loading_anew_changed_anything(tmp_path: Path, root: Root) -> None:
    put(tmp_path / "a.css", TEXT)
    first = loaded(root, b"a.css").stamp()
    assert loaded(root, b"a.css").stamp() == first
    os.link(tmp_path / "a.css", tmp_path / "b.txt")
    again = loaded(root, b"a.css").stamp()
    assert loaded(root, b"b.txt").stamp() != again  # the same bytes, but of another type
    put(tmp_path / "a.css.gz", gzip.compress(TEXT))
    assert loaded(root, b"a.css").stamp() != again


def test_no_date_from_the_future(tmp_path: Path, root: Root) -> None:
    put(tmp_path / "a.txt", b"a", 1 << 33)
    variant = plain(loaded(root, b"a.txt"))
    assert variant.validators.modified_s is None
    put(tmp_path / "a.txt", b"a")
    assert plain(loaded(root, b"a.txt")).validators.modified_s == MTIME_S


def test_an_error_whose_page_it_is(tmp_path: Path, root: Root) -> None:
    put(tmp_path / "404.html", TEXT)
    answer = plain(loaded(root, b"404.html")).as_error(405, (("Allow", "GET"),))
    fields = dict(answer.fields)
    assert (answer.status, answer.body, fields["Allow"], fields["Cache-Control"]) == (405, TEXT, "GET", "no-store")
    assert not {"ETag", "Last-Modified", "Accept-Ranges"} & set(fields)


def test_ranges_of_an_open_file_share_it_once(tmp_path: Path, root: Root) -> None:
    put(tmp_path / "a.bin", bytes(100_000))
    resource = loaded(root, b"a.bin")
    for asked, count in (("bytes=0-4", 3), ("bytes=0-4,10-14", 5)):
        answer = plain(resource).ranged(asked)
        assert isinstance(answer, Response)
        assert isinstance(answer.body, tuple)
        assert (answer.status, len(answer.body)) == (206, count)
        sources = {piece.source for piece in answer.body if isinstance(piece, Span)}
        (source,) = sources
        source.close()
        assert source.fileno() >= 0  # the resource still holds it
    resource.close()
    assert source.fileno() == -1


def test_what_was_made_on_the_fly_has_no_ranges(tmp_path: Path, root: Root) -> None:
    put(tmp_path / "a.txt", TEXT)
    resource = loaded(root, b"a.txt")
    packed = Variant(resource, "gzip", "tag", gzip.compress(TEXT))
    assert packed.ranged("bytes=0-4") is packed.whole()
    assert not packed.is_stored


def test_reading_a_file_that_shrank(tmp_path: Path, root: Root) -> None:
    put(tmp_path / "a.txt", TEXT)
    file = root.open((b"a.txt",))
    assert isinstance(file, OpenedFile)
    os.truncate(tmp_path / "a.txt", 10)
    assert read_all(file) == TEXT[:10]
    with pytest.raises(BlockingIOError):
        read_all(file, wait=False)
    file.close()


class WriteOnly(Root):
    """A root whose files open but cannot be read, as on a disk that fails."""

    def open(self, segments: tuple[bytes, ...], *, wait: bool = True) -> OpenedFile | Folder:
        found = super().open(segments, wait=wait)
        if isinstance(found, OpenedFile):
            found.close()
            fd = os.open(os.path.join(self.path, *segments), os.O_WRONLY)
            return OpenedFile(fd, Version.of(os.fstat(fd)))
        return found


def test_a_file_that_cannot_be_read_is_not_served_and_closed(tmp_path: Path) -> None:
    put(tmp_path / "a.css", TEXT)
    put(tmp_path / "a.css.gz", gzip.compress(TEXT))
    root = WriteOnly(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with pytest.raises(NotServed) as raised:
            load(root, (b"a.css",), POLICY, packs=True, wait=True)
        assert raised.value.reason is Reason.UNREADABLE
    assert len(os.listdir("/proc/self/fd")) == before
    file = root.open((b"a.css",))
    assert isinstance(file, OpenedFile)
    with pytest.raises(Refused):
        read_all(file)
    file.close()
