import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.errors import UsageError
from portico.net.addresses import Address, Kind, parse_address, url

WITH_PORT = [
    ("localhost:8000", Address("tcp", host="localhost", port=8000)),
    ("127.0.0.1:80", Address("tcp", host="127.0.0.1", port=80)),
    ("LocalHost:1", Address("tcp", host="localhost", port=1)),
    ("box.local.:0", Address("tcp", host="box.local.", port=0)),
    ("a_b-c.d:65535", Address("tcp", host="a_b-c.d", port=65_535)),
    ("主机.中国:80", Address("tcp", host="主机.中国", port=80)),
    (":8000", Address("tcp", host="*", port=8000)),
    ("*:8000", Address("tcp", host="*", port=8000)),
    ("0.0.0.0:8000", Address("tcp", host="0.0.0.0", port=8000)),
    ("8000", Address("tcp", host="localhost", port=8000)),
    ("h:00080", Address("tcp", host="h", port=80)),
    ("[::1]:8000", Address("tcp", host="::1", port=8000)),
    ("[::]:8000", Address("tcp", host="::", port=8000)),
    ("[0:0:0:0:0:0:0:1]:80", Address("tcp", host="::1", port=80)),
    ("[2001:DB8::A]:80", Address("tcp", host="2001:db8::a", port=80)),
    ("[fe80::1%eth0]:80", Address("tcp", host="fe80::1%eth0", port=80)),
    ("tcp://h:80", Address("tcp", host="h", port=80)),
    ("tcp://:80", Address("tcp", host="*", port=80)),
    ("tcp://80", Address("tcp", host="localhost", port=80)),
    ("tcp://unix:80", Address("tcp", host="unix", port=80)),
    ("tcp:80", Address("tcp", host="tcp", port=80)),
    ("udp://[::1]:53", Address("udp", host="::1", port=53)),
    ("tls://Box.local:443", Address("tls", host="box.local", port=443)),
    ("tls://[::1]:443", Address("tls", host="::1", port=443)),
    ("unix:/run/x.sock", Address("unix", path="/run/x.sock")),
    ("unix:///run/x.sock", Address("unix", path="/run/x.sock")),
    ("unix:x.sock", Address("unix", path="x.sock")),
    ("unix:8000", Address("unix", path="8000")),
    ("unix:@portico", Address("unix", path="@portico")),
    ("unix:/run/x?mode=660", Address("unix", path="/run/x", mode=0o660)),
    ("unix:///run/x?mode=0600", Address("unix", path="/run/x", mode=0o600)),
    ("unix:x?mode=0", Address("unix", path="x", mode=0)),
    ("fd:3", Address("fd", number=3)),
    ("fd://3", Address("fd", number=3)),
    ("fd:0", Address("fd", number=0)),
]

WITHOUT_PORT = [
    ("localhost", "localhost"),
    ("10.0.0.7", "10.0.0.7"),
    ("*", "*"),
    ("[::1]", "::1"),
    ("::1", "::1"),
    ("::", "::"),
    ("fe80::1%eth0", "fe80::1%eth0"),
    ("::ffff:10.0.0.7", "::ffff:10.0.0.7"),
    ("tcp://localhost", "localhost"),
    ("tcp://::1", "::1"),
]

WRONG = [
    ("", "'' is not an address; write HOST:PORT"),
    ("tcp://", "'tcp://' is not an address"),
    ("h:", "the port '' is not a number, 0 to 65535"),
    ("h:http", "the port 'http' is not a number, 0 to 65535"),
    ("h:-1", "the port '-1' is not a number"),
    ("h:1_0", "the port '1_0' is not a number"),
    ("h:８０", "is not a number"),
    ("h:80/", "the port '80/' is not a number"),
    ("h:65536", "the port '65536' is not within 0 to 65535"),
    ("65536", "the port '65536' is not within 0 to 65535"),
    ("h:000080", "the port '000080' is not within 0 to 65535"),
    ("h", "'h' has no port; write HOST:PORT, as in localhost:8000"),
    ("::1", "'::1' has no port"),
    ("http://localhost:8000", "the scheme 'http' is not tcp, tls, udp, unix or fd"),
    ("[::1:80", "brackets that do not match"),
    ("[::1]80", "brackets that do not match"),
    ("[localhost]:80", "'localhost' is not an IPv6 address"),
    ("[*]:80", "'*' is not an IPv6 address"),
    ("[127.0.0.1]:80", "'127.0.0.1' is not an IPv6 address"),
    ("[]:80", "'' is not an IPv6 address"),
    ("a:b:80", "'a:b:80' is not an IPv6 address"),
    ("[::1\0]:80", "is not an IPv6 address"),
    ("[fe80::1%]:80", "'' is not the name of an interface"),
    ("[fe80::1%a b]:80", "'a b' is not the name of an interface"),
    ("127.1:80", "'127.1' is not four numbers, 0 to 255"),
    ("256.0.0.1:80", "'256.0.0.1' is not four numbers"),
    ("010.0.0.1:80", "'010.0.0.1' is not four numbers"),
    ("8000:80", "'8000' is not four numbers"),
    ("a b:80", "'a b' is not a host name"),
    ("user@h:80", "'user@h' is not a host name"),
    ("a..b:80", "'a..b' is not a host name"),
    (".:80", "'.' is not a host name"),
    ("h\n:80", "is not a host name"),
    (f"{'a' * 254}:80", "is not a host name"),
    ("unix:", "'unix:' names no socket; write unix:PATH"),
    ("unix:///", "names no socket"),
    ("unix:@", "names no socket"),
    ("unix:a\0b", "names no socket"),
    ("unix:?mode=660", "names no socket"),
    ("unix:x?", "write the permissions as unix:PATH?mode=660, within 0 to 777"),
    ("unix:x?mod=660", "write the permissions as unix:PATH?mode=660"),
    ("unix:x?mode=", "write the permissions as"),
    ("unix:x?mode=rw", "write the permissions as"),
    ("unix:x?mode=888", "write the permissions as"),
    ("unix:x?mode=1000", "write the permissions as"),
    ("unix:x?mode=660&user=www", "write the permissions as"),
    ("unix:@x?mode=660", "is no file, so it has no permissions; leave out '?mode=660'"),
    ("fd:", "'fd:' names no file descriptor; write fd:N, as in fd:3"),
    ("fd:x", "names no file descriptor"),
    ("fd:-1", "names no file descriptor"),
    ("fd:9999999999", "names no file descriptor"),
]


