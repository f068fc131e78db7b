"""The pages, from memory."""

import gzip
from pathlib import Path

import pytest

from portico.apps.chat.pages import FOLDER, FRAMED, Pages
from portico.http.message import Request
from portico.settings import Limits
from portico.wire.head import HeadMemo, parse_request

NOW_S = 1_800_000_000
SCRIPT = b"export const a = 1;\n" * 40
FILES = {
    "index.html": b"<!doctype html><title>chat</title>",
    "visitor.html": b"<!doctype html><title>visitors</title>",
    "widget.js": b"(() => {})();",
    "widget/panel.js": b"export class Panel {}",
    "chat.js": SCRIPT,
    "sounds/bell.png": b"\x89PNG",
    "notes.txt": b"not for the web",
    ".secret": b"not for the web",
    "sounds/index.html": b"not the first page",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return tmp_path


def ask(method: str = "GET", *lines: str) -> Request:
    head = "\r\n".join((f"{method} / HTTP/1.1", "Host: a", *lines))
    return parse_request(head.encode(), Limits(), HeadMemo())


def answer(pages: Pages, path: str, *lines: str) -> tuple[dict[str, str], bytes]:
    """Return the answer's fields, in lower case, with its status, and its body."""
    whole = pages.table[path].answer(ask("GET", *lines), NOW_S)
    head, _, body = whole.render(b"", 0).partition(b"\r\n\r\n")
    pairs = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if line]
    return {name.lower(): value for name, value in pairs} | {"status": str(whole.status)}, body


def test_what_is_there(folder: Path) -> None:
    assert set(Pages(folder).table) == {
        "/",
        "/widget",
        "/widget.js",
        "/page/index.html",
        "/page/visitor.html",
        "/page/widget.js",
        "/page/widget/panel.js",
        "/page/chat.js",
        "/page/sounds/bell.png",
        "/page/sounds/index.html",
    }


def test_a_page_allows_itself_its_own_scripts_alone(folder: Path) -> None:
    fields, body = answer(Pages(folder), "/")
    assert body == FILES["index.html"]
    assert fields["content-type"] == "text/html; charset=utf-8"
    policy = fields["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert policy.endswith("frame-ancestors 'none'")
    assert fields["x-content-type-options"] == "nosniff"
    assert fields["cross-origin-resource-policy"] == "same-origin"
    assert fields["cache-control"] == "no-cache"


def test_a_script_of_ours_is_for_our_pages_and_the_widget_for_all(folder: Path) -> None:
    pages = Pages(folder)
    ours = answer(pages, "/page/chat.js")[0]
    assert ours["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in ours
    for path in ("/widget.js", "/page/widget/panel.js"):
        fields = answer(pages, path)[0]
        assert fields["cross-origin-resource-policy"] == "cross-origin"
        assert fields["access-control-allow-origin"] == "*"


def test_what_has_not_changed_is_not_sent_again(folder: Path) -> None:
    pages = Pages(folder)
    tag = answer(pages, "/page/chat.js")[0]["etag"]
    fields, body = answer(pages, "/page/chat.js", f"If-None-Match: {tag}")
    assert (fields["status"], fields["etag"], body) == ("304", tag, b"")
    assert "content-security-policy" in fields
    assert answer(pages, "/page/chat.js", 'If-None-Match: "other"')[0]["status"] == "200"
    (folder / "chat.js").write_bytes(b"changed")
    assert answer(Pages(folder), "/page/chat.js", f"If-None-Match: {tag}")[1] == b"changed"


def test_text_is_packed_for_those_who_can_read_it(folder: Path) -> None:
    pages = Pages(folder)
    fields, body = answer(pages, "/page/chat.js", "Accept-Encoding: br, gzip")
    assert fields["content-encoding"] == "gzip"
    assert gzip.decompress(body) == SCRIPT
    assert len(body) < len(SCRIPT)
    assert fields["etag"] != answer(pages, "/page/chat.js")[0]["etag"]
    assert fields["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("accepted", ["br", "identity", "gzip;q=0", "*;q=0, identity;q=0"])
def test_others_get_it_as_it_is(folder: Path, accepted: str) -> None:
    fields, body = answer(Pages(folder), "/page/chat.js", f"Accept-Encoding: {accepted}")
    assert "content-encoding" not in fields
    assert body == SCRIPT


def test_pictures_are_packed_already(folder: Path) -> None:
    fields, body = answer(Pages(folder), "/page/sounds/bell.png", "Accept-Encoding: gzip")
    assert "content-encoding" not in fields
    assert body == b"\x89PNG"


def test_only_the_page_of_visitors_is_shown_in_frames(folder: Path) -> None:
    pages = Pages(folder)
    for path in FRAMED:
        assert answer(pages, path)[0]["content-security-policy"].endswith("frame-ancestors 'self'")
    pages.allow_frames("'self' https://shop.example")
    for path in FRAMED:
        fields, body = answer(pages, path)
        assert fields["content-security-policy"].endswith("frame-ancestors 'self' https://shop.example")
        assert body == FILES["visitor.html"]
    assert answer(pages, "/")[0]["content-security-policy"].endswith("frame-ancestors 'none'")


def test_a_folder_without_a_page_for_visitors(tmp_path: Path) -> None:
    pages = Pages(tmp_path)
    pages.allow_frames("*")
    assert pages.table == {}


def test_the_pages_of_the_package_are_there() -> None:
    assert "/page/chat.js" in Pages(FOLDER).table


def test_what_every_page_of_a_site_with_the_widget_loads_is_small() -> None:
    pages = Pages(FOLDER)
    assert len(answer(pages, "/widget.js")[1]) < 6_000
    opened = [path for path in pages.table if path == "/widget.js" or path.startswith("/page/widget/")]
    assert sum(len(answer(pages, path, "Accept-Encoding: gzip")[1]) for path in opened) < 20_000
