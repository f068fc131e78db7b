"""Media types: a row for each decision, and rules that hold for the whole table."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.http.media_types import DEFAULT_TYPE, is_compressible, kind, media_type

UTF8 = "; charset=utf-8"


@pytest.mark.parametrize(
    ("name", "expected", "expected_kind"),
    [
        ("index.html", "text/html" + UTF8, "text"),
        ("INDEX.HTM", "text/html" + UTF8, "text"),
        ("site.css", "text/css" + UTF8, "text"),
        ("app.js", "text/javascript" + UTF8, "text"),
        ("app.mjs", "text/javascript" + UTF8, "text"),
        ("app.min.js.map", "application/json" + UTF8, "text"),
        ("data.json", "application/json" + UTF8, "text"),
        ("app.webmanifest", "application/manifest+json" + UTF8, "text"),
        ("feed.xml", "application/xml", "text"),
        ("page.xhtml", "application/xhtml+xml", "text"),
        ("app.wasm", "application/wasm", "file"),
        ("main.ts", "text/plain" + UTF8, "text"),
        ("clip.m2ts", "video/mp2t", "video"),
        ("server.py", "text/plain" + UTF8, "text"),
        ("notes.txt", "text/plain" + UTF8, "text"),
        ("README.md", "text/markdown" + UTF8, "text"),
        ("table.csv", "text/csv" + UTF8, "text"),
        ("a.png", "image/png", "image"),
        ("a.JPG", "image/jpeg", "image"),
        ("a.svg", "image/svg+xml", "image"),
        ("a.avif", "image/avif", "image"),
        ("a.webp", "image/webp", "image"),
        ("a.jxl", "image/jxl", "image"),
        ("favicon.ico", "image/vnd.microsoft.icon", "image"),
        ("a.mp4", "video/mp4", "video"),
        ("a.webm", "video/webm", "video"),
        ("a.m3u8", "application/vnd.apple.mpegurl" + UTF8, "video"),
        ("a.mp3", "audio/mpeg", "audio"),
        ("a.flac", "audio/flac", "audio"),
        ("a.opus", "audio/ogg", "audio"),
        ("a.woff2", "font/woff2", "font"),
        ("a.ttf", "font/ttf", "font"),
        ("a.eot", "application/vnd.ms-fontobject", "font"),
        ("a.zip", "application/zip", "archive"),
        ("a.tar.gz", "application/gzip", "archive"),
        ("a.css.br", "application/x-brotli", "archive"),
        ("a.zst", "application/zstd", "archive"),
        ("a.7z", "application/x-7z-compressed", "archive"),
        ("a.pdf", "application/pdf", "document"),
        ("a.epub", "application/epub+zip", "document"),
        (
            "a.docx",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "document",
        ),
        ("README", "text/plain" + UTF8, "text"),
        ("Makefile", "text/plain" + UTF8, "text"),
        ("LICENSE", "text/plain" + UTF8, "text"),
        (".gitignore", "text/plain" + UTF8, "text"),
        # names that say nothing
        ("", DEFAULT_TYPE, "file"),
        ("noextension", DEFAULT_TYPE, "file"),
        ("a.unheardof", DEFAULT_TYPE, "file"),
        ("a.", DEFAULT_TYPE, "file"),
        (".", DEFAULT_TYPE, "file"),
        (".html", DEFAULT_TYPE, "file"),
        ("html", DEFAULT_TYPE, "file"),
        ("a.html ", DEFAULT_TYPE, "file"),
        ("漢字.html", "text/html" + UTF8, "text"),
        ("\udcff.png", "image/png", "image"),
    ],
)
def test_types_and_kinds(name: str, expected: str, expected_kind: str) -> None:
    assert media_type(name) == expected
    assert kind(expected) == expected_kind


@pytest.mark.parametrize(
    ("content_type", "is_worth_it"),
    [
        ("text/html; charset=utf-8", True),
        ("Text/HTML", True),
        ("text/anything", True),
        ("application/json", True),
        ("application/problem+json", True),
        ("image/svg+xml", True),
        ("application/wasm", True),
        ("font/ttf", True),
        ("image/bmp", True),
        ("font/woff2", False),
        ("image/png", False),
        ("video/mp4", False),
        ("application/zip", False),
        ("application/gzip", False),
        ("application/pdf", False),
        ("application/octet-stream", False),
        ("", False),
    ],
)
def test_is_compressible(content_type: str, is_worth_it: bool) -> None:
    assert is_compressible(content_type) is is_worth_it


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("IMAGE/PNG", "image"),
        ("image/unheard-of", "image"),
        ("video/unheard-of; a=b", "video"),
        ("audio/unheard-of", "audio"),
        ("font/unheard-of", "font"),
        ("text/unheard-of", "text"),
        ("application/unheard-of", "file"),
        ("", "file"),
    ],
)
def test_kinds_of_types_beyond_the_table(content_type: str, expected: str) -> None:
    assert kind(content_type) == expected


@given(st.text())
def test_every_name_has_one_well_formed_type(name: str) -> None:
    found = media_type(name)
    assert re.fullmatch(r"[a-z]+/[a-z0-9.+-]+(; charset=utf-8)?", found)
    assert found.endswith(UTF8) or not found.startswith("text/")
    assert kind(found) in {"image", "video", "audio", "text", "archive", "document", "font", "file"}


def test_no_compressed_format_is_compressed_again() -> None:
    names = [
        f"a.{extension}" for extension in "zip gz tgz zst br bz2 xz 7z rar jpg png webp avif mp4 mp3 woff2".split()
    ]
    assert [name for name in names if is_compressible(media_type(name))] == []
