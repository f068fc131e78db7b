"""What the browser tests share: Debian's Chromium, a folder of odd and ordinary files, and Portico serving it."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from portico import HttpWebServer

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
NOW_S = int(time.time())
PICTURE = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 80 60"><rect width="80" height="60" fill="#cfdfe6"/>
<circle cx="58" cy="18" r="8" fill="#f2c879"/><path d="M0 60L26 22l18 24 10-12 26 26z" fill="#5d7f73"/></svg>"""
README = b"""# Talks

Slides and recordings, *one folder a year*. Start with [the notes](notes.md) or `keynote.mp4`.

- slides are in [slides](./slides/)
- everything else is here

<script>document.title = "broken into"</script>
"""
EVIL = (
    b'"><svg onload=document.title=1>',
    b"</script><script>document.title=2",
    b"javascript:alert(3)",
    b"a&lt;b'.txt",
)


def make_folder(root: Path) -> None:
    """Fill a folder: `talks/` as people have it, `odd/` as nobody should, `empty/` empty."""
    talks = root / "talks"
    for folder in (talks / "slides", talks / "2024 archive", root / "odd", root / "empty"):
        folder.mkdir(parents=True)
    files = (("keynote.mp4", 1_204_000, 190), ("talk2.txt", 800, 7200), ("talk10.txt", 8200, 90_000))
    more = (("notes.md", 3100, 400_000), ("slides.pdf", 410_000, 5_000_000), ("theme.mp3", 92_000, 40_000_000))
    last = (
        ("Talk1.txt", 20, 70),
        ("all.zip", 64_000, 30),
        ("Inter.woff2", 30_000, 3_000_000),
        ("data.bin", 0, 900_000),
    )
    for name, size, age_s in (*files, *more, *last):
        (talks / name).write_bytes(b"\n" * size)
        os.utime(talks / name, (NOW_S - age_s, NOW_S - age_s))
    for name in ("stage & hall.svg", "workshop.svg", "会场照片.svg", "צילום.svg"):
        (talks / name).write_bytes(PICTURE)
        os.utime(talks / name, (NOW_S - 260_000, NOW_S - 260_000))
    (talks / "README.md").write_bytes(README)
    (talks / "latest").symlink_to("slides")
    (talks / "lost.txt").symlink_to("nowhere")
    os.utime(talks / "lost.txt", (NOW_S - 900_000, NOW_S - 900_000), follow_symlinks=False)
    for folder in (talks / "slides", talks / "2024 archive", talks / "README.md"):
        os.utime(folder, (NOW_S - 600_000, NOW_S - 600_000))
    for evil in (*EVIL, b"\xff\xfe.txt", b"line\nbreak\x1b[31m.txt", "cv\u202efdp.exe".encode()):
        try:
            odd = Path(os.fsdecode(bytes(root / "odd") + b"/" + evil.replace(b"/", "∕".encode())))
            odd.write_bytes(b"odd")
            os.utime(odd, (NOW_S - 9000, NOW_S - 9000))
        except OSError:
            continue  # a file system that refuses such names has no such names


@pytest.fixture(scope="session")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a folder and return its URL, without a slash at its end."""
    root = tmp_path_factory.mktemp("site")
    make_folder(root)
    with HttpWebServer(0, root) as server:
        yield server.url.rstrip("/")


@pytest.fixture
def now_s() -> int:
    """Return what the ages of the files count back from."""
    return NOW_S


# A module at a time: while Playwright runs, its own event loop counts as running, and no test could start another.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium once; skip, and say why, where there is none."""
    if not os.path.exists(CHROMIUM):
        pytest.skip(f"needs {CHROMIUM}: apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


Opener = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Opener]:
    """Return a function that opens a URL in a fresh context; options are those of `Browser.new_context`.

    Whatever the page complains about (a script error, a blocked resource), and any request to another origin,
    fails the test.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def start(url: str, **options: object) -> Page:
        context = browser.new_context(timezone_id="UTC", **options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        origin = "://".join(urlsplit(url)[:2])
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text) if "status of 404" not in line.text else None)
        page.on("request", lambda r: complaints.append(r.url) if not r.url.startswith((origin, "data:")) else None)
        page.goto(url)
        return page

    yield start
    for context in contexts:
        context.close()
    assert complaints == []
