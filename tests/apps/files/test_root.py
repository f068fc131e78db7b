import os
import resource
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.apps.files.door import Names
from portico.apps.files.opened import Folder, NoDescriptors, NotServed, OpenedFile, Reason, Version
from portico.apps.files.root import Entry, Root, is_hidden, join
from portico.errors import ConfigError, UsageError


@pytest.fixture(params=[True, False], ids=["kernel", "walk"])
def kernel(request: pytest.FixtureRequest) -> bool:
    """Both ways through the door: the kernel's, where there is one, and component by component."""
    return bool(request.param)


def plant(base: Path) -> Path:
    """Make a folder `www` with everything that has ever fooled a server, and secrets beside it."""
    www = base / "www"
    for folder in ("www/sub/deep", "www/.git", "www/.well-known/.private", "www/empty", "wwwx"):
        (base / folder).mkdir(parents=True)
    files = ("www/a.txt", "www/sub/b.txt", "www/sub/deep/c.txt", "www/.env", "www/.git/config", "www/sub/.secret")
    for name in (*files, "www/.well-known/security.txt", "www/.well-known/.private/key", "secret", "wwwx/secret"):
        (base / name).write_bytes(name.encode())
    links = {
        "link_in": "a.txt",
        "linkdir_in": "sub",
        "linkdir_in_slash": "sub/",
        "link_abs_in": f"{www}/sub/b.txt",
        "link_out": "../secret",
        "link_abs_out": f"{base}/secret",
        "linkdir_out": "../wwwx",
        "linkdir_out_slash": "../wwwx/",
        "link_sibling": f"{base}/wwwx/secret",
        "link_env": ".env",
        "linkdir_git": ".git",
        "link_abs_git": f"{www}/.git",
        "link_deep_hidden": "sub/.secret",
        "link_well_known": ".well-known/security.txt",
        "link_well_known_private": ".well-known/.private/key",
        "a.txt.gz": "../secret",
        "index.html": "../secret",
        "loop": "loop",
        "loop1": "loop2",
        "loop2": "loop1",
        "dangling": "nowhere",
        "link_null": "/dev/null",
        "link_pipe": "pipe",
        "link_fd": "/proc/self/fd/0",
        "link_root": "/",
    }
    for name, target in links.items():
        (www / name).symlink_to(target)
    os.mkfifo(www / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(www)  # the address of a socket may have 107 bytes, a temporary folder more
        listener.bind("socket")
        os.chdir(here)
    return www


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plant(tmp_path_factory.mktemp("tree"))


def segments_of(path: str) -> Names:
    return tuple(os.fsencode(path).split(b"/")) if path else ()


def look(root: Root, segments: Names) -> bytes | Reason:
    """Open a name: the content of a file, b"/" for a folder, the reason why not."""
    try:
        opened = root.open(segments)
    except NotServed as exc:
        return exc.reason
    if isinstance(opened, Folder):
        return b"/"
    buffer = bytearray(opened.size)
    count = opened.read_into(memoryview(buffer), 0)
    opened.close()
    return bytes(buffer[:count])


MISSING, HIDDEN, LINK = Reason.MISSING, Reason.HIDDEN, Reason.LINK
SPECIAL, NAME = Reason.SPECIAL, Reason.NAME
Answer = bytes | Reason

# (path, links inside, links none, links all)
PATHS: list[tuple[str, Answer, Answer, Answer]] = [
    ("", b"/", b"/", b"/"),
    ("a.txt", b"www/a.txt", b"www/a.txt", b"www/a.txt"),
    ("sub", b"/", b"/", b"/"),
    ("sub/b.txt", b"www/sub/b.txt", b"www/sub/b.txt", b"www/sub/b.txt"),
    ("sub/deep/c.txt", b"www/sub/deep/c.txt", b"www/sub/deep/c.txt", b"www/sub/deep/c.txt"),
    ("nothing", MISSING, MISSING, MISSING),
    ("nothing/at/all", MISSING, MISSING, MISSING),
    ("a.txt/", NAME, NAME, NAME),
    ("a.txt/b", MISSING, MISSING, MISSING),
    ("a.txt/.", NAME, NAME, NAME),
    ("..", NAME, NAME, NAME),
    ("../wwwx/secret", NAME, NAME, NAME),
    ("../secret", NAME, NAME, NAME),
    ("sub/../a.txt", NAME, NAME, NAME),
    (".", NAME, NAME, NAME),
    ("//etc/passwd", NAME, NAME, NAME),
    ("a.txt\0.html", NAME, NAME, NAME),
    ("x" * 256, NAME, NAME, NAME),
    ("x" * 20_000, NAME, NAME, NAME),
    ("\\..\\secret", MISSING, MISSING, MISSING),
    ("%2e%2e", MISSING, MISSING, MISSING),
    (".env", HIDDEN, HIDDEN, HIDDEN),
    (".git", HIDDEN, HIDDEN, HIDDEN),
    (".git/config", HIDDEN, HIDDEN, HIDDEN),
    ("sub/.secret", HIDDEN, HIDDEN, HIDDEN),
    (".well-known/security.txt", *(b"www/.well-known/security.txt",) * 3),
    (".well-known/.private/key", HIDDEN, HIDDEN, HIDDEN),
    (".well-knownx", HIDDEN, HIDDEN, HIDDEN),
    ("link_in", b"www/a.txt", LINK, b"www/a.txt"),
    ("linkdir_in", b"/", LINK, b"/"),
    ("linkdir_in/b.txt", b"www/sub/b.txt", LINK, b"www/sub/b.txt"),
    ("linkdir_in/.secret", HIDDEN, HIDDEN, HIDDEN),
    ("linkdir_in_slash/b.txt", b"www/sub/b.txt", LINK, b"www/sub/b.txt"),
    ("link_abs_in", b"www/sub/b.txt", LINK, b"www/sub/b.txt"),
    ("link_out", LINK, LINK, b"secret"),
    ("link_abs_out", LINK, LINK, b"secret"),
    ("linkdir_out", LINK, LINK, b"/"),
    ("linkdir_out/secret", LINK, LINK, b"wwwx/secret"),
    ("linkdir_out_slash", LINK, LINK, b"/"),
    ("linkdir_out_slash/secret", LINK, LINK, b"wwwx/secret"),
    ("link_sibling", LINK, LINK, b"wwwx/secret"),
    ("link_env", HIDDEN, LINK, HIDDEN),
    ("linkdir_git", HIDDEN, LINK, HIDDEN),
    ("linkdir_git/config", HIDDEN, LINK, HIDDEN),
    ("link_abs_git/config", HIDDEN, LINK, HIDDEN),
    ("link_deep_hidden", HIDDEN, LINK, HIDDEN),
    ("link_well_known", b"www/.well-known/security.txt", LINK, b"www/.well-known/security.txt"),
    ("link_well_known_private", HIDDEN, LINK, HIDDEN),
    ("a.txt.gz", LINK, LINK, b"secret"),
    ("index.html", LINK, LINK, b"secret"),
    ("loop", MISSING, LINK, MISSING),
    ("loop1", MISSING, LINK, MISSING),
    ("loop/a.txt", MISSING, LINK, MISSING),
    ("dangling", MISSING, LINK, MISSING),
    ("pipe", SPECIAL, SPECIAL, SPECIAL),
    ("pipe/x", MISSING, MISSING, MISSING),
    ("socket", SPECIAL, SPECIAL, SPECIAL),
    ("link_pipe", SPECIAL, LINK, SPECIAL),
    ("link_null", LINK, LINK, SPECIAL),
    ("link_root/etc/passwd", LINK, LINK, Path("/etc/passwd").read_bytes()),
]


@pytest.mark.parametrize(("path", "inside", "none", "everything"), PATHS)
def test_what_is_given_out(
    tree: Path, kernel: bool, path: str, inside: Answer, none: Answer, everything: Answer
) -> None:
    segments = segments_of(path)
    answers = {"inside": inside, "none": none, "all": everything}
    assert {links: look(Root(tree, links=links, kernel=kernel), segments) for links in answers} == answers


@pytest.mark.parametrize("path", ["link_fd", "link_out", "a.txt.gz", "dangling", "pipe"])
def test_a_refusal_is_one_line_that_names_the_path(tree: Path, kernel: bool, path: str) -> None:
    with pytest.raises(NotServed) as caught:
        Root(tree, kernel=kernel).open((os.fsencode(path),))
    assert f"'/{path}'" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(tree) not in str(caught.value)


@pytest.mark.parametrize("path", [".env", ".git/config", "sub/.secret", "link_env", "linkdir_git/config"])
def test_hidden_names_can_be_shown(tree: Path, kernel: bool, path: str) -> None:
    answer = look(Root(tree, hidden=True, kernel=kernel), segments_of(path))
    assert isinstance(answer, bytes)
    assert answer.startswith(b"www/")


NAMES = [
    *("", ".", "..", "a.txt", "sub", "b.txt", "deep", "c.txt", ".git", "config", ".well-known", "security.txt"),
    *(
        "link_in",
        "linkdir_in",
        "link_abs_in",
        "link_out",
        "linkdir_out",
        "secret",
        "wwwx",
        "link_sibling",
        "linkdir_git",
    ),
    *("loop", "dangling", "pipe", "link_root", "etc", "passwd", "a\0b", "/etc/passwd", "../secret", "sub/b.txt"),
]


@given(st.lists(st.sampled_from(NAMES) | st.text(st.characters(codec="utf-8"), max_size=5), max_size=6), st.booleans())
def test_any_segments_give_what_realpath_says(tree: Path, path: list[str], kernel: bool) -> None:
    segments = tuple(os.fsencode(part) for part in path)
    answer = look(Root(tree, kernel=kernel), segments)
    if any(part in ("", ".", "..") or "/" in part or "\0" in part for part in path):
        assert answer in (NAME, HIDDEN)
        return
    real = os.path.realpath(os.path.join(tree, *path))
    names = os.path.relpath(real, os.path.realpath(tree)).split("/")
    inside = names[0] != ".." and not any(part[:1] == "." and part not in (".", ".well-known") for part in names)
    if any(part[:1] == "." and part != ".well-known" for part in path) or not inside:
        assert isinstance(answer, Reason)
    elif os.path.isdir(real):
        assert answer == b"/"
    elif os.path.isfile(real):
        assert answer == Path(real).read_bytes()
    else:
        assert isinstance(answer, Reason)


PIECES = ["..", ".", "", "a.txt", "sub", "deep", "www", "wwwx", "secret", "linkdir_in", "linkdir_out", "link_root"]


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8), st.sampled_from(["", "/", "ROOT/", "BASE/"]))
def test_no_link_leads_out(tree: Path, pieces: list[str], start: str) -> None:
    inside = {status.st_ino for status in map(os.lstat, [tree, *tree.rglob("*")])}
    target = start.replace("ROOT", str(tree)).replace("BASE", str(tree.parent)) + "/".join(pieces)
    link = tree / "drawn"
    link.symlink_to(target or ".")
    try:
        for kernel in (True, False):
            for segments in ((b"drawn",), (b"drawn", b"secret"), (b"drawn", b"b.txt")):
                try:
                    opened = Root(tree, kernel=kernel).open(segments)
                except NotServed:
                    continue
                assert opened.version.inode in inside
                if isinstance(opened, OpenedFile):
                    opened.close()
    finally:
        link.unlink()


