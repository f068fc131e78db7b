"""Which proxy a URL goes through: the environment's variables, and who is exempt."""

import pytest

from portico.client.proxies import Proxies
from portico.errors import UsageError
from portico.http.url import UserInfo, parse_url

HTTP = {"http_proxy": "http://p:1"}
BOTH = {**HTTP, "https_proxy": "http://q:2"}

CASES = [
    ({}, "http://h/", None),
    (HTTP, "http://h/", "http://p:1/"),
    (HTTP, "https://h/", None),
    (BOTH, "https://h/", "http://q:2/"),
    ({"HTTP_PROXY": "p:1"}, "http://h/", "http://p:1/"),
    ({"HTTPS_PROXY": "p:1"}, "https://h/", "http://p:1/"),
    ({"ALL_PROXY": "p:1"}, "https://h/", "http://p:1/"),
    ({"all_proxy": "p:1", **HTTP, "http_proxy": "other:3"}, "http://h/", "http://other:3/"),
    ({**BOTH, "all_proxy": "socks5://s:1080"}, "https://h/", "http://q:2/"),
    ({"http_proxy": "lower:1", "HTTP_PROXY": "upper:1"}, "http://h/", "http://lower:1/"),
    ({"http_proxy": "", "HTTP_PROXY": "upper:1"}, "http://h/", None),
    ({"http_proxy": "  "}, "http://h/", None),
    ({"http_proxy": "https://p"}, "http://h/", "https://p/"),
    ({"http_proxy": "p"}, "http://h/", "http://p/"),
    # In a CGI script whoever asks chooses HTTP_PROXY.
    ({"HTTP_PROXY": "evil:1", "REQUEST_METHOD": "GET"}, "http://h/", None),
    ({"http_proxy": "p:1", "REQUEST_METHOD": "GET"}, "http://h/", "http://p:1/"),
    ({"HTTPS_PROXY": "p:1", "REQUEST_METHOD": "GET"}, "https://h/", "http://p:1/"),
    # As with curl.
    (HTTP, "http://localhost/", "http://p:1/"),
    (HTTP, "http://127.0.0.1/", "http://p:1/"),
    (HTTP, "unix:/run/x.sock:/", None),
    ({**HTTP, "NO_PROXY": "h"}, "http://h/", None),
    ({**HTTP, "no_proxy": "", "NO_PROXY": "h"}, "http://h/", "http://p:1/"),
]


@pytest.mark.parametrize(("environ", "url", "expected"), CASES)
def test_what_the_environment_says(environ: dict[str, str], url: str, expected: str | None) -> None:
    found = Proxies.from_environment(environ).find(parse_url(url))
    assert (None if found is None else str(found)) == expected


EXEMPT = [
    # no_proxy, host, whether it is asked directly
    ("example.com", "example.com", True),
    ("example.com", "www.example.com", True),
    ("example.com", "EXAMPLE.com.", True),
    ("example.com", "badexample.com", False),
    ("example.com", "example.com.evil.example", False),
    (".example.com", "example.com", True),
    (".example.com", "www.example.com", True),
    ("*.example.com", "www.example.com", True),
    ("Example.COM.", "example.com", True),
    ("a, example.com ,b", "example.com", True),
    ("a example.com\tb", "example.com", True),
    ("例子.中国", "例子.中国", True),
    ("localhost", "localhost:8000", True),
    ("localhost", "127.0.0.1", False),
    ("example.com:8000", "example.com:8000", True),
    ("example.com:8000", "example.com", False),
    ("example.com:80", "example.com", True),
    ("127.0.0.1", "127.0.0.1:8000", True),
    ("127.0.0.1:8000", "127.0.0.1:8000", True),
    ("127.0.0.1:8000", "127.0.0.1:8001", False),
    ("::1", "[::1]:8000", True),
    ("[::1]", "[::1]:8000", True),
    ("[::1]:8000", "[0:0::1]:8000", True),
    ("[::1]:8000", "[::1]", False),
    ("10.0.0.0/8", "10.1.2.3", True),
    ("10.0.0.0/8", "[::ffff:10.1.2.3]", True),
    ("10.1.2.3/8", "10.200.0.1", True),
    ("10.0.0.0/8", "11.0.0.1", False),
    ("10.0.0.0/8", "10.example", False),
    ("fd00::/8", "[fd12::1]", True),
    ("fd00::/8", "10.1.2.3", False),
    ("0.0.1", "127.0.0.1", False),
    ("*", "example.com", True),
    ("a,*", "[::1]", True),
    # nothing that a host can match
    ("192.168.*", "192.168.1.1", False),
    ("<local>", "local", False),
    ("10.0.0.0/99", "10.0.0.1", False),
    ("http://h/", "h", False),
    ("8000", "localhost:8000", False),
    (",, ,", "h", False),
    (".", "h", False),
]


@pytest.mark.parametrize(("exempt", "host", "is_direct"), EXEMPT)
def test_who_is_exempt(exempt: str, host: str, is_direct: bool) -> None:
    assert (Proxies("p:1", exempt=exempt).find(parse_url(f"http://{host}/")) is None) is is_direct


def test_credentials_come_with_the_proxy() -> None:
    found = Proxies("user:secret@p:1").find(parse_url("http://h/"))
    assert found is not None
    assert found.userinfo == UserInfo("user", "secret")


BAD = [
    ("socks5://s:1080", "scheme is not http or https"),
    ("http://p:x", "port is not a number"),
    ("http://u:hunter2@p:99999", "port is not a number"),
    ("http://", "names no host"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_a_value_that_is_no_proxy(text: str, message: str) -> None:
    proxies = Proxies.from_environment({"https_proxy": text})
    assert proxies.find(parse_url("http://h/")) is None
    with pytest.raises(UsageError, match=message) as caught:
        proxies.find(parse_url("https://h/"))
    assert "https_proxy" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_whether_there_is_any() -> None:
    assert not Proxies()
    assert Proxies("p:1")
    assert Proxies("", "p:1")
    assert not Proxies("p:1", exempt="*")
