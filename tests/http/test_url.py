"""URLs: what people type, what servers redirect to, and what neither may say."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.errors import PeerError, UsageError
from portico.http.url import Url, UserInfo, encode_pairs, join, parse_url

TYPED = [
    # text, (scheme, host, port, target)
    ("http://example.com/", ("http", "example.com", 80, "/")),
    ("http://example.com", ("http", "example.com", 80, "/")),
    ("HTTPS://Example.COM/Path?Q#f", ("https", "example.com", 443, "/Path?Q")),
    ("https://example.com:8443/x", ("https", "example.com", 8443, "/x")),
    ("https://example.com:/x", ("https", "example.com", 443, "/x")),
    ("example.com", ("http", "example.com", 80, "/")),
    ("  example.com/x ", ("http", "example.com", 80, "/x")),
    ("//example.com/x", ("http", "example.com", 80, "/x")),
    ("example.com:443", ("http", "example.com", 443, "/")),
    ("localhost:8000/x", ("http", "localhost", 8000, "/x")),
    ("host_with_underscore/x", ("http", "host_with_underscore", 80, "/x")),
    ("example.com./x", ("http", "example.com.", 80, "/x")),
    (":8000", ("http", "localhost", 8000, "/")),
    (":8000/x?y", ("http", "localhost", 8000, "/x?y")),
    (":/x", ("http", "localhost", 80, "/x")),
    ("8000", ("http", "localhost", 8000, "/")),
    ("8000/x", ("http", "localhost", 8000, "/x")),
    ("8000?x", ("http", "localhost", 8000, "/?x")),
    ("[::1]:80", ("http", "::1", 80, "/")),
    ("https://[2001:DB8:0:0::1]/x", ("https", "2001:db8::1", 443, "/x")),
    ("http://[fe80::1%25eth0]:8000/", ("http", "fe80::1%eth0", 8000, "/")),
    ("http://[fe80::1%eth0]/", ("http", "fe80::1%eth0", 80, "/")),
    ("http://127.0.0.1/", ("http", "127.0.0.1", 80, "/")),
    ("http://1.example/", ("http", "1.example", 80, "/")),
    # what follows the host
    ("http://h?x=http://other/", ("http", "h", 80, "/?x=http://other/")),
    ("h/x?u=http://other/", ("http", "h", 80, "/x?u=http://other/")),
    ("http://h#fragment", ("http", "h", 80, "/")),
    ("http://h/?a#b?c", ("http", "h", 80, "/?a")),
    ("http://h/?", ("http", "h", 80, "/?")),
    ("http://h/a?b?c", ("http", "h", 80, "/a?b?c")),
    ("http://host#@evil.example/", ("http", "host", 80, "/")),
    ("http://host?@evil.example/", ("http", "host", 80, "/?@evil.example/")),
    ("http://host/@evil.example/", ("http", "host", 80, "/@evil.example/")),
    # encoding: what is encoded stays as it is
    ("h/a b", ("http", "h", 80, "/a%20b")),
    ("h/a%20b%2Fc", ("http", "h", 80, "/a%20b%2Fc")),
    ("h/100%", ("http", "h", 80, "/100%25")),
    ("h/%zz%4", ("http", "h", 80, "/%25zz%254")),
    ("h/é?ü=你", ("http", "h", 80, "/%C3%A9?%C3%BC=%E4%BD%A0")),
    ('h/"<>\\^`{|}[]', ("http", "h", 80, "/%22%3C%3E%5C%5E%60%7B%7C%7D%5B%5D")),
    ("h/-._~!$&'()*+,;=:@", ("http", "h", 80, "/-._~!$&'()*+,;=:@")),
    ("h/\udce9", ("http", "h", 80, "/%E9")),
    # dots (RFC 3986 5.2.4), "%2e" being one
    ("h/a/b/c/./../../g", ("http", "h", 80, "/a/g")),
    ("h/mid/content=5/../6", ("http", "h", 80, "/mid/6")),
    ("h/../../x", ("http", "h", 80, "/x")),
    ("h/a/%2E%2e/.%2e/x/%2e", ("http", "h", 80, "/x/")),
    ("h/a/..", ("http", "h", 80, "/")),
    ("h/a//b/./", ("http", "h", 80, "/a//b/")),
    ("h/x?a/../b", ("http", "h", 80, "/x?a/../b")),
    # names in any language
    ("http://例子.中国/", ("http", "xn--fsqu00a.xn--fiqs8s", 80, "/")),
    ("http://例子。中国/", ("http", "xn--fsqu00a.xn--fiqs8s", 80, "/")),
    ("http://BÜCHER.example/", ("http", "xn--bcher-kva.example", 80, "/")),
    ("http://１２７.０.０.１/", ("http", "127.0.0.1", 80, "/")),
]


@pytest.mark.parametrize(("text", "expected"), TYPED)
def test_what_people_type(text: str, expected: tuple[str, str, int, str]) -> None:
    url = parse_url(text)
    assert (url.scheme, url.host, url.port, url.target) == expected
    assert (url.userinfo, url.socket) == (None, "")
    assert parse_url(str(url)) == url


def test_the_default_scheme() -> None:
    assert str(parse_url("example.com/x", "https")) == "https://example.com/x"
    assert str(parse_url("http://example.com/x", "https")) == "http://example.com/x"
    with pytest.raises(UsageError, match="scheme is not http or https"):
        parse_url("example.com", "ftp")


USERINFO = [
    ("http://user:secret@host/", "user", "secret"),
    ("user:secret@host:8000/", "user", "secret"),
    ("http://user@host/", "user", ""),
    ("http://:secret@host/", "", "secret"),
    ("http://@host/", "", ""),
    ("http://u:a:b@host/", "u", "a:b"),
    ("http://u%40x:p%2Fw%25%3A@host/", "u@x", "p/w%:"),
    ("http://张三:密码@host/", "张三", "密码"),
    ("http://u:100%@host/", "u", "100%"),
]


@pytest.mark.parametrize(("text", "user", "password"), USERINFO)
def test_credentials_are_kept_apart_and_never_shown(text: str, user: str, password: str) -> None:
    url = parse_url(text)
    assert url.userinfo == UserInfo(user, password)
    assert url.host == "host"
    assert "@" not in str(url)
    assert "userinfo" not in repr(url)
    assert parse_url(str(url)).origin == url.origin


SOCKETS = [
    ("http://unix:/run/x.sock:/path?q", "/run/x.sock", "/path?q", "http://unix:/run/x.sock:/path?q"),
    ("http://unix:/run/x.sock", "/run/x.sock", "/", "http://unix:/run/x.sock:/"),
    ("unix:/run/x.sock:", "/run/x.sock", "/", "http://unix:/run/x.sock:/"),
    ("unix:///run/x.sock:?q", "/run/x.sock", "/?q", "http://unix:/run/x.sock:/?q"),
    ("unix:/run/x.sock:#f", "/run/x.sock", "/", "http://unix:/run/x.sock:/"),
    ("https://unix:@name:/a/../b", "@name", "/b", "https://unix:@name:/b"),
    ("unix:/tmp/套接字:/", "/tmp/套接字", "/", "http://unix:/tmp/套接字:/"),
]


@pytest.mark.parametrize(("text", "socket", "target", "shown"), SOCKETS)
def test_sockets(text: str, socket: str, target: str, shown: str) -> None:
    url = parse_url(text)
    assert (url.socket, url.target, url.host, str(url)) == (socket, target, "localhost", shown)
    assert parse_url(str(url)) == url


def test_a_host_that_is_called_unix() -> None:
    assert parse_url("http://unix/x").host == "unix"
    assert parse_url("http://unix:8000/x").origin == ("http", "unix", 8000, "")


REFUSED = [
    ("", "names no host"),
    ("http://", "names no host"),
    ("http:///etc/passwd", "names no host"),
    ("http://:8000/", "names no host"),
    ("http://user@/", "names no host"),
    ("file:///etc/passwd", "scheme is not http or https"),
    ("ftp://h/", "scheme is not http or https"),
    ("://h/", "scheme is not http or https"),
    ("http:/h/", "two slashes"),
    ("http:h", "two slashes"),
    ("mailto:me", "port is not a number"),
    ("http://h:0/", "port is not a number, 1 to 65535"),
    ("http://h:65536/", "port is not a number"),
    ("http://h:000080/", "port is not a number"),
    ("http://h:８０/", "port is not a number"),
    ("http://h:-1/", "port is not a number"),
    ("http://h:80x/", "port is not a number"),
    ("http://::1/", "needs brackets"),
    ("::1", "needs brackets"),
    ("http://[::1/", "brackets do not match"),
    ("http://[::1]8000/", "brackets do not match"),
    ("http://[::g]/", "no IPv6 address"),
    ("http://[127.0.0.1]/", "no IPv6 address"),
    ("http://[fe80::1%]/", "not the name of an interface"),
    ("http://[fe80::1%25a/b]/", "brackets do not match"),
    ("http://[fe80::1%a b]/", "not the name of an interface"),
    # which host is meant? (RFC 3986 7.6, SSRF)
    ("http://a@b@c/", "%40"),
    ("http://good.example\\@evil.example/", "%5C"),
    ("http://good.example\\evil.example/", "its host is no name"),
    ("http://127.1/", "not four"),
    ("http://0177.0.0.1/", "not four"),
    ("http://2130706433/", "not four"),
    ("http://0x7f000001/", "not four"),
    ("http://1.2.3.0x4/", "not four"),
    ("http://1.2.3.256/", "not four"),
    ("http://127.0.0.1./", "not four"),
    ("http://ex%61mple.com/", "its host is no name"),
    ("http://a..b/", "its host is no name"),
    ("http://-a/", "its host is no name"),
    ("http://a-/", "its host is no name"),
    ("http://./", "its host is no name"),
    ("http://a b/", "its host is no name"),
    ("http://" + "a" * 64 + "/", "its host is no name"),
    ("http://" + "a." * 127 + "/", "its host is no name"),
    # forms of other characters that compatibility turns into these (CVE-2019-9636)
    ("http://a℀b.example/", "its host is no name"),
    ("http://a．．b/", "IDNA"),
    ("http://" + "é" * 64 + "/", "IDNA"),
    ("http://\u200b/", "IDNA|no name"),
    ("http://\udce9/", "IDNA"),
    # head injection (CVE-2019-9740)
    ("http://h/ HTTP/1.1\r\nEvil: 1", "control character"),
    ("http://h\n/", "control character"),
    ("http://h/\x00", "control character"),
    ("http://h/\x7f", "control character"),
    ("\thttp://h/", "control character"),
    ("http://u:a%0D%0Ab@h/", "control character"),
    ("http://u%00@h/", "control character"),
    ("http://u%3Ax:y@h/", "colon"),
    ("http://u:%ff@h/", "not UTF-8"),
    ("http://h/\ud800", "lone surrogate"),
    # sockets
    ("http://unix:/", "write a socket as"),
    ("http://unix:@", "write a socket as"),
    ("unix:/run/x.sock:path", "write a socket as"),
    ("unix:/run/x.sock?x:/", "write a socket as"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse_url(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["http://u:hunter2@h:x/", "u:hunter2@/", "http://u:hun/hunter2@h/", "u:a@hunter2@h"])
def test_a_message_never_shows_a_password(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_url(text)
    assert "hunter2" not in str(caught.value)


AUTHORITIES = [
    ("http://h/", "h"),
    ("http://h:80/", "h"),
    ("http://h:443/", "h:443"),
    ("https://h:443/", "h"),
    ("https://u:p@h:80/", "h:80"),
    ("http://[::1]/", "[::1]"),
    ("http://[::1]:8000/", "[::1]:8000"),
    ("http://[fe80::1%25eth0]:8000/", "[fe80::1]:8000"),
    ("http://unix:/run/x.sock:/", "localhost"),
]


@pytest.mark.parametrize(("text", "authority"), AUTHORITIES)
def test_what_host_says(text: str, authority: str) -> None:
    assert parse_url(text).authority == authority


def test_a_zone_is_shown_but_not_sent() -> None:
    assert str(parse_url("[fe80::1%eth0]:8000/")) == "http://[fe80::1%25eth0]:8000/"


ORIGINS = [
    ("http://h/", "http://H:80/x", True),
    ("http://u:p@h/", "http://h/", True),
    ("http://h/", "https://h/", False),
    ("http://h/", "http://h:8000/", False),
    ("http://h/", "http://h./", False),
    ("http://localhost/", "unix:/run/x", False),
    ("unix:/run/y", "unix:/run/x", False),
    ("unix:/run/x:/a", "unix:/run/x:/b", True),
]


@pytest.mark.parametrize(("one", "other", "is_same"), ORIGINS)
def test_origins(one: str, other: str, is_same: bool) -> None:
    assert (parse_url(one).origin == parse_url(other).origin) is is_same


def test_parts_of_the_target() -> None:
    url = parse_url("https://h/a?b?c")
    assert (url.path, url.query, url.is_secure) == ("/a", "b?c", True)
    plain = parse_url("http://h/a")
    assert (plain.path, plain.query, plain.is_secure) == ("/a", None, False)


def test_params_are_added_to_the_query() -> None:
    url = parse_url("http://h/a?x=1#f")
    assert url.with_params({"y": "2 3", "你": "&=+%"}).target == "/a?x=1&y=2%203&%E4%BD%A0=%26%3D%2B%25"
    assert url.with_params([("y", "2"), ("y", "")]).target == "/a?x=1&y=2&y="
    assert parse_url("http://h/a").with_params({"y": "2"}).target == "/a?y=2"
    assert parse_url("http://h/a?").with_params({"y": "2"}).target == "/a?y=2"
    assert url.with_params({}) is url


def test_pairs_with_half_a_character_are_refused() -> None:
    with pytest.raises(UsageError, match="lone surrogate"):
        encode_pairs([("a", "\ud800")])


# RFC 3986 section 5.4, base http://a/b/c/d;p?q, without fragments.
BASE = parse_url("http://a/b/c/d;p?q")
RFC_EXAMPLES = [
    ("g", "http://a/b/c/g"),
    ("./g", "http://a/b/c/g"),
    ("g/", "http://a/b/c/g/"),
    ("/g", "http://a/g"),
    ("//g", "http://g/"),
    ("?y", "http://a/b/c/d;p?y"),
    ("g?y", "http://a/b/c/g?y"),
    ("#s", "http://a/b/c/d;p?q"),
    ("g#s", "http://a/b/c/g"),
    ("g?y#s", "http://a/b/c/g?y"),
    (";x", "http://a/b/c/;x"),
    ("g;x", "http://a/b/c/g;x"),
    ("g;x?y#s", "http://a/b/c/g;x?y"),
    ("", "http://a/b/c/d;p?q"),
    (".", "http://a/b/c/"),
    ("./", "http://a/b/c/"),
    ("..", "http://a/b/"),
    ("../", "http://a/b/"),
    ("../g", "http://a/b/g"),
    ("../..", "http://a/"),
    ("../../", "http://a/"),
    ("../../g", "http://a/g"),
    ("../../../g", "http://a/g"),
    ("../../../../g", "http://a/g"),
    ("/./g", "http://a/g"),
    ("/../g", "http://a/g"),
    ("g.", "http://a/b/c/g."),
    (".g", "http://a/b/c/.g"),
    ("g..", "http://a/b/c/g.."),
    ("..g", "http://a/b/c/..g"),
    ("./../g", "http://a/b/g"),
    ("./g/.", "http://a/b/c/g/"),
    ("g/./h", "http://a/b/c/g/h"),
    ("g/../h", "http://a/b/c/h"),
    ("g;x=1/./y", "http://a/b/c/g;x=1/y"),
    ("g;x=1/../y", "http://a/b/c/y"),
    ("g?y/./x", "http://a/b/c/g?y/./x"),
    ("g?y/../x", "http://a/b/c/g?y/../x"),
    ("g#s/../x", "http://a/b/c/g"),
]
LOCATIONS = [
    ("HTTPS://B:8443/x", "https://b:8443/x"),
    ("http://b", "http://b/"),
    ("http://b?x", "http://b/?x"),
    ("?", "http://a/b/c/d;p?"),
    ("/a b", "http://a/a%20b"),
    ("/é".encode().decode("latin-1"), "http://a/%C3%A9"),
    ("/\xe9", "http://a/%E9"),
    ("http://例子.中国/".encode().decode("latin-1"), "http://xn--fsqu00a.xn--fiqs8s/"),
    ("/\\evil.example", "http://a/%5Cevil.example"),
    ("8000/x", "http://a/b/c/8000/x"),
    ("b.example/x", "http://a/b/c/b.example/x"),
    (":8000/x", "http://a/b/c/:8000/x"),
]


@pytest.mark.parametrize(("location", "expected"), RFC_EXAMPLES + LOCATIONS)
def test_where_a_redirect_leads(location: str, expected: str) -> None:
    assert str(join(BASE, location)) == expected


MISLEADING = [
    ("http:g", "no http or https URL"),  # RFC 3986 5.4.2: strict
    ("g:h", "no http or https URL"),
    ("localhost:8000/x", "no http or https URL"),
    ("javascript:alert(1)//x", "no http or https URL"),
    ("http:://h/", "no http or https URL"),
    ("ftp://h/", "scheme is not http or https"),
    ("file:///etc/passwd", "scheme is not http or https"),
    ("http://unix:/run/docker.sock:/", "only you may name a socket"),
    ("//unix:@name:/", "only you may name a socket"),
    ("//", "names no host"),
    ("http://a@b@c/", "%40"),
    ("http://h:99999/", "port"),
    ("/x\ny", "control character"),
    ("/你", "cannot follow"),
    ("http://\xff/", "IDNA"),
]


@pytest.mark.parametrize(("location", "message"), MISLEADING)
def test_where_nobody_follows(location: str, message: str) -> None:
    with pytest.raises(PeerError, match=message) as caught:
        join(BASE, location)
    assert caught.value.status == 502


def test_credentials_stay_where_they_belong() -> None:
    base = parse_url("http://u:p@a/x")
    assert join(base, "/y").userinfo == UserInfo("u", "p")
    assert join(base, "//a/y").userinfo is None
    assert join(base, "http://b/y").userinfo is None
    assert join(base, "http://v:q@b/y").userinfo == UserInfo("v", "q")


def test_a_server_on_a_socket_can_redirect_to_itself_alone() -> None:
    base = parse_url("unix:/run/x.sock:/a/b")
    assert str(join(base, "c")) == "http://unix:/run/x.sock:/a/c"
    assert join(base, "http://localhost/c").socket == "/run/x.sock"
    assert join(base, "https://localhost/c").socket == ""
    assert join(base, "http://localhost:8000/c").socket == ""


texts = st.text(st.characters(codec="utf-8", min_codepoint=32), max_size=30)
tricky = st.text(st.sampled_from("ab:/@?#[]%.\\ 0142xé你unix"), max_size=24)
WIRE = re.compile(r"/[!-~]*")


@given(texts | tricky | tricky.map(lambda text: f"http://{text}"))
def test_whatever_is_typed_can_be_sent_or_is_refused(text: str) -> None:
    try:
        url = parse_url(text)
    except UsageError:
        return
    assert WIRE.fullmatch(url.target)
    assert re.fullmatch(r"[a-z0-9._\-]+|\[[0-9a-f:.]+\]", url.authority.rpartition(":")[0] or url.authority)
    again = parse_url(str(url))
    assert (again.origin, again.target) == (url.origin, url.target)
    # A target that begins with two slashes would name a host, as a reference.
    assert url.target.startswith("//") or join(url, url.target) == url


@given(st.text(st.characters(max_codepoint=255), max_size=30) | tricky)
def test_no_location_leaves_http_or_finds_a_socket(location: str) -> None:
    try:
        found = join(BASE, location)
    except PeerError:
        return
    assert found.socket == ""
    assert found.scheme in ("http", "https")
    assert WIRE.fullmatch(found.target)


@given(st.lists(st.tuples(texts, texts), max_size=5))
def test_pairs_are_read_back_by_the_standard_library(pairs: list[tuple[str, str]]) -> None:
    from urllib.parse import parse_qsl

    assert parse_qsl(encode_pairs(pairs), keep_blank_values=True, max_num_fields=None) == pairs


def test_a_url_is_a_value() -> None:
    url = parse_url("http://h/x")
    assert url == Url("http", "h", 80, "/x")
    assert hash(url) == hash(parse_url("http://H:80/x"))