@pytest.mark.parametrize("links", ["inside", "none", "all"])
def test_nothing_stays_open(tree: Path, kernel: bool, links: str) -> None:
    root = Root(tree, links=links, kernel=kernel)
    before = sorted(os.listdir("/dev/fd"))
    for path, *_ in PATHS:
        look(root, segments_of(path))
    list(root.scan(()))
    next(iter(root.scan(())))
    root.scan(())
    assert sorted(os.listdir("/dev/fd")) == before


# What the folder itself goes through.


def test_a_swapped_link_is_noticed(tmp_path: Path, kernel: bool) -> None:
    for number in (1, 2):
        (tmp_path / f"release{number}").mkdir()
        (tmp_path / f"release{number}" / "a").write_bytes(b"%d" % number)
    current = tmp_path / "current"
    current.symlink_to("release1")
    root = Root(current, kernel=kernel)
    before = root.version(b"a")
    running = root.open((b"a",))
    assert look(root, (b"a",)) == b"1"
    (tmp_path / "next").symlink_to("release2")
    (tmp_path / "next").replace(current)
    assert root.version(b"a") not in (None, before)
    assert look(root, (b"a",)) == b"2"
    assert isinstance(running, OpenedFile)
    buffer = bytearray(1)
    running.read_into(memoryview(buffer), 0)
    running.close()
    assert buffer == b"1"
    (current / "b").write_bytes(b"")
    assert {entry.name for entry in root.scan(())} == {b"a", b"b"}


