"""Cookies: RFC 6265bis's examples, what servers must survive, and what browsers drop."""

import http.cookies

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.errors import UsageError
from portico.http.cookies import MOST_COOKIES, CookieAttributes, format_set_cookie, parse_cookies

BARE = CookieAttributes(path=None, http_only=False, same_site=None)


@pytest.mark.parametrize(
    ("value", "cookies"),
    [
        # RFC 6265bis 3.1
        ("SID=31d4d96e407aad42", {"SID": "31d4d96e407aad42"}),
        ("SID=31d4d96e407aad42; lang=en-US", {"SID": "31d4d96e407aad42", "lang": "en-US"}),
        ("", {}),
        (";;", {}),
        ("a=1;b=2", {"a": "1", "b": "2"}),
        (" a = 1 ;\tb\t=\t2\t", {"a": "1", "b": "2"}),
        ("a=1; a=2", {"a": "1"}),
        ("a=", {"a": ""}),
        ("a=b=c==", {"a": "b=c=="}),
        ('a="x y"; b="', {"a": '"x y"', "b": '"'}),
        ("nameless; =x; a=1", {"a": "1"}),
        ("a=1, b=2", {"a": "1, b=2"}),
        ("[x]=é", {"[x]": "é"}),
    ],
)
def test_parse_cookies(value: str, cookies: dict[str, str]) -> None:
    assert parse_cookies(value) == cookies


@pytest.mark.parametrize("count", [MOST_COOKIES - 1, MOST_COOKIES, MOST_COOKIES + 1, 10 * MOST_COOKIES])
def test_no_more_than_so_many_are_read(count: int) -> None:
    cookies = parse_cookies("; ".join(f"c{n}={n}" for n in range(count)))
    assert cookies == {f"c{n}": str(n) for n in range(min(count, MOST_COOKIES))}


@given(st.text())
def test_no_value_raises(value: str) -> None:
    assert all(name and name in value and text in value for name, text in parse_cookies(value).items())


@pytest.mark.parametrize(
    ("name", "attributes", "written"),
    [
        ("SID", BARE, "SID=v"),
        ("SID", CookieAttributes(), "SID=v; Path=/; HttpOnly; SameSite=Lax"),
        # RFC 6265bis 3.1
        ("SID", CookieAttributes(secure=True, same_site=None), "SID=v; Path=/; Secure; HttpOnly"),
        (
            "lang",
            CookieAttributes(domain="site.example", http_only=False, same_site=None),
            "lang=v; Domain=site.example; Path=/",
        ),
        (
            "a",
            CookieAttributes(max_age=0, path="/x y", same_site="Strict"),
            "a=v; Max-Age=0; Path=/x y; HttpOnly; SameSite=Strict",
        ),
        ("a", CookieAttributes(max_age=-1, path=None, http_only=False), "a=v; Max-Age=-1; SameSite=Lax"),
        (
            "a",
            CookieAttributes(secure=True, same_site="None", partitioned=True),
            "a=v; Path=/; Secure; HttpOnly; SameSite=None; Partitioned",
        ),
        ("__Host-SID", CookieAttributes(secure=True), "__Host-SID=v; Path=/; Secure; HttpOnly; SameSite=Lax"),
        ("__Secure-SID", CookieAttributes(secure=True, path=None), "__Secure-SID=v; Secure; HttpOnly; SameSite=Lax"),
        ("__Hosting", BARE, "__Hosting=v"),
    ],
)
def test_format_set_cookie(name: str, attributes: CookieAttributes, written: str) -> None:
    assert format_set_cookie(name, "v", attributes=attributes) == written


@pytest.mark.parametrize(
    ("name", "value", "attributes", "message"),
    [
        ("", "v", BARE, "not a token"),
        ("a b", "v", BARE, "not a token"),
        ("a=b", "v", BARE, "not a token"),
        ("a\r\nX: y", "v", BARE, "not a token"),
        ("a", "x y", BARE, "encode it"),
        ("a", "x;y", BARE, "encode it"),
        ("a", "x,y", BARE, "encode it"),
        ("a", 'x"y', BARE, "encode it"),
        ("a", "x\\y", BARE, "encode it"),
        ("a", "x\r\nSet-Cookie: b=c", BARE, "encode it"),
        ("a", "x\n", BARE, "encode it"),
        ("a", "é", BARE, "encode it"),
        ("a", "x" * 4096, BARE, "longer than 4096"),
        ("a", "v", CookieAttributes(path=""), "begin with '/'"),
        ("a", "v", CookieAttributes(path="x"), "begin with '/'"),
        ("a", "v", CookieAttributes(path="/x; Secure"), "begin with '/'"),
        ("a", "v", CookieAttributes(path="/x\n"), "begin with '/'"),
        ("a", "v", CookieAttributes(path="/" * 1025), "begin with '/'"),
        ("a", "v", CookieAttributes(domain=""), "not a host name"),
        ("a", "v", CookieAttributes(domain="a;b"), "not a host name"),
        ("a", "v", CookieAttributes(domain="a" * 255), "not a host name"),
        ("a", "v", CookieAttributes(same_site="None"), "SameSite=None needs secure"),
        ("a", "v", CookieAttributes(partitioned=True), "Partitioned needs secure"),
        ("__Secure-a", "v", CookieAttributes(), "__Secure- needs"),
        ("__secure-a", "v", CookieAttributes(), "__Secure- needs"),
        ("__Host-a", "v", CookieAttributes(), "__Host- needs"),
        ("__Host-a", "v", CookieAttributes(secure=True, path="/x"), "__Host- needs"),
        ("__Host-a", "v", CookieAttributes(secure=True, path=None), "__Host- needs"),
        ("__HOST-a", "v", CookieAttributes(secure=True, domain="a.example"), "__Host- needs"),
    ],
)
def test_what_may_not_be_sent_is_refused(name: str, value: str, attributes: CookieAttributes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        format_set_cookie(name, value, attributes=attributes)


def test_the_longest_cookie_is_sent() -> None:
    assert len(format_set_cookie("a", "x" * 4095, attributes=BARE)) == 4097


values = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='",;\\'), max_size=20)
names = st.text(st.sampled_from("abcXYZ019-_.!"), min_size=1, max_size=10).filter(lambda name: name[0] != "_")


@given(names, values)
def test_cookies_are_read_back_here_and_by_the_standard_library(name: str, value: str) -> None:
    written = format_set_cookie(name, value, attributes=CookieAttributes(max_age=60))
    assert parse_cookies(written)[name] == value
    assert http.cookies.SimpleCookie(written)[name].value == value
