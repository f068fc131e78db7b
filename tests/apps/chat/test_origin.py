"""Which pages may talk to the chat."""

import pytest

from portico.apps.chat.origin import Origins, Standing, is_allowable, preflight_fields, sharing_fields
from portico.errors import UsageError

OWN, GUEST, FOREIGN = Standing.OWN, Standing.GUEST, Standing.FOREIGN
SHOP = ("https://shop.example", "http://intranet:8080")

CASES = [
    ("no page", None, "http", "chat.example", OWN),
    ("our page", "http://chat.example", "http", "chat.example", OWN),
    ("our page, its port named", "http://chat.example:80", "http", "chat.example", OWN),
    ("our page, our port named", "http://chat.example", "http", "chat.example:80", OWN),
    ("our page, in capitals", "http://CHAT.example", "http", "Chat.Example", OWN),
    ("our page on another port", "http://chat.example:8000", "http", "chat.example:8000", OWN),
    ("our page by IPv6", "http://[::1]:8000", "http", "[::1]:8000", OWN),
    ("our page behind a proxy with TLS", "https://chat.example", "http", "chat.example", OWN),
    ("our page over TLS", "https://chat.example", "https", "chat.example", OWN),
    ("a plain page of our name, we have TLS", "http://chat.example", "https", "chat.example", FOREIGN),
    ("another port", "http://chat.example:8001", "http", "chat.example:8000", FOREIGN),
    ("another host", "http://evil.example", "http", "chat.example", FOREIGN),
    ("a name that ours begins", "http://chat.example.evil.example", "http", "chat.example", FOREIGN),
    ("a named site", "https://shop.example", "http", "chat.example", GUEST),
    ("a named site, its port named", "https://shop.example:443", "http", "chat.example", GUEST),
    ("a named site without its TLS", "http://shop.example", "http", "chat.example", FOREIGN),
    ("a named site on a port", "http://intranet:8080", "http", "chat.example", GUEST),
    ("a site below a named one", "https://a.shop.example", "http", "chat.example", FOREIGN),
    ("a file, or whoever hides", "null", "http", "chat.example", FOREIGN),
    ("nothing", "", "http", "chat.example", FOREIGN),
    ("an origin with a path", "https://shop.example/a", "http", "chat.example", FOREIGN),
    ("an origin with a user", "https://shop.example@evil.example", "http", "chat.example", FOREIGN),
    ("two origins", "https://shop.example https://evil.example", "http", "chat.example", FOREIGN),
    ("another scheme", "file://shop.example", "http", "chat.example", FOREIGN),
    ("a name without a scheme", "shop.example", "http", "chat.example", FOREIGN),
    ("no Host", "http://chat.example", "http", "", FOREIGN),
]


@pytest.mark.parametrize(
    ("origin", "scheme", "authority", "standing"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_standing(origin: str | None, scheme: str, authority: str, standing: Standing) -> None:
    assert Origins(SHOP).judge(origin, scheme, authority) is standing


def test_every_site_may_be_allowed_and_hiding_is_not() -> None:
    origins = Origins(["*"])
    assert origins.judge("http://any.example", "http", "chat.example") is GUEST
    assert origins.judge("null", "http", "chat.example") is FOREIGN
    assert origins.frame_ancestors == "*"


def test_frames_are_for_those_who_are_named() -> None:
    assert Origins().frame_ancestors == "'self'"
    assert (
        Origins(["https://shop.example/", "http://b:81"]).frame_ancestors == "'self' https://shop.example http://b:81"
    )


@pytest.mark.parametrize(
    "text", ["shop.example", "https://shop.example/page", "https://", "ftp://shop", "", "https://a;b"]
)
def test_what_is_no_origin_is_not_allowed(text: str) -> None:
    assert not is_allowable(text)
    with pytest.raises(UsageError, match="is no origin"):
        Origins([text])


@pytest.mark.parametrize("text", ["*", "https://shop.example", "http://10.0.0.7:8080", "https://[::1]:8443"])
def test_what_can_be_allowed(text: str) -> None:
    assert is_allowable(text)


def test_a_page_of_another_site_is_let_read_its_own_answer_alone() -> None:
    assert sharing_fields("https://shop.example") == (
        ("Access-Control-Allow-Origin", "https://shop.example"),
        ("Vary", "Origin"),
    )
    fields = dict(preflight_fields(["POST"]))
    assert fields["Access-Control-Allow-Methods"] == "POST"
    assert fields["Access-Control-Allow-Headers"] == "authorization, content-type"