def test_a_folder_may_go_and_come_back(tmp_path: Path, kernel: bool) -> None:
    www = tmp_path / "www"
    www.mkdir()
    (www / "a").write_bytes(b"old")
    root = Root(www, kernel=kernel)
    (www / "a").unlink()
    www.rmdir()
    assert look(root, ()) is MISSING
    assert look(root, (b"a",)) is MISSING
    assert root.version(b"a") is None
    with pytest.raises(NotServed):
        root.scan(())
    www.mkdir()
    (www / "a").write_bytes(b"new")
    assert look(root, (b"a",)) == b"new"


def test_a_file_moved_away_stays_readable_and_a_new_one_is_seen(tmp_path: Path, kernel: bool) -> None:
    (tmp_path / "a").write_bytes(b"old")
    root = Root(tmp_path, kernel=kernel)
    opened = root.open((b"a",))
    assert isinstance(opened, OpenedFile)
    assert root.version(join((b"a",))) == opened.version
    (tmp_path / "b").write_bytes(b"new")
    (tmp_path / "b").replace(tmp_path / "a")
    assert root.version(b"a") != opened.version
    buffer = bytearray(3)
    opened.read_into(memoryview(buffer), 0)
    opened.close()
    assert buffer == b"old"
    assert look(root, (b"a",)) == b"new"


