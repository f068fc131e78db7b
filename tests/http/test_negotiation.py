"""Negotiation: the RFCs' examples, what browsers send, and the ways to refuse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.http.negotiation import choose_encoding, choose_language, choose_media_type

OURS = ("zstd", "br", "gzip")


@pytest.mark.parametrize(
    ("header", "available", "chosen"),
    [
        (None, OURS, "identity"),
        ("", OURS, "identity"),
        ("gzip, deflate, br, zstd", OURS, "zstd"),  # Chrome
        ("gzip, deflate, br", OURS, "br"),  # Safari
        ("gzip, deflate", OURS, "gzip"),
        ("deflate", OURS, "identity"),
        ("gzip", (), "identity"),
        # RFC 9110 12.5.3
        ("compress, gzip", OURS, "gzip"),
        ("*", OURS, "zstd"),
        ("compress;q=0.5, gzip;q=1.0", OURS, "gzip"),
        ("gzip;q=1.0, identity; q=0.5, *;q=0", OURS, "gzip"),
        ("gzip;q=1.0, identity; q=0.5, *;q=0", ("br",), "identity"),
        # weights before our order, our order among equals
        ("gzip, br;q=0.9", OURS, "gzip"),
        ("gzip;q=0.5, br;q=0.5", OURS, "br"),
        ("br;q=0.001", OURS, "br"),
        ("br;q=0", OURS, "identity"),
        ("br;q=0, gzip", OURS, "gzip"),
        ("*, br;q=0, zstd;q=0", OURS, "gzip"),
        # identity beside others
        ("identity", OURS, "identity"),
        ("identity, gzip;q=0.5", OURS, "identity"),
        ("identity;q=0.5, gzip;q=0.5", OURS, "gzip"),
        ("gzip;q=0.2, *;q=0.5", ("gzip",), "identity"),
        # identity refused
        ("identity;q=0", OURS, ""),
        ("identity;q=0, br", OURS, "br"),
        ("identity;q=0, br", ("gzip",), ""),
        ("identity;q=0, *", ("gzip",), "gzip"),
        ("*;q=0", OURS, ""),
        ("*;q=0", (), ""),
        ("*;q=0, identity", OURS, "identity"),
        ("*;q=0, identity;q=0.001", (), "identity"),
        # spelling
        ("GZIP", OURS, "gzip"),
        ("x-gzip", OURS, "gzip"),
        ("gzip;q=0, gzip", OURS, "identity"),
        ("gzip;q=2, br;q=x", OURS, "identity"),
    ],
)
def test_choose_encoding(header: str | None, available: tuple[str, ...], chosen: str) -> None:
    assert choose_encoding(header, available) == chosen


weighted = st.builds(
    "{}{}".format,
    st.sampled_from(["gzip", "br", "zstd", "identity", "*"]),
    st.sampled_from(["", ";q=0", ";q=0.5", ";q=1"]),
)


@given(st.lists(weighted, max_size=5, unique_by=lambda element: element.partition(";")[0]))
def test_a_refused_coding_is_never_chosen(elements: list[str]) -> None:
    chosen = choose_encoding(",".join(elements), OURS)
    assert f"{chosen};q=0" not in elements
    if chosen == "":
        assert {"identity;q=0", "*;q=0"} & set(elements)


@pytest.mark.parametrize(
    ("header", "available", "chosen"),
    [
        (None, ("en", "zh"), "en"),
        ("", ("en", "zh"), "en"),
        ("zh", ("en", "zh"), "zh"),
        ("zh-CN", ("en", "zh"), "zh"),
        ("zh-TW", ("en", "zh"), "zh"),
        ("zh-Hans", ("en", "zh"), "zh"),
        ("zh-Hans-CN", ("en", "zh"), "zh"),
        ("ZH-cn", ("en", "zh"), "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", ("en", "zh"), "zh"),
        ("en-US,en;q=0.9,zh-CN;q=0.8", ("en", "zh"), "en"),
        ("fr-FR, zh;q=0.1", ("en", "zh"), "zh"),
        ("en;q=0.5, zh", ("en", "zh"), "zh"),
        ("fr", ("en", "zh"), "en"),
        ("zhx", ("en", "zh"), "en"),
        ("*", ("zh", "en"), "en"),
        ("fr, *;q=0.5, zh;q=0.1", ("en", "zh"), "en"),
        ("zh;q=0", ("en", "zh"), "en"),
        ("zh-TW, zh;q=0", ("en", "zh"), "en"),
        ("zh;q=nonsense, en", ("en", "zh"), "en"),
        # our own spelling is what comes back
        ("zh-cn", ("en", "zh-CN"), "zh-CN"),
        # RFC 4647 3.4: zh-Hant-CN-x-private1-private2 is cut four times, never to end in "x"
        ("zh-Hant-CN-x-private1-private2", ("zh-Hant-CN-x", "zh-Hant-CN"), "zh-Hant-CN"),
        ("zh-Hant-CN-x-private1-private2", ("zh-Hant-CN-x", "zh-Hant"), "zh-Hant"),
        ("zh-*", ("en", "zh"), "zh"),
        # longer than any language
        ("zh-" + "a-" * 10_000 + "a", ("en", "zh"), "en"),
    ],
)
def test_choose_language(header: str | None, available: tuple[str, ...], chosen: str) -> None:
    assert choose_language(header, available, default="en") == chosen


@pytest.mark.parametrize(
    ("header", "available", "chosen"),
    [
        (None, ("text/html", "application/json"), "text/html"),
        (None, (), None),
        ("", ("text/html",), "text/html"),
        (";q=x", ("text/html",), "text/html"),
        ("*/*", ("text/plain", "text/html"), "text/plain"),
        ("*/*", (), None),
        ("application/json", ("text/html", "application/json"), "application/json"),
        ("Application/JSON", ("text/html", "application/json"), "application/json"),
        ("text/*", ("application/json", "text/html"), "text/html"),
        ("image/png", ("text/html",), None),
        ("text/html;q=0", ("text/html",), None),
        ("text/html;q=0, */*", ("text/html", "text/plain"), "text/plain"),
        ("text", ("text/html",), None),
        # Firefox and Chrome
        (
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            ("application/json", "text/plain", "text/html"),
            "text/html",
        ),
        # RFC 9110 12.5.1
        ("audio/*; q=0.2, audio/basic", ("audio/mpeg", "audio/basic"), "audio/basic"),
        ("text/plain; q=0.5, text/html, text/x-dvi; q=0.8, text/x-c", ("text/plain", "text/x-dvi"), "text/x-dvi"),
        # parameters
        ("text/html; charset=UTF-8", ("text/html; charset=utf-8",), "text/html; charset=utf-8"),
        ("text/html; charset=utf-16", ("text/html; charset=utf-8",), None),
        ("text/html", ("text/html; charset=utf-8",), "text/html; charset=utf-8"),
    ],
)
def test_choose_media_type(header: str | None, available: tuple[str, ...], chosen: str | None) -> None:
    assert choose_media_type(header, available) == chosen


# RFC 9110 12.5.1: the table of qualities that this field gives. The better of each pair is chosen.
QUALITIES = [
    ("text/plain;format=flowed", 1.0),
    ("text/plain", 0.7),
    ("text/html;level=3", 0.3),
    ("image/jpeg", 0.5),
    ("text/html", 0.3),
    ("text/html;level=2", 0.4),
    ("text/plain;format=fixed", 0.4),
]
ACCEPT = "text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, text/plain;format=fixed;q=0.4, */*;q=0.5"


@pytest.mark.parametrize(("one", "one_quality"), QUALITIES)
@pytest.mark.parametrize(("other", "other_quality"), QUALITIES)
def test_the_most_specific_range_counts(one: str, one_quality: float, other: str, other_quality: float) -> None:
    accept = ACCEPT + ", text/html;level=2;q=0.4"
    assert choose_media_type(accept, (one, other)) == (other if other_quality > one_quality else one)


@given(st.text(st.sampled_from('*/;q=0.15,texhml "'), max_size=60))
def test_no_header_raises(header: str) -> None:
    assert choose_encoding(header, OURS) in (*OURS, "identity", "")
    assert choose_language(header, ("en", "zh"), default="en") in ("en", "zh")
    assert choose_media_type(header, ("text/html", "text/plain")) in ("text/html", "text/plain", None)
