import pytest

from portico.client.body import EMPTY, Body, make_body
from portico.client.redirects import Fields, Wanted, redirected
from portico.errors import PeerError, Refused
from portico.http.url import parse_url

BODY = make_body(b"abc")
ONCE = make_body(iter([b"abc"]))


def wanted(method: str = "GET", url: str = "http://a.example/x/y?z", fields: Fields = (), body: Body = EMPTY) -> Wanted:
    return Wanted(method, parse_url(url), fields, body)


# RFC 9110 15.4: method and status -> the method afterwards.
METHODS = [
    ("GET", 301, "GET"),
    ("GET", 302, "GET"),
    ("GET", 303, "GET"),
    ("GET", 307, "GET"),
    ("GET", 308, "GET"),
    ("HEAD", 301, "HEAD"),
    ("HEAD", 303, "HEAD"),
    ("POST", 301, "GET"),
    ("POST", 302, "GET"),
    ("POST", 303, "GET"),
    ("POST", 307, "POST"),
    ("POST", 308, "POST"),
    ("PUT", 301, "PUT"),
    ("PUT", 302, "PUT"),
    ("PUT", 303, "GET"),
    ("PUT", 307, "PUT"),
    ("DELETE", 302, "DELETE"),
    ("DELETE", 303, "GET"),
]


@pytest.mark.parametrize(("method", "status", "after"), METHODS)
def test_the_method_that_follows(method: str, status: int, after: str) -> None:
    following = redirected(wanted(method, body=BODY), status, "/b")
    assert following is not None
    assert following.method == after
    assert following.body is (BODY if after == method and (method, status) != ("GET", 303) else EMPTY)


@pytest.mark.parametrize(("status", "location"), [(200, "/b"), (300, "/b"), (304, "/b"), (305, "/b"), (302, None)])
def test_what_is_no_redirect(status: int, location: str | None) -> None:
    assert redirected(wanted(), status, location) is None


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/b", "http://a.example/b"),
        ("b", "http://a.example/x/b"),
        ("?q", "http://a.example/x/y?q"),
        ("//b.example/", "http://b.example/"),
        ("https://b.example", "https://b.example/"),
        ("/b#part", "http://a.example/b"),
    ],
)
def test_where_it_leads(location: str, url: str) -> None:
    following = redirected(wanted(), 302, location)
    assert following is not None
    assert str(following.url) == url


SECRETS: Fields = (
    ("Authorization", "s"),
    ("cookie", "s"),
    ("Proxy-Authorization", "s"),
    ("HOST", "s"),
    ("X-Mine", "y"),
    ("Accept", None),
)
OTHERS = SECRETS[4:]


@pytest.mark.parametrize(
    ("location", "fields"),
    [
        ("/b", SECRETS),
        ("https://a.example/b", SECRETS),
        ("https://a.example:443/b", SECRETS),
        ("http://a.example/b", OTHERS),
        ("https://a.example:444/b", OTHERS),
        ("https://b.example/b", OTHERS),
        ("https://b.a.example/b", OTHERS),
        ("//b.example/", OTHERS),
    ],
)
def test_secrets_stay_with_their_origin(location: str, fields: Fields) -> None:
    following = redirected(wanted(url="https://me:pw@a.example/x", fields=SECRETS), 307, location)
    assert following is not None
    assert following.fields == fields
    assert (following.url.userinfo is not None) == (fields is SECRETS)


@pytest.mark.parametrize("location", ["http://eve:pw@b.example/", "http://eve:pw@a.example/b"])
def test_credentials_in_a_location_are_not_used(location: str) -> None:
    following = redirected(wanted(), 302, location)
    assert following is not None
    assert following.url.userinfo is None


def test_fields_about_a_body_leave_with_it() -> None:
    fields: Fields = (("Content-Type", "text/plain"), ("content-encoding", "gzip"), ("X", "y"))
    following = redirected(wanted("POST", fields=fields, body=BODY), 303, "/b")
    assert following == Wanted("GET", parse_url("http://a.example/b"), (("X", "y"),), EMPTY)
    again = redirected(wanted("POST", fields=fields, body=BODY), 307, "/b")
    assert again is not None
    assert again.fields == fields


def test_a_body_that_goes_by_once_cannot_follow() -> None:
    with pytest.raises(Refused, match=r"http://b\.example/, and the body cannot be sent again"):
        redirected(wanted("PUT", body=ONCE), 308, "http://b.example/")
    assert redirected(wanted("POST", body=ONCE), 303, "/b") is not None


@pytest.mark.parametrize(
    "location", ["ftp://b.example/", "javascript:alert(1)", "http://", "http://unix:/run/x:/", "\r"]
)
def test_a_location_that_is_none(location: str) -> None:
    with pytest.raises(PeerError):
        redirected(wanted(), 302, location)