def test_relative_paths_count_from_the_folder_of_the_start(tree: Path) -> None:
    here = os.getcwd()
    os.chdir(tree.parent)
    try:
        root = Root("www")
    finally:
        os.chdir(here)
    assert look(root, (b"a.txt",)) == b"www/a.txt"
    assert root.version(b"a.txt") is not None


def test_a_closed_root_says_so(tree: Path) -> None:
    root = Root(tree)
    root.close()
    root.close()
    with pytest.raises(UsageError, match="closed"):
        root.open((b"a.txt",))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere", "No such file or directory; give a folder"),
        ("a.txt", "Not a directory; give a folder"),
        ("loop", "give a folder"),
        ("x" * 300, "File name too long"),
        ("a\0b", "null"),
    ],
)
def test_folders_that_cannot_be_served(tree: Path, kernel: bool, path: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        Root(f"{tree}/{path}", kernel=kernel)
    assert "\n" not in str(caught.value)


def test_a_policy_that_is_none() -> None:
    with pytest.raises(UsageError, match="links='some' is not one of inside, none, all"):
        Root(".", links="some")


# A single file.


@pytest.mark.parametrize(
    ("path", "name", "content"),
    [
        ("a.txt", b"a.txt", b"www/a.txt"),
        (".env", b".env", b"www/.env"),
        ("link_in", b"link_in", b"www/a.txt"),
        ("link_out", b"link_out", b"secret"),
    ],
)
def test_one_file_alone(tree: Path, kernel: bool, path: str, name: bytes, content: bytes) -> None:
    root = Root.for_file(tree / path, kernel=kernel)
    assert look(root, (name,)) == content
    assert look(root, ()) == b"/"
    for segments in ((b"sub",), (b"sub", b"b.txt"), (name, b"x"), (b"linkdir_in",), (b".git",)):
        assert look(root, segments) is MISSING
        with pytest.raises(NotServed):
            list(root.scan(segments))
    assert look(root, (b"..", b"secret")) is NAME
    entries = list(root.scan(()))
    assert [(entry.name, entry.kind, entry.size, entry.is_served) for entry in entries] == [
        (name, "file", len(content), True)
    ]
    assert list(root.scan((name,))) == []


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere", "nothing is there"),
        ("nowhere/a", "No such file"),
        ("sub", "it is a folder"),
        ("pipe", "neither a regular file nor a folder"),
        ("sub/", "not a possible file name"),
    ],
)
def test_files_that_cannot_be_served(tree: Path, kernel: bool, path: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Root.for_file(f"{tree}/{path}", kernel=kernel)


# Waiting.


def test_opening_without_waiting(tree: Path) -> None:
    root = Root(tree)
    root.version(b"a.txt")  # so that the kernel has the name in memory
    for segments in ((b"a.txt",), (b"link_in",)):
        try:
            opened = root.open(segments, wait=False)
        except BlockingIOError:
            opened = root.open(segments)
        assert isinstance(opened, OpenedFile)
        assert opened.size == len("www/a.txt")
        opened.close()


@pytest.mark.parametrize("path", ["link_in", "linkdir_in/b.txt", "loop"])
def test_links_and_walks_may_wait(tree: Path, kernel: bool, path: str) -> None:
    root = Root(tree, kernel=kernel)
    with pytest.raises(BlockingIOError):
        root.open(segments_of(path), wait=False)


# Listing.


def row(entry: Entry) -> tuple[str, str, bool, bool]:
    return entry.name.decode(), entry.kind, entry.is_link, entry.is_served


def test_a_listing_is_what_open_would_say(tree: Path, kernel: bool) -> None:
    for links in ("inside", "none", "all"):
        root = Root(tree, links=links, kernel=kernel)
        entries = list(root.scan(()))
        assert {entry.name for entry in entries} == {
            os.fsencode(name) for name in os.listdir(tree) if name[0] != "." or name == ".well-known"
        }
        for entry in entries:
            answer = look(root, (entry.name,))
            assert entry.is_served == isinstance(answer, bytes)
            assert entry.is_link == (tree / os.fsdecode(entry.name)).is_symlink()
            if entry.is_served:
                assert entry.kind == ("folder" if answer == b"/" else "file")


def test_rows_that_are_odd(tree: Path, kernel: bool) -> None:
    rows = {row(entry) for entry in Root(tree, kernel=kernel).scan(())}
    assert rows >= {
        ("a.txt", "file", False, True),
        ("sub", "folder", False, True),
        (".well-known", "folder", False, True),
        ("pipe", "other", False, False),
        ("socket", "other", False, False),
        ("loop", "broken", True, False),
        ("dangling", "broken", True, False),
        ("link_in", "file", True, True),
        ("linkdir_in", "folder", True, True),
        ("link_out", "other", True, False),
        ("linkdir_git", "other", True, False),
        ("link_pipe", "other", True, False),
    }


def test_a_row_tells_size_and_time(tmp_path: Path, kernel: bool) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "b").mkdir()
    (tmp_path / "c").symlink_to("a")
    for name in ("a", "b"):
        os.utime(tmp_path / name, ns=(0, 1_500_000_000_999_999_999))
    assert sorted(Root(tmp_path, kernel=kernel).scan(())) == [
        Entry(b"a", "file", 5, 1_500_000_000, False, True),
        Entry(b"b", "folder", None, 1_500_000_000, False, True),
        Entry(b"c", "file", 5, 1_500_000_000, True, True),
    ]


