import errno
import os
import platform
from pathlib import Path

import pytest

from portico.apps.files.door import MAX_HOPS, Anchor, Descriptor, Found, Names, Opener, kernel_opener, walk


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder `www` with links of every kind, and things beside it that must stay out of reach."""
    www = tmp_path / "www"
    (www / "sub" / "deep").mkdir(parents=True)
    (www / "a").write_bytes(b"a")
    (www / "sub" / "b").write_bytes(b"b")
    (www / "sub" / "deep" / "c").write_bytes(b"c")
    (tmp_path / "wwwx").mkdir()
    (tmp_path / "wwwx" / "secret").write_bytes(b"secret")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "back").symlink_to(www)
    links = {
        "to_a": "a",
        "to_sub": "sub",
        "sub/up": "../a",
        "sub/deep/up2": "../../sub/b",
        "sub/deep/roundabout": "../../sub/../sub/./deep/../b",
        "slash": "sub/",
        "slashed_file": "a/",
        "dot": ".",
        "dots": "sub/..",
        "abs_in": str(www / "sub" / "b"),
        "abs_root": str(www),
        "abs_root_slash": f"{www}/",
        "abs_dots": f"{www}/sub/../a",
        "abs_out": str(tmp_path / "secret"),
        "abs_sibling": str(tmp_path / "wwwx" / "secret"),
        "abs_escape": f"{www}/../secret",
        "slash_root": "/",
        "above_slash": "/../..",
        "rel_out": "../secret",
        "rel_sibling": "../wwwx/secret",
        "rel_back": "../www/a",
        "rel_back2": f"../../{tmp_path.name}/www/a",
        "over_back": "../back/a",
        "out_and_up": f"{tmp_path}/wwwx/../secret",
        "dangling": "nowhere",
        "loop": "loop",
        "chain": "to_to_a",
        "to_to_a": "to_a",
    }
    for name, target in links.items():
        (www / name).symlink_to(target)
    return www


def names_of(path: str) -> Names:
    return tuple(path.encode().split(b"/")) if path else ()


def outcome(tree: Path, path: str, links: str) -> bytes | str:
    """What `path` leads to: its resolved names (or "outside"), or the name of the error."""
    try:
        found = walk(Anchor.of(os.fsencode(tree)), names_of(path), links)
    except OSError as exc:
        return errno.errorcode[exc.errno or 0]
    os.close(found.fd)
    return "outside" if found.names is None else b"/".join(found.names)


# (path, links inside, links all); links "none" refuses each path whose two answers differ from the path itself.
WALKS: list[tuple[str, bytes | str, bytes | str]] = [
    ("", b"", b""),
    ("a", b"a", b"a"),
    ("sub", b"sub", b"sub"),
    ("sub/deep/c", b"sub/deep/c", b"sub/deep/c"),
    ("nothing", "ENOENT", "ENOENT"),
    ("a/b", "ENOTDIR", "ENOTDIR"),
    ("to_a", b"a", b"a"),
    ("to_a/b", "ENOTDIR", "ENOTDIR"),
    ("to_sub", b"sub", b"sub"),
    ("to_sub/b", b"sub/b", b"sub/b"),
    ("sub/up", b"a", b"a"),
    ("to_sub/up", b"a", b"a"),
    ("sub/deep/up2", b"sub/b", b"sub/b"),
    ("sub/deep/roundabout", b"sub/b", b"sub/b"),
    ("slash", b"sub", b"sub"),
    ("slash/b", b"sub/b", b"sub/b"),
    ("slashed_file", "ENOTDIR", "ENOTDIR"),
    ("dot", b"", b""),
    ("dot/dot/a", b"a", b"a"),
    ("dots", b"", b""),
    ("dots/a", b"a", b"a"),
    ("abs_in", b"sub/b", b"sub/b"),
    ("abs_root", b"", b""),
    ("abs_root_slash/a", b"a", b"a"),
    ("abs_dots", b"a", b"a"),
    ("abs_out", "EXDEV", "outside"),
    ("abs_sibling", "EXDEV", "outside"),
    ("abs_escape", "EXDEV", "outside"),
    ("slash_root", "EXDEV", "outside"),
    ("above_slash", "EXDEV", "outside"),
    ("rel_out", "EXDEV", "outside"),
    ("rel_sibling", "EXDEV", "outside"),
    ("rel_back", b"a", b"a"),
    ("rel_back2", b"a", b"a"),
    ("over_back", "EXDEV", b"a"),
    ("out_and_up", "EXDEV", "outside"),
    ("dangling", "ENOENT", "ENOENT"),
    ("loop", "ELOOP", "ELOOP"),
    ("chain", b"a", b"a"),
]


@pytest.mark.parametrize(("path", "inside", "everywhere"), WALKS)
def test_where_a_walk_ends(tree: Path, path: str, inside: bytes | str, everywhere: bytes | str) -> None:
    assert outcome(tree, path, "inside") == inside
    assert outcome(tree, path, "all") == everywhere


@pytest.mark.parametrize(("path", "inside", "everywhere"), WALKS)
def test_a_walk_without_links_ends_where_it_says_or_not_at_all(
    tree: Path, path: str, inside: bytes | str, everywhere: bytes | str
) -> None:
    plain = [path.encode(), "ENOENT", "ENOTDIR"]
    has_link = any((tree / path).parents[i].is_symlink() for i in range(2)) or (tree / path).is_symlink()
    assert outcome(tree, path, "none") == ("EXDEV" if has_link else inside)
    assert has_link or inside in plain


def test_all_links_lead_back_by_name_too(tree: Path) -> None:
    (tree.parent / "wwwx" / "home").symlink_to("../www/sub/deep")
    (tree / "far").symlink_to(tree.parent / "wwwx")
    assert outcome(tree, "far/home/c", "all") == b"sub/deep/c"
    assert outcome(tree, "far/home/c", "inside") == "EXDEV"


def test_links_may_name_the_folder_by_a_link_to_it(tree: Path) -> None:
    (tree / "by_link").symlink_to(tree.parent / "back" / "a")
    found = walk(Anchor.of(os.fsencode(tree.parent / "back")), (b"by_link",), "inside")
    os.close(found.fd)
    assert found.names == (b"a",)


@pytest.mark.parametrize(("hops", "expected"), [(MAX_HOPS, b"a"), (MAX_HOPS + 1, "ELOOP")])
def test_so_many_links_and_no_more(tree: Path, hops: int, expected: bytes | str) -> None:
    (tree / "hop1").symlink_to("a")
    for number in range(2, hops + 1):
        (tree / f"hop{number}").symlink_to(f"hop{number - 1}")
    assert outcome(tree, f"hop{hops}", "inside") == expected


def test_long_targets_end_too(tree: Path) -> None:
    for name, target in (("x", "y"), ("y", "z"), ("z", "a")):
        (tree / name).symlink_to("./" * 2000 + target)
    assert outcome(tree, "z", "inside") == b"a"
    assert outcome(tree, "x", "inside") == "ELOOP"


def test_the_root_of_everything_can_be_the_folder() -> None:
    anchor = Anchor.of(b"/")
    found = walk(anchor, (b"etc",), "inside")
    os.close(found.fd)
    assert found == Found(found.fd, (b"etc",))
    assert anchor.below((b"etc", b"passwd")) == (b"etc", b"passwd")


def test_below_compares_whole_components(tree: Path) -> None:
    anchor = Anchor.of(os.fsencode(tree))
    base = names_of(str(tree)[1:])
    assert anchor.below((*base, b"a")) == (b"a",)
    assert anchor.below(base) == ()
    assert anchor.below((*base[:-1], b"wwwx", b"secret")) is None
    assert anchor.below(base[:-1]) is None


def test_no_descriptor_is_left_behind(tree: Path) -> None:
    before = sorted(os.listdir("/dev/fd"))
    for path, _, _ in WALKS:
        for links in ("inside", "none", "all"):
            outcome(tree, path, links)
    assert sorted(os.listdir("/dev/fd")) == before


def test_a_descriptor_closes_itself() -> None:
    fd = os.open("/", os.O_RDONLY)
    held = Descriptor(fd)
    assert os.fstat(held.fd)
    del held
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        os.fstat(fd)


def test_a_system_without_the_call_has_no_opener() -> None:
    assert kernel_opener(number=100_000) is None


def test_a_call_that_does_something_else_is_no_opener() -> None:
    getpid = {"x86_64": 39, "aarch64": 172}.get(platform.machine())
    if getpid is None:
        pytest.skip("the number of getpid(2) is not known here")
    assert kernel_opener(number=getpid) is None


@pytest.fixture
def opener() -> Opener:
    found = kernel_opener()
    if found is None:
        pytest.skip("the kernel has no openat2, or a sandbox forbids it")
    return found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"a", None),
        (b".", None),
        (b"sub/deep/c", None),
        (b"nothing", errno.ENOENT),
        (b"a/b", errno.ENOTDIR),
        (b"to_a", errno.ELOOP),
        (b"to_sub/b", errno.ELOOP),
        (b"abs_in", errno.ELOOP),
        (b"rel_out", errno.ELOOP),
        (b"dangling", errno.ELOOP),
        (b"../secret", errno.EXDEV),
        (b"sub/../../secret", errno.EXDEV),
        (b"/etc/passwd", errno.EXDEV),
        (b"x" * 256, errno.ENAMETOOLONG),
    ],
)
@pytest.mark.parametrize("wait", [True, False])
def test_what_the_kernel_opens(tree: Path, opener: Opener, name: bytes, expected: int | None, wait: bool) -> None:
    anchor = Anchor.of(os.fsencode(tree))
    os.path.lexists(tree / os.fsdecode(name))  # so that the name is in the kernel's memory, or known to be missing
    if expected is None:
        os.close(opener(anchor.held.fd, name, wait))
        return
    with pytest.raises(OSError, match=r"\[Errno") as caught:
        opener(anchor.held.fd, name, wait)
    assert caught.value.errno == expected or (not wait and caught.value.errno == errno.EAGAIN)


def test_magic_links_are_links(opener: Opener) -> None:
    anchor = Anchor.of(b"/proc/self")
    with pytest.raises(OSError, match=r"\[Errno") as caught:
        opener(anchor.held.fd, b"cwd", True)
    assert caught.value.errno == errno.ELOOP
