"""curl: ranges, resuming, conditions, codings, keep-alive, refused uploads."""

import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl: apt-get install curl")


def curl(*arguments: str | Path, ok: bool = True) -> bytes:
    done = subprocess.run(["curl", "-sS", "--max-time", "30", *map(str, arguments)], capture_output=True)
    assert not ok or done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_a_file(url: str, root: Path) -> None:
    assert curl(f"{url}/large.bin") == (root / "large.bin").read_bytes()


RANGES = [
    ("0-0", slice(0, 1)),
    ("100-199", slice(100, 200)),
    ("-5", slice(-5, None)),
    ("5119995-", slice(5119995, None)),
]


@pytest.mark.parametrize(("asked", "part"), RANGES)
def test_ranges(url: str, root: Path, asked: str, part: slice) -> None:
    assert curl("-r", asked, f"{url}/large.bin") == (root / "large.bin").read_bytes()[part]


def test_several_ranges(url: str, root: Path) -> None:
    body = curl("-r", "0-9,1000-1009", f"{url}/large.bin")
    data = (root / "large.bin").read_bytes()
    assert body.count(b"Content-Range: bytes ") == 2
    assert data[:10] in body
    assert data[1000:1010] in body


def test_resuming_what_was_cut(url: str, root: Path, tmp_path: Path) -> None:
    data = (root / "large.bin").read_bytes()
    target = tmp_path / "large.bin"
    target.write_bytes(data[:1_234_567])
    told = curl("-C", "-", "-o", target, "-w", "%{http_code} %{size_download}", f"{url}/large.bin")
    assert told == b"206 %d" % (len(data) - 1_234_567)
    assert target.read_bytes() == data


def test_resuming_what_is_complete(url: str, root: Path, tmp_path: Path) -> None:
    target = tmp_path / "large.bin"
    shutil.copy(root / "large.bin", target)
    assert curl("-C", "-", "-o", target, "-w", "%{http_code}", f"{url}/large.bin", ok=False) == b"416"
    assert target.read_bytes() == (root / "large.bin").read_bytes()


def test_if_modified_since(url: str, root: Path) -> None:
    assert curl("-z", root / "page.html", "-w", "%{http_code}", f"{url}/page.html") == b"304"
    older = curl("-z", "Mon, 13 Nov 2023 00:00:00 GMT", "-o", "/dev/null", "-w", "%{http_code}", f"{url}/page.html")
    assert older == b"200"


def test_if_none_match(url: str, tmp_path: Path) -> None:
    tags = tmp_path / "tags"
    asked = ("--etag-compare", tags, "--etag-save", tags, "-o", tmp_path / "page", "-w", "%{http_code}")
    assert curl(*asked, f"{url}/page.html") == b"200"
    assert curl(*asked, f"{url}/page.html") == b"304"


def test_codings(url: str, root: Path, tmp_path: Path) -> None:
    for _ in "ab":
        told = curl("--compressed", "-o", tmp_path / "page", "-w", "%{size_download}", f"{url}/page.html")
        assert int(told) < 2_000
        assert (tmp_path / "page").read_bytes() == (root / "page.html").read_bytes()


def test_http_1_0(url: str, root: Path) -> None:
    assert curl("-0", f"{url}/large.bin") == (root / "large.bin").read_bytes()
    listing = curl("-0", "-H", "Accept: application/json", f"{url}/tree/")
    assert b'"href":"./a.txt"' in listing


def test_many_urls_share_a_connection(url: str) -> None:
    told = curl("-w", "%{num_connects}\n", *(f"{url}/tree/a.txt?{number}" for number in range(50)))
    assert told.count(b"this is a.txt\n") == 50
    assert sum(int(line) for line in told.split(b"\n") if line.isdigit()) == 1


@pytest.mark.parametrize("more", [(), ("-H", "Expect:"), ("-H", "Transfer-Encoding: chunked"), ("-0",)])
def test_a_big_upload_is_refused_and_the_answer_arrives(url: str, root: Path, tmp_path: Path, more: tuple[str]) -> None:
    for method in (("--data-binary", f"@{root}/large.bin"), ("-T", root / "large.bin")):
        told = curl(*method, *more, "-o", tmp_path / "said", "-w", "%{http_code}", f"{url}/page.html", ok=False)
        if told != b"000":
            assert told == b"405"
            assert b"GET, HEAD, OPTIONS" in (tmp_path / "said").read_bytes()
        # HTTP/1.0 cannot send in chunks, and a client may notice the closed connection before the answer.
        assert told == b"405" or "-0" in more


def test_a_listing_for_a_terminal(url: str) -> None:
    text = curl(f"{url}/tree/sub/").decode()
    assert "b & c.txt" in text
    assert "ünï" not in text
    assert "deeper/" in text
    assert "<" not in text


def test_a_folder_without_its_slash(url: str) -> None:
    assert (
        curl("-L", "-w", "%{url_effective}", "-o", "/dev/null", f"{url}/tree?sort=size").decode()
        == f"{url}/tree/?sort=size"
    )
