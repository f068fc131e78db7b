"""Ways as they are planned; that they are gone is in test_http.py."""

import pytest
from tests.client.stage import HOLD, serving

from portico.client.connection import Asked
from portico.client.network import BlockingNetwork, run
from portico.client.route import Route, basic, open_route, plan_route
from portico.client.timeouts import Clock, Timeouts
from portico.errors import Gone
from portico.http.url import UserInfo, parse_url
from portico.net.addresses import Address
from portico.net.tls import client_context

CREDENTIALS = "Basic bWU6cHc="
PLANS: list[tuple[str, str, str, Route]] = [
    ("http://a.example/", "", "", Route(Address("tcp", host="a.example", port=80))),
    ("https://a.example.:444/", "", "", Route(Address("tcp", host="a.example.", port=444), "a.example")),
    ("https://[fe80::1%eth0]/", "", "", Route(Address("tcp", host="fe80::1%eth0", port=443), "fe80::1")),
    ("http://a.example/", "", "/s", Route(Address("unix", path="/s"))),
    ("https://a.example/", "p:1", "/s", Route(Address("unix", path="/s"), "a.example")),
    ("http://unix:@s:/", "p:1", "", Route(Address("unix", path="@s"))),
    ("http://a.example/", "p:1", "", Route(Address("tcp", host="p", port=1), is_absolute=True)),
    (
        "http://a.example/",
        "https://me:pw@p",
        "",
        Route(Address("tcp", host="p", port=443), proxy_host="p", proxy_field=CREDENTIALS, is_absolute=True),
    ),
    ("https://a.example/", "p:1", "", Route(Address("tcp", host="p", port=1), "a.example", tunnel="a.example:443")),
]


@pytest.mark.parametrize(("url", "proxy", "unix", "route"), PLANS)
def test_a_way_is_planned(url: str, proxy: str, unix: str, route: Route) -> None:
    assert plan_route(parse_url(url), parse_url(proxy) if proxy else None, unix) == route


def test_an_address_in_brackets_keeps_them_in_a_tunnel() -> None:
    route = plan_route(parse_url("https://[::1]:8/"), parse_url("http://me:pw@p:1"))
    assert (route.tunnel, route.secure_host, route.proxy_field) == ("[::1]:8", "::1", CREDENTIALS)


def test_a_proxy_may_be_a_socket_file() -> None:
    assert plan_route(parse_url("http://a.example"), parse_url("http://unix:/s")).address == Address("unix", path="/s")


@pytest.mark.parametrize(
    ("user", "password", "value"),
    [
        ("Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),  # RFC 7617 section 2
        ("test", "123£", "Basic dGVzdDoxMjPCow=="),  # section 2.1
        ("", "", "Basic Og=="),
    ],
)
def test_credentials_are_written(user: str, password: str, value: str) -> None:
    assert basic(UserInfo(user, password)) == value


def opened(route: Route, timeouts: Timeouts) -> None:
    run(open_route(route, BlockingNetwork(), Clock(timeouts), context=client_context, observer=None))


def test_a_server_that_does_not_speak_tls_is_waited_for_only_so_long() -> None:
    def silent(sock: object, request: bytes) -> None:
        raise AssertionError("nobody asks it anything")

    with serving([silent]) as server:
        route = plan_route(parse_url(f"https://{server.authority}"), None)
        with pytest.raises(Gone, match=r"sent nothing for 0\.05 s"):
            opened(route, Timeouts(connect_s=0.05))
        with pytest.raises(Gone, match=r"not done after 0\.05 s"):
            opened(route, Timeouts(total_s=0.05))


def test_a_proxy_that_says_nothing_is_waited_for_only_so_long() -> None:
    with serving([HOLD]) as server:
        route = plan_route(parse_url("https://a.example"), parse_url(server.url))
        with pytest.raises(Gone, match=r"sent nothing for 0\.05 s"):
            opened(route, Timeouts(read_s=0.05))


def test_a_connection_is_ready_for_a_request() -> None:
    with serving([b"HTTP/1.1 204 x\r\n\r\n"]) as server:
        clock = Clock(Timeouts())
        route = plan_route(parse_url(server.url), None)
        connection = run(open_route(route, BlockingNetwork(), clock, context=client_context, observer=None))
        assert run(connection.ask(Asked("GET", "/", (("Host", "a"),)), clock)).status == 204
        connection.close()
