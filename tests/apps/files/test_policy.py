"""What settings add to every answer, and which names are cached for ever."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.apps.files.policy import REVALIDATE, Policy, cache_control, read_policy
from portico.errors import UsageError
from portico.settings import Files

HASHED = [
    ("vite", "index-BxT9_a1k.js"),
    ("vite, two dashes", "vendor-react-CHdo91hT.svg"),
    ("vite, a dash in the hash", "index-D1-x9Q2b.css"),
    ("rollup", "chunk-DVoHNO1Y.mjs"),
    ("sveltekit", "start.C1d2e3F4.js"),
    ("webpack", "main.8c1e2f3a9b7d6c5e4f3a.js"),
    ("webpack, source map", "main.8c1e2f3a9b7d6c5e4f3a.js.map"),
    ("webpack, a picture", "6ce24c58023cc2f8fd88.png"),
    ("create-react-app", "2.4d1c5a7f.chunk.js"),
    ("create-react-app, styles", "main.f855e6bc.css"),
    ("create-react-app, a picture", "logo.6ce24c58023cc2f8fd88fe9d219db6c6.svg"),
    ("esbuild", "chunk-2V5NJ6HD.js"),
    ("angular", "main-5JQZ7ELM.js"),
    ("angular, styles", "styles-DECYQO2F.css"),
    ("parcel", "index.3f9ac1d2.js"),
    ("parcel, a font", "inter.0a1b2c3d.woff2"),
    ("django manifest", "style.55e7cbb9ba48.css"),
    ("django manifest, minified", "admin.55e7cbb9ba48.min.js"),
    ("next", "main-app-3f9ac1d2b4e5f6a7.js"),
    ("propshaft", "application-1a2b3c4d.css"),
    ("sprockets", "application-" + "0a1b2c3d" * 8 + ".js"),
    ("phoenix", "app-0123456789abcdef0123456789abcdef.css"),
]
INNOCENT = [
    *("app.js", "index.html", "style.css", "report-20240101.pdf", "jquery-3.7.1.min.js", "my-document.js"),
    *("photo-12345678.jpg", "IMG-20240101-WA0001.jpg", "photo-IMG_1234.jpg", "trip-DSCN2345.jpg", "DSC_01234567.jpg"),
    *("slides-01-Intro.png", "Screenshot-2024-05-17-Final.png", "chart-Version2.js", "holiday-Picture01.jpg"),
    *("photo-iPhone6s.jpg", "app-DataGrid.js", "app-HTML5App.js", "img-facade01.jpg", "img-decade10.png"),
    *("README-BxT9_a1k.md", "archive-3f9ac1d2.zip", "index-BxT9_a1k.html", "3f9ac1d2.js", "deadbeef.png"),
    *("avatar-123e4567-e89b-12d3-a456-42661417400f.png", "three.module.js", "bootstrap.bundle.min.js"),
    *("app.JS", "v1.2.3.json", "a.b.c.d.js", ".js", "js", "", "...", "-.js", ".chunk.js", "x-" + "0a" * 33 + ".js"),
    *("background.js", "codec-h264x265.js", "theme-darkmode.css", "messages.zh-Hans.json", "data-2024-01-01.json"),
    "x" * 250 + "-3f9ac1d2.js",
]


@pytest.mark.parametrize("name", [name for _, name in HASHED], ids=[tool for tool, _ in HASHED])
def test_names_that_build_tools_give_are_kept_for_ever(name: str) -> None:
    assert cache_control(name) == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("name", INNOCENT, ids=lambda name: name[:40])
def test_names_that_people_give_are_asked_for_again(name: str) -> None:
    assert cache_control(name) == "no-cache" == REVALIDATE


@given(st.text(max_size=300))
def test_every_name_has_a_rule(name: str) -> None:
    assert cache_control(name) in (REVALIDATE, "public, max-age=31536000, immutable")


@given(st.from_regex(r"[A-Z]?[a-z]{2,9}(-[A-Z]?[a-z]{2,9}){0,3}[0-9]{0,8}\.(js|css|png)", fullmatch=True))
def test_words_with_a_number_behind_them_are_no_hash(name: str) -> None:
    assert cache_control(name) == REVALIDATE


def fields_of(policy: Policy, *ours: tuple[str, str]) -> list[tuple[str, str]]:
    return list(policy.fields(ours))


NOSNIFF = ("X-Content-Type-Options", "nosniff")


def test_nosniff_is_on_every_answer() -> None:
    assert fields_of(read_policy(Files()), ("ETag", '"x"')) == [("ETag", '"x"'), NOSNIFF]


def test_a_field_of_the_settings_takes_the_place_of_ours() -> None:
    policy = read_policy(Files(header=("cache-control : max-age=5", "X-A: 1", "X-A: 2", "X-Empty:")))
    added = [NOSNIFF, ("cache-control", "max-age=5"), ("X-A", "1"), ("X-A", "2"), ("X-Empty", "")]
    assert fields_of(policy, ("Cache-Control", "no-cache"), ("ETag", '"x"')) == [("ETag", '"x"'), *added]
    assert fields_of(read_policy(Files(header=("x-content-type-options: none",)))) == [
        ("x-content-type-options", "none")
    ]
    assert fields_of(read_policy(Files(cors=True, header=("Access-Control-Allow-Origin: https://a.example",))))[-1] == (
        "Access-Control-Allow-Origin",
        "https://a.example",
    )


def test_vary_is_added_to_ours() -> None:
    policy = read_policy(Files(header=("Vary: Origin",)))
    assert fields_of(policy, ("Vary", "Accept-Encoding")) == [("Vary", "Accept-Encoding"), NOSNIFF, ("Vary", "Origin")]


def test_cors_and_isolation() -> None:
    policy = read_policy(Files(cors=True, isolate=True))
    fields = dict(policy.fields(()))
    assert fields["Access-Control-Allow-Origin"] == "*"
    assert fields["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert fields["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert dict(policy.preflight)["Access-Control-Allow-Headers"] == "*"
    assert read_policy(Files(isolate=True)).preflight == ()


WRONG = [
    ({"header": ("X-A",)}, "NAME: VALUE"),
    ({"header": ("X A: 1",)}, "field name"),
    ({"header": (": 1",)}, "field name"),
    ({"header": ("X-A: a\r\nB: c",)}, "characters"),
    ({"header": ("Content-Length: 5",)}, "set by the server itself"),
    ({"header": ("transfer-encoding : chunked",)}, "set by the server itself"),
    ({"header": ("Connection: close",)}, "set by the server itself"),
    ({"error_page": ("oops.html",)}, "404=oops.html"),
    ({"error_page": ("200=oops.html",)}, "404=oops.html"),
    ({"error_page": ("600=oops.html",)}, "404=oops.html"),
    ({"error_page": ("x=oops.html",)}, "404=oops.html"),
    ({"error_page": ("٤٠٤=oops.html",)}, "404=oops.html"),
    ({"error_page": ("404=",)}, "not a path"),
    ({"error_page": ("404=../oops.html",)}, "not a path"),
    ({"base": "/a/../../b"}, "not a path"),
    ({"base": "%zz"}, "not a path"),
]


@pytest.mark.parametrize(("values", "words"), WRONG, ids=lambda value: str(value)[:40])
def test_settings_that_make_no_sense_are_refused_at_the_start(values: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_policy(Files(**values))  # type: ignore[arg-type]


def test_paths_of_the_settings_are_read_as_segments() -> None:
    policy = read_policy(Files(base="docs/v%201/", error_page=("404=/oops/a%20b.html", "503=later.html")))
    assert policy.base == (b"docs", b"v 1")
    assert policy.error_pages == {404: (b"oops", b"a b.html"), 503: (b"later.html",)}
    assert read_policy(Files()).base == ()
