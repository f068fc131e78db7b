from typing import Any, cast

import pytest

from portico import __version__
from portico.client.asking import Asking, FieldPairs, Profile, request_fields, want
from portico.client.body import json_body
from portico.client.decoding import accepted
from portico.client.proxies import Proxies
from portico.client.redirects import Wanted
from portico.client.route import plan_route
from portico.errors import UsageError
from portico.http.jar import Jar
from portico.http.url import parse_url

DIRECT = Proxies()
AGENT = ("User-Agent", f"portico/{__version__}")
SAID = (("Host", "a.example"), AGENT, ("Accept", "*/*"), ("Accept-Encoding", accepted()))


def wanted(
    fields: FieldPairs = (), url: str = "http://a.example/", profile: Profile | None = None, **asking: Any
) -> Wanted:
    return want("GET", url, cast("Asking", {"fields": fields, **asking}), profile or Profile(proxies=DIRECT))


def fields_of(
    wanted: Wanted, *, proxy: str = "", cookies: str = "", decode: bool = True
) -> tuple[tuple[str, str], ...]:
    route = plan_route(wanted.url, parse_url(proxy) if proxy else None)
    return request_fields(wanted, route, cookies, decode=decode)


def test_what_is_said_by_itself() -> None:
    assert fields_of(wanted()) == SAID
    assert fields_of(wanted(), decode=False)[-1] == ("Accept-Encoding", "identity")
    assert fields_of(wanted(), cookies="a=b")[-1] == ("Cookie", "a=b")
    assert fields_of(wanted(url="http://me:pw@a.example:81"))[-1] == ("Authorization", "Basic bWU6cHc=")
    assert fields_of(wanted(json=1))[-1] == ("Content-Type", "application/json")


GIVEN: list[tuple[str, FieldPairs, tuple[tuple[str, str], ...]]] = [
    ("one more", [("X-Mine", "y")], (*SAID, ("X-Mine", "y"))),
    ("a map", {"X-Mine": "y"}, (*SAID, ("X-Mine", "y"))),
    ("the same twice", [("A", "1"), ("a", "2")], (*SAID, ("A", "1"), ("a", "2"))),
    ("an empty one", [("A", "")], (*SAID, ("A", ""))),
    ("instead", [("accept", "text/html")], (SAID[0], SAID[1], SAID[3], ("accept", "text/html"))),
    ("not at all", [("Accept", None), ("user-agent", None)], (SAID[0], SAID[3])),
    ("another host", [("Host", "b.example")], (*SAID[1:], ("Host", "b.example"))),
    ("a cookie", [("Cookie", "c=d")], (*SAID, ("Cookie", "c=d"))),
    ("for a proxy", [("Proxy-Authorization", "s3cret")], SAID),
]


@pytest.mark.parametrize(("given", "fields"), [row[1:] for row in GIVEN], ids=[row[0] for row in GIVEN])
def test_what_the_caller_says(given: FieldPairs, fields: tuple[tuple[str, str], ...]) -> None:
    assert fields_of(wanted(given)) == fields
    profile = Profile(fields=given, proxies=DIRECT)
    assert fields_of(wanted(profile=profile)) == fields


def test_the_caller_s_cookies_join_the_jar_s() -> None:
    assert fields_of(wanted([("Cookie", "c=d")]), cookies="a=b")[-1] == ("Cookie", "a=b; c=d")


def test_a_request_says_otherwise_than_its_client() -> None:
    profile = Profile(fields=[("A", "1"), ("B", "2"), ("b", "3")], proxies=DIRECT)
    assert wanted([("B", "4"), ("A", None)], profile=profile).fields == (("B", "4"), ("A", None))
    assert wanted([("C", "4")], profile=profile).fields == (("A", "1"), ("B", "2"), ("b", "3"), ("C", "4"))


def test_what_a_proxy_is_told() -> None:
    assert ("Proxy-Authorization", "Basic bWU6cHc=") in fields_of(wanted(), proxy="http://me:pw@p")
    assert ("Proxy-Authorization", "other") in fields_of(wanted({"Proxy-Authorization": "other"}), proxy="me:pw@p")
    tunnelled = wanted({"Proxy-Authorization": "other"}, url="https://a.example")
    assert "Proxy-Authorization" not in dict(fields_of(tunnelled, proxy="me:pw@p"))


@pytest.mark.parametrize(
    ("body", "is_asked"), [(b"x" * 1_048_576, False), (b"x" * 1_048_577, True), (iter([b"x"]), True), (b"", False)]
)
def test_large_bodies_ask_first(body: Any, is_asked: bool) -> None:
    assert (("Expect", "100-continue") in fields_of(wanted(body=body))) == is_asked
    assert "Expect" not in dict(fields_of(wanted({"expect": None}, body=body)))


def test_a_request_is_made_of_words() -> None:
    found = want("get", "a.example/b?c", Asking(params={"d": "e f"}), Profile(proxies=DIRECT))
    assert (found.method, str(found.url)) == ("GET", "http://a.example/b?c&d=e%20f")
    assert want("GET", parse_url(":80"), Asking(), Profile(proxies=DIRECT)).url.host == "localhost"


def test_json_may_be_null() -> None:
    body = wanted(json=None).body
    assert (body.length, body.media_type) == (4, json_body(None).media_type)


@pytest.mark.parametrize("given", [{"body": b"", "json": 1}, {"body": "", "data": {}}, {"json": None, "data": {}}])
def test_a_request_has_one_body(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="one of body, json and data"):
        wanted(**given)


@pytest.mark.parametrize("method", ["", "GE T", "GET\r\n", "M" * 65, "connect", "获取"])
def test_what_is_no_method(method: str) -> None:
    with pytest.raises(UsageError, match="not a method that can be asked with"):
        want(method, "http://a.example", Asking(), Profile(proxies=DIRECT))


@pytest.mark.parametrize("pair", [("", "a"), ("a:", "b"), ("a", "b\n"), ("a", "中"), ("a", " b")])
def test_what_is_no_field(pair: tuple[str, str]) -> None:
    with pytest.raises(UsageError):
        wanted([pair])
    with pytest.raises(UsageError):
        Profile(fields=[pair])


def test_a_profile_has_a_jar() -> None:
    jar = Jar()
    assert Profile(jar=jar).jar is jar
    assert isinstance(Profile().jar, Jar)