@pytest.mark.parametrize("hidden", [True, False])
def test_hidden_rows(tree: Path, hidden: bool) -> None:
    names = {entry.name for entry in Root(tree, hidden=hidden).scan((b"sub",))}
    assert (b".secret" in names) is hidden


@pytest.mark.parametrize(
    ("path", "reason"),
    [("a.txt", MISSING), ("nothing", MISSING), (".git", HIDDEN), ("linkdir_git", HIDDEN), ("linkdir_out", LINK)],
)
def test_what_cannot_be_listed(tree: Path, kernel: bool, path: str, reason: Reason) -> None:
    with pytest.raises(NotServed) as caught:
        Root(tree, kernel=kernel).scan(segments_of(path))
    assert caught.value.reason is reason


def test_a_listing_streams(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"f{number}").touch()
    rows = iter(Root(tmp_path).scan(()))
    first = next(rows)
    for number in range(300):
        (tmp_path / f"f{number}").unlink()
    rest = list(rows)
    # Gone after the scan began: rows without a size, or no rows at all, but never an error.
    assert first.is_served
    assert all(row(entry)[1:] == ("broken", False, False) for entry in rest)


@given(st.binary(min_size=1, max_size=255).filter(lambda name: not {0, 47} & set(name) and name not in (b".", b"..")))
def test_any_name_goes_from_the_listing_to_the_file(names_folder: Path, name: bytes) -> None:
    path = os.path.join(os.fsencode(names_folder), name)
    try:
        fd = os.open(path, os.O_CREAT | os.O_WRONLY)
    except OSError:
        return  # this file system has no such names
    os.close(fd)
    try:
        for kernel in (True, False):
            root = Root(names_folder, hidden=True, kernel=kernel)
            (entry,) = root.scan(())
            assert entry == Entry(name, "file", 0, entry.mtime_s, False, True)
            assert look(root, (entry.name,)) == b""
            assert root.version(join((entry.name,))) is not None
    finally:
        os.unlink(path)


@pytest.fixture(scope="module")
def names_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("names")


