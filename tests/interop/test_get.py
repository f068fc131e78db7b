"""`portico get` beside other programs: files of nginx and of `http.server`, cookies of curl, a kill in the middle."""

import getpass
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

COMMAND = "import sys; from portico.cli.main import main; sys.exit(main())"
DEADLINE_S = 60
LARGE = b"".join(hashlib.sha512(b"%d" % number).digest() for number in range(200_000))
TEXT = "<p>欢迎使用</p>\n".encode("gbk") * 500
CONFIG = """
daemon off;
worker_processes 1;
user {user};
pid {work}/pid;
error_log stderr crit;
events {{ worker_connections 64; }}
http {{
    access_log off;
    {temporary}
    server {{
        listen 127.0.0.1:{port};
        root {work}/root;
        location /slow/ {{ alias {work}/root/; limit_rate_after 3m; limit_rate 1k; }}
        location /packed/ {{ alias {work}/root/; gzip on; gzip_min_length 1; default_type text/html; }}
        location /cookie {{ add_header Set-Cookie "n=v; Path=/; Max-Age=1000"; return 200 ""; }}
        location /said {{ return 200 "$http_cookie"; }}
    }}
}}
"""
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class Nginx(NamedTuple):
    """A running nginx. url: without a slash at its end. root: the folder it serves."""

    url: str
    root: Path


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """Run nginx for the tests of this module, on a socket that it inherits."""
    if shutil.which("nginx") is None:
        pytest.skip("needs nginx: apt-get install nginx-light")
    work = tmp_path_factory.mktemp("nginx")
    (work / "root").mkdir()
    (work / "root" / "large.bin").write_bytes(LARGE)
    (work / "root" / "page.html").write_bytes(TEXT)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    temporary = " ".join(f"{name}_temp_path {work}/{name};" for name in TEMPORARY)
    config = CONFIG.format(user=getpass.getuser(), work=work, port=port, temporary=temporary)
    (work / "nginx.conf").write_text(config)
    process = subprocess.Popen(
        ["nginx", "-p", str(work), "-c", str(work / "nginx.conf"), "-e", "stderr"],
        pass_fds=[listening.fileno()],
        env={**os.environ, "NGINX": f"{listening.fileno()};"},
        stderr=subprocess.DEVNULL,
    )
    listening.close()
    yield Nginx(f"http://127.0.0.1:{port}", work / "root")
    process.terminate()
    process.wait(DEADLINE_S)


def start(*words: str, cwd: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "no_proxy": "*", "PORTICO_LANG": "en"}
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, "get", *words],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def get(*words: str, cwd: Path) -> tuple[int, bytes, str]:
    process = start(*words, cwd=cwd)
    out, err = process.communicate(timeout=DEADLINE_S)
    return process.returncode, out, err.decode()


@pytest.mark.parametrize("more", [[], ["--parallel", "4"]])
def test_a_large_file(nginx: Nginx, tmp_path: Path, more: list[str]) -> None:
    digest = hashlib.sha256(LARGE).hexdigest()
    assert get("-o", "a", "--sha256", digest, *more, f"{nginx.url}/large.bin", cwd=tmp_path) == (0, b"", "")
    assert (tmp_path / "a").read_bytes() == LARGE
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("more", [[], ["--parallel", "3"]])
def test_a_download_that_was_ended_goes_on(nginx: Nginx, tmp_path: Path, number: int, more: list[str]) -> None:
    first = start("-o", "a", f"{nginx.url}/slow/large.bin", cwd=tmp_path)
    part = tmp_path / "a.part"
    while not part.exists() or part.stat().st_size < 1 << 20:
        assert first.poll() is None
    first.send_signal(number)
    first.communicate(timeout=DEADLINE_S)
    held = part.stat().st_size
    assert held < len(LARGE)
    # The same file by another path of the same server: its notes are made to say so.
    notes = tmp_path / "a.part.json"
    notes.write_text(notes.read_text().replace("/slow/", "/"))
    code, _, err = get("-v", "-c", "-o", "a", *more, f"{nginx.url}/large.bin", cwd=tmp_path)
    assert code == 0
    assert (tmp_path / "a").read_bytes() == LARGE
    starts = [int(start) for start in re.findall(r"^> Range: bytes=(\d+)-", err, re.MULTILINE)]
    assert min(starts) == held
    assert os.listdir(tmp_path) == ["a"]


def test_a_file_that_changed_meanwhile_is_fetched_anew(nginx: Nginx, tmp_path: Path) -> None:
    path = nginx.root / "changing.bin"
    path.write_bytes(LARGE[:5_000_000])
    first = start("-o", "a", f"{nginx.url}/slow/changing.bin", cwd=tmp_path)
    part = tmp_path / "a.part"
    while not part.exists() or part.stat().st_size < 1 << 20:
        assert first.poll() is None
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=DEADLINE_S)
    path.write_bytes(LARGE[1:6_000_000])
    notes = tmp_path / "a.part.json"
    notes.write_text(notes.read_text().replace("/slow/", "/"))
    code, _, err = get("-c", "-o", "a", f"{nginx.url}/changing.bin", cwd=tmp_path)
    assert (code, err) == (0, "the file has changed meanwhile; it is fetched anew\n")
    assert (tmp_path / "a").read_bytes() == LARGE[1:6_000_000]


def test_what_nginx_packs_is_unpacked(nginx: Nginx, tmp_path: Path) -> None:
    assert get(f"{nginx.url}/packed/page.html", cwd=tmp_path)[1] == TEXT
    code, out, _ = get("-i", f"{nginx.url}/packed/page.html", cwd=tmp_path)
    assert (code, b"Content-Encoding: gzip" in out.partition(b"\r\n\r\n")[0]) == (0, True)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_one_file_of_cookies_with_curl(nginx: Nginx, tmp_path: Path) -> None:
    jar = str(tmp_path / "jar")
    assert get("--cookies", jar, f"{nginx.url}/cookie", cwd=tmp_path)[0] == 0
    said = subprocess.run(["curl", "-s", "--noproxy", "*", "-b", jar, f"{nginx.url}/said"], capture_output=True)
    assert said.stdout == b"n=v"
    os.unlink(jar)
    subprocess.run(["curl", "-s", "--noproxy", "*", "-c", jar, f"{nginx.url}/cookie"], check=True)
    assert get("--cookies", jar, f"{nginx.url}/said", cwd=tmp_path)[1] == b"n=v"


def test_a_server_without_ranges(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a.bin").write_bytes(LARGE)
    command = [sys.executable, "-u", "-m", "http.server", "0", "-b", "127.0.0.1", "-d", str(tmp_path / "root")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    match = re.search(r"port (\d+)", process.stdout.readline())
    assert match is not None
    url = f"http://127.0.0.1:{match[1]}/a.bin"
    assert get("-o", "a", "--parallel", "4", url, cwd=tmp_path)[0] == 0
    assert (tmp_path / "a").read_bytes() == LARGE
    (tmp_path / "b.part").write_bytes(LARGE[:100])
    assert get("-c", "-o", "b", url, cwd=tmp_path) == (0, b"", "nothing is known of b.part; it is fetched anew\n")
    assert (tmp_path / "b").read_bytes() == LARGE
    process.terminate()
    process.wait(DEADLINE_S)
    process.stdout.close()