@pytest.mark.parametrize(("text", "address"), WITH_PORT)
def test_parse_address(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert parse_address(text, default_port=4) == address


@pytest.mark.parametrize(("text", "host"), WITHOUT_PORT)
@pytest.mark.parametrize("port", [0, 8000])
def test_default_port(text: str, host: str, port: int) -> None:
    assert parse_address(text, default_port=port) == Address("tcp", host=host, port=port)


@pytest.mark.parametrize(
    ("scheme", "text", "address"),
    [
        ("udp", "h:53", Address("udp", host="h", port=53)),
        ("udp", "tcp://h:53", Address("tcp", host="h", port=53)),
        ("unix", "/run/x", Address("unix", path="/run/x")),
        ("fd", "3", Address("fd", number=3)),
    ],
)
def test_default_scheme(scheme: Kind, text: str, address: Address) -> None:
    assert parse_address(text, default_scheme=scheme) == address


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_wrong_addresses_get_one_line(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_address(text)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (Address("tcp", host="127.0.0.1", port=80), "127.0.0.1:80"),
        (Address("tcp", host="::1", port=80), "[::1]:80"),
        (Address("tcp", host="*", port=0), "*:0"),
        (Address("tcp", host="fd", port=3), "tcp://fd:3"),
        (Address("udp", host="h", port=53), "udp://h:53"),
        (Address("unix", path="/run/x"), "unix:/run/x"),
        (Address("unix", path="/run/x", mode=0o60), "unix:/run/x?mode=60"),
        (Address("fd", number=3), "fd:3"),
    ],
)
def test_address_as_text(address: Address, text: str) -> None:
    assert str(address) == text


HOSTS = st.one_of(
    st.just("*"),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
    st.text(string.ascii_letters + string.digits + "-_.ßİ中", max_size=12),
    st.sampled_from(["unix", "fd", "tcp", "udp", "localhost"]),
)
TEXTS = st.one_of(
    st.builds("{}{}:{}".format, st.sampled_from(["", "tcp://", "udp://"]), HOSTS, st.integers(0, 65_535)),
    st.text(max_size=20).map("unix:{}".format),
    st.builds("unix:{}?mode={:o}".format, st.text(max_size=20), st.integers(0, 0o1777)),
    st.integers(0, 10**9).map("fd:{}".format),
    st.text(),
)


@given(TEXTS)
def test_text_of_an_address_reads_as_the_same_address(text: str) -> None:
    try:
        address = parse_address(text, default_port=8000)
    except UsageError:
        return
    assert parse_address(str(address)) == address


@given(st.ip_addresses(v=6), st.integers(0, 65_535))
def test_every_ipv6_address_is_read(host: object, port: int) -> None:
    assert parse_address(f"[{host}]:{port}").port == port
    assert parse_address(str(host), default_port=port) == parse_address(f"[{host}]:{port}")


@pytest.mark.parametrize(
    ("text", "scheme", "shown"),
    [
        ("127.0.0.1:8000", "http", "http://localhost:8000/"),
        ("localhost:8000", "http", "http://localhost:8000/"),
        ("*:8000", "http", "http://localhost:8000/"),
        ("0.0.0.0:8000", "http", "http://localhost:8000/"),
        ("[::]:8000", "http", "http://localhost:8000/"),
        ("[::1]:8000", "http", "http://[::1]:8000/"),
        ("127.0.0.2:8000", "http", "http://127.0.0.2:8000/"),
        ("192.168.1.5:8000", "http", "http://192.168.1.5:8000/"),
        ("localhost:80", "http", "http://localhost/"),
        ("localhost:443", "http", "http://localhost:443/"),
        ("localhost:443", "https", "https://localhost/"),
        ("localhost:80", "ws", "ws://localhost/"),
        ("localhost:70", "gopher", "gopher://localhost:70/"),
        ("[fe80::1%eth0]:80", "http", "http://[fe80::1%25eth0]/"),
        ("unix:/run/x", "http", "unix:/run/x"),
        ("fd:3", "http", "fd:3"),
    ],
)
def test_url(text: str, scheme: str, shown: str) -> None:
    assert url(parse_address(text), scheme) == shown