@pytest.mark.parametrize(
    ("name", "expected"),
    [(b".env", True), (b".well-known", False), (b".well-knownx", True), (b"a.b", False), (b"...", True)],
)
def test_is_hidden(name: bytes, expected: bool) -> None:
    assert is_hidden((name,)) is expected
    assert is_hidden((b"sub", name, b"x")) is expected
    assert not is_hidden(())


# What the machine does to us.


@pytest.mark.parametrize("mtime_s", [-1, 0, 1 << 31, 1 << 40])
def test_odd_times(tmp_path: Path, kernel: bool, mtime_s: int) -> None:
    (tmp_path / "a").write_bytes(b"a")
    os.utime(tmp_path / "a", (mtime_s, mtime_s))
    kept = os.stat(tmp_path / "a").st_mtime_ns // 10**9  # a file system may have fewer years
    root = Root(tmp_path, kernel=kernel)
    opened = root.open((b"a",))
    assert isinstance(opened, OpenedFile)
    opened.close()
    assert opened.mtime_s == kept
    assert [entry.mtime_s for entry in root.scan(())] == [kept]


def test_the_largest_sparse_file(tmp_path: Path, kernel: bool) -> None:
    size = (1 << 63) - 1
    (tmp_path / "a").touch()
    while True:
        try:
            os.truncate(tmp_path / "a", size)
            break
        except OSError:
            size >>= 1
    root = Root(tmp_path, kernel=kernel)
    opened = root.open((b"a",))
    assert isinstance(opened, OpenedFile)
    assert opened.size == size > 1 << 40
    buffer = bytearray(b"xxxx")
    assert opened.read_into(memoryview(buffer), size - 2) == 2
    assert buffer == b"\0\0xx"
    opened.close()
    assert [entry.size for entry in root.scan(())] == [size]


@pytest.fixture
def exhausted() -> Iterator[None]:
    """While it lasts, no descriptor can be opened."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_without_descriptors_later_may_be_better(tree: Path, kernel: bool, exhausted: None) -> None:
    root = Root(tree, kernel=kernel)
    rows = root.scan(())
    sub = (b"sub", b"b.txt")
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    for attempt in (root.open, root.scan):
        with pytest.raises(NoDescriptors, match=r"'/sub/b\.txt' cannot be opened now"):
            attempt(sub)
    with pytest.raises(NoDescriptors):
        next(rows)


def test_links_in_a_listing_without_descriptors(tmp_path: Path, exhausted: None) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("c")
    (tmp_path / "c").touch()
    rows = Root(tmp_path).scan(())
    next(rows)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    assert any(entry.kind == "other" and entry.is_link and not entry.is_served for entry in rows)


@pytest.fixture
def guarded() -> Iterator[Path]:
    """A folder of an ordinary user with things they may not read: a superuser gives up the right to."""
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        for file, mode in (("open", 0o644), ("ours", 0o640), ("closed", 0o000)):
            Path(name, file).write_bytes(b"x")
            os.chmod(Path(name, file), mode)
        for folder, mode in (("folder", 0o755), ("locked", 0o000)):
            Path(name, folder).mkdir()
            os.chmod(Path(name, folder), mode)
        if user == 0:
            os.chown(Path(name, "ours"), 65534, 65534)
            os.seteuid(65534)
        try:
            yield Path(name)
        finally:
            os.seteuid(user)
            os.chmod(Path(name, "locked"), stat.S_IRWXU)


def test_what_may_not_be_read_is_greyed_and_refused(guarded: Path, kernel: bool) -> None:
    root = Root(guarded, kernel=kernel)
    assert {entry.name: entry.is_served for entry in root.scan(())} == {
        b"open": True,
        b"ours": True,
        b"closed": False,
        b"folder": True,
        b"locked": False,
    }
    for name in (b"closed", b"locked"):
        assert look(root, (name,)) is Reason.UNREADABLE
    with pytest.raises(ConfigError, match="Permission denied"):
        Root(guarded / "locked", kernel=kernel)


def test_version_is_what_open_says(tree: Path, kernel: bool) -> None:
    root = Root(tree, kernel=kernel)
    for path in ("a.txt", "sub", "link_in", "linkdir_in/b.txt", ""):
        segments = segments_of(path)
        opened = root.open(segments)
        assert isinstance(opened.version, Version)
        assert root.version(join(segments)) == opened.version
        if isinstance(opened, OpenedFile):
            opened.close()
    for name in (b"nothing", b"a\0b", b"x" * 5000, b"a.txt/b"):
        assert root.version(name) is None
