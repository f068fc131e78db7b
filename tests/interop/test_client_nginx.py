"""The HTTP client against nginx: TLS, codings, ranges, keep-alive, unix sockets, uploads, refusals, a proxy."""

import asyncio
import getpass
import gzip
import hashlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from portico.client.blocking import Client
from portico.client.http import AsyncClient
from portico.client.proxies import Proxies
from portico.client.response import Answer
from portico.client.timeouts import Timeouts
from portico.errors import Gone, Refused
from portico.http.url import parse_url
from portico.net.tls import client_context

pytestmark = pytest.mark.skipif(shutil.which("nginx") is None, reason="needs nginx: apt-get install nginx-light")

NO_PROXY = Proxies()
TEXT = b"<p>The quick brown fox jumps over the lazy dog.</p>\n" * 2000

# The fixture listens itself, on ports that the system chose, and hands the sockets down (nginx's own way to be
# replaced without a gap, the variable NGINX), so there is no moment without a listener and no port to guess.
CONFIG = """
daemon off;
worker_processes 1;
user {user};
pid {work}/pid;
error_log stderr crit;
events {{ worker_connections 512; }}
http {{
    access_log off;
    {temporary}
    default_type text/html;
    client_max_body_size 1m;
    server {{
        listen 127.0.0.1:{plain};
        listen 127.0.0.1:{tls} ssl;
        listen unix:{work}/nginx.sock;
        ssl_certificate {work}/server.pem;
        ssl_certificate_key {work}/server.pem;
        ssl_verify_client optional;
        ssl_client_certificate {work}/ca.pem;
        root {work}/root;
        add_header X-Requests $connection_requests always;
        add_header X-Said "$http_cookie|$http_authorization|$scheme|$ssl_client_verify|$http_host" always;
        keepalive_requests 5;
        location /packed/ {{ gzip on; gzip_min_length 1; gzip_http_version 1.0; gzip_proxied any; }}
        location /static/ {{ gzip_static always; }}
        location /moved {{ return 302 /page.html?from=$request_method; }}
        location /kept {{ return 307 /echoed; }}
        location /away {{ return 301 http://127.0.0.1:{other}/said; }}
        location /up {{ return 308 https://localhost:{tls}/page.html; }}
        location /round {{ return 302 /round; }}
        location /said {{ return 200 "said"; }}
        location /echoed {{ proxy_pass http://127.0.0.1:{other}/echoed; proxy_request_buffering off; }}
        location /dropped {{ return 444; }}
        location /slow.bin {{ limit_rate 1k; }}
        location /cookie {{ add_header Set-Cookie "n=v; Path=/; HttpOnly"; add_header Set-Cookie "s=w; Secure";
                            return 200 ""; }}
        location /empty {{ return 204; }}
    }}
    server {{
        listen 127.0.0.1:{other};
        add_header X-Said "$http_cookie|$http_authorization" always;
        location /said {{ return 200 "other"; }}
        location /echoed {{ return 200 "$request_method $content_length $http_transfer_encoding"; }}
        resolver 127.0.0.1;
        location / {{ proxy_pass http://127.0.0.1:{plain}$uri; }}
    }}
}}
"""
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class Nginx(NamedTuple):
    """A running nginx. plain, tls, other: URLs without a slash at the end. work: its folder."""

    plain: str
    tls: str
    other: str
    work: Path


def listen() -> socket.socket:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(100)
    return listening


def fill(work: Path) -> None:
    (work / "root" / "packed").mkdir(parents=True)
    (work / "root" / "static").mkdir()
    (work / "root" / "page.html").write_bytes(TEXT)
    (work / "root" / "packed" / "page.html").write_bytes(TEXT)
    (work / "root" / "static" / "page.html.gz").write_bytes(gzip.compress(TEXT[:99]) + gzip.compress(TEXT[99:]))
    (work / "root" / "slow.bin").write_bytes(b"x" * 1_000_000)
    blocks = [hashlib.sha512(b"%d" % number).digest() for number in range(80_000)]
    (work / "root" / "large.bin").write_bytes(b"".join(blocks))
    authority = trustme.CA()
    authority.cert_pem.write_to_path(work / "ca.pem")
    authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(work / "server.pem")
    authority.issue_cert("us@example.com").private_key_and_cert_chain_pem.write_to_path(work / "us.pem")


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """Run nginx for the tests of this module."""
    work = tmp_path_factory.mktemp("nginx")
    fill(work)
    sockets = [listen(), listen(), listen()]
    plain, tls, other = (listening.getsockname()[1] for listening in sockets)
    config = CONFIG.format(
        user=getpass.getuser(),
        work=work,
        temporary=" ".join(f"{name}_temp_path {work}/{name};" for name in TEMPORARY),
        plain=plain,
        tls=tls,
        other=other,
    )
    on_disk = socket.socket(socket.AF_UNIX)
    on_disk.bind(str(work / "nginx.sock"))
    on_disk.listen(100)
    sockets.append(on_disk)
    (work / "nginx.conf").write_text(config)
    numbers = [listening.fileno() for listening in sockets]
    environment = {**os.environ, "NGINX": "".join(f"{number};" for number in numbers)}
    command = ["nginx", "-p", str(work), "-c", str(work / "nginx.conf"), "-e", "stderr"]
    process = subprocess.Popen(command, pass_fds=numbers, env=environment, stderr=subprocess.PIPE)
    for listening in sockets:
        listening.close()
    host = "127.0.0.1"
    yield Nginx(f"http://{host}:{plain}", f"https://localhost:{tls}", f"http://{host}:{other}", work)
    process.terminate()
    complaints = process.communicate()[1].decode().splitlines()
    assert [line for line in complaints if "using inherited sockets" not in line] == []


@pytest.fixture
def client(nginx: Nginx) -> Iterator[Client]:
    """Return a client that trusts the authority of this module alone."""
    with Client(proxies=NO_PROXY, tls=client_context(ca_file=str(nginx.work / "ca.pem"))) as asking:
        yield asking


def said(response: Answer) -> list[str]:
    """Return what nginx heard: cookies, credentials, scheme, client certificate, host."""
    return response.values["x-said"].split("|")


@pytest.mark.parametrize("place", ["plain", "tls"])
def test_a_file(nginx: Nginx, client: Client, place: str) -> None:
    response = client.get(f"{getattr(nginx, place)}/large.bin")
    assert (response.status, response.length) == (200, 5_120_000)
    assert response.content == (nginx.work / "root" / "large.bin").read_bytes()
    assert said(response)[2] == ("https" if place == "tls" else "http")


@pytest.mark.parametrize("place", ["plain", "tls"])
def test_a_file_into_a_file(nginx: Nginx, client: Client, place: str, tmp_path: Path) -> None:
    target = tmp_path / "large.bin"
    steps: list[int] = []
    with target.open("wb") as file, client.stream("GET", f"{getattr(nginx, place)}/large.bin") as response:
        assert response.copy_to(file.fileno(), steps.append) == 5_120_000
    assert sum(steps) == 5_120_000
    assert target.read_bytes() == (nginx.work / "root" / "large.bin").read_bytes()


def test_a_certificate_of_a_stranger(nginx: Nginx) -> None:
    with Client(proxies=NO_PROXY) as strict, pytest.raises(Refused, match="certificate"):
        strict.get(f"{nginx.tls}/page.html")


def test_tls_where_none_is_spoken(nginx: Nginx, client: Client) -> None:
    with pytest.raises((Refused, Gone), match="TLS"):
        client.get(nginx.plain.replace("http:", "https:") + "/page.html")
    assert client.get(nginx.tls.replace("https:", "http:") + "/page.html").status == 400


def test_a_certificate_of_ours(nginx: Nginx) -> None:
    context = client_context(ca_file=str(nginx.work / "ca.pem"), cert_file=str(nginx.work / "us.pem"))
    with Client(proxies=NO_PROXY, tls=context) as known:
        assert said(known.get(f"{nginx.tls}/said"))[3] == "SUCCESS"


@pytest.mark.parametrize("path", ["/packed/page.html", "/static/page.html"])
def test_gzip(nginx: Nginx, client: Client, path: str) -> None:
    response = client.get(nginx.plain + path)
    assert response.values["content-encoding"] == "gzip"
    assert response.content == TEXT
    assert response.length is None or response.length < 2000
    with client.stream("GET", nginx.plain + path) as streamed:
        assert b"".join(streamed.pieces(100)) == TEXT
    with client.stream("GET", nginx.plain + path) as raw:
        assert gzip.decompress(b"".join(raw.raw_pieces())) == TEXT


def test_no_coding_where_none_is_asked_for(nginx: Nginx) -> None:
    with Client(proxies=NO_PROXY, decode=False) as plain:
        response = plain.get(f"{nginx.plain}/packed/page.html")
    assert "content-encoding" not in response.values
    assert response.content == TEXT


RANGES = [("0-0", slice(0, 1)), ("100-199", slice(100, 200)), ("-5", slice(-5, None)), ("5119995-", slice(-5, None))]


@pytest.mark.parametrize(("asked", "part"), RANGES)
def test_ranges(nginx: Nginx, client: Client, asked: str, part: slice) -> None:
    response = client.get(f"{nginx.plain}/large.bin", fields={"Range": f"bytes={asked}"})
    assert response.status == 206
    assert response.content == (nginx.work / "root" / "large.bin").read_bytes()[part]


def test_a_range_of_what_has_changed(nginx: Nginx, client: Client) -> None:
    fields = {"Range": "bytes=0-9", "If-Range": '"other"'}
    assert client.get(f"{nginx.plain}/page.html", fields=fields).content == TEXT


def test_answers_without_a_body(nginx: Nginx, client: Client) -> None:
    response = client.head(f"{nginx.plain}/page.html")
    assert (response.status, response.content) == (200, b"")
    assert response.values["content-length"] == str(len(TEXT))
    tag = response.values["etag"]
    assert client.get(f"{nginx.plain}/page.html", fields={"If-None-Match": tag}).status == 304
    assert client.get(f"{nginx.plain}/empty").status == 204
    assert client.get(f"{nginx.plain}/page.html").values["x-requests"] == "4"


def test_a_connection_is_kept_as_long_as_nginx_keeps_it(nginx: Nginx, client: Client) -> None:
    numbers = [client.get(f"{nginx.tls}/said").values["x-requests"] for _ in range(12)]
    assert numbers == [*"12345", *"12345", *"12"]


def test_a_missing_file(nginx: Nginx, client: Client) -> None:
    response = client.get(f"{nginx.plain}/missing")
    assert (response.status, response.is_ok) == (404, False)
    with pytest.raises(Refused, match="404 Not Found"):
        response.raise_for_status()


def test_redirects(nginx: Nginx, client: Client) -> None:
    response = client.post(f"{nginx.plain}/moved", body=b"x")
    assert response.content == TEXT
    assert response.url == f"{nginx.plain}/page.html?from=POST"
    assert [step.status for step in response.history] == [302]
    assert client.post(f"{nginx.plain}/kept", body=b"x" * 5).text.startswith("POST 5")
    assert client.get(f"{nginx.plain}/up").url == f"{nginx.tls}/page.html"
    with pytest.raises(Refused, match="10 redirects"):
        client.get(f"{nginx.plain}/round")


def test_secrets_stay_with_their_origin(nginx: Nginx, client: Client) -> None:
    asked = nginx.plain.replace("://", "://user:secret@")
    client.get(f"{asked}/cookie")
    here = client.get(f"{asked}/said", fields={"Cookie": "own=1"})
    assert said(here)[:2] == ["n=v; s=w; own=1", "Basic dXNlcjpzZWNyZXQ="]
    away = client.get(f"{asked}/away", fields={"Cookie": "own=1"})
    assert away.content == b"other"
    # A cookie belongs to a host, whatever its port (RFC 6265 8.5); credentials and what the caller wrote do not.
    assert said(away) == ["n=v; s=w", ""]


def test_uploads(nginx: Nginx, client: Client) -> None:
    assert client.put(f"{nginx.plain}/echoed", body=b"x" * 1000).text == "PUT 1000 "
    assert client.post(f"{nginx.plain}/echoed", body=iter([b"a" * 500, b"b" * 500])).is_ok
    assert client.post(f"{nginx.plain}/echoed", data={"a": "1 2"}).text == "POST 7 "


def test_an_upload_that_is_too_large_is_refused_and_the_answer_read(nginx: Nginx, client: Client) -> None:
    path = nginx.work / "root" / "large.bin"
    for url in (nginx.plain, nginx.tls):
        with path.open("rb") as file:
            assert client.put(f"{url}/echoed", body=file).status == 413
        with path.open("rb") as file:
            assert client.put(f"{url}/echoed", body=file, fields={"Expect": None}).status == 413


def test_a_connection_without_an_answer(nginx: Nginx, client: Client) -> None:
    with pytest.raises(Gone):
        client.get(f"{nginx.plain}/dropped")
    with pytest.raises(Gone):
        client.get(f"{nginx.tls}/dropped")


def test_a_time_limit_cuts_what_drips(nginx: Nginx) -> None:
    with Client(proxies=NO_PROXY, timeouts=Timeouts(total_s=0.5)) as hasty, pytest.raises(Gone, match=r"0\.5"):
        hasty.get(f"{nginx.plain}/slow.bin")


def test_a_unix_socket(nginx: Nginx, client: Client) -> None:
    response = client.get(f"unix:{nginx.work}/nginx.sock:/page.html?x")
    assert response.content == TEXT
    assert said(response)[4] == "localhost"
    with Client(proxies=NO_PROXY, unix=str(nginx.work / "nginx.sock")) as other:
        assert said(other.get("http://any.example/said"))[4] == "any.example"


def test_a_proxy(nginx: Nginx) -> None:
    with Client(proxies=Proxies(nginx.other)) as through:
        assert through.get("http://nowhere.example/page.html").content == TEXT


def test_many_threads_share_a_client(nginx: Nginx, client: Client) -> None:
    urls = [f"{nginx.tls if number % 2 else nginx.plain}/packed/page.html?{number}" for number in range(60)]
    with ThreadPoolExecutor(8) as pool:
        assert all(response.content == TEXT for response in pool.map(client.get, urls))


def test_many_tasks_share_a_client(nginx: Nginx) -> None:
    async def work() -> list[bytes]:
        context = client_context(ca_file=str(nginx.work / "ca.pem"))
        async with AsyncClient(proxies=NO_PROXY, tls=context, max_connections=5) as client:
            urls = [f"{nginx.tls if number % 2 else nginx.plain}/packed/page.html?{number}" for number in range(60)]
            return [response.content for response in await asyncio.gather(*map(client.get, urls))]

    assert asyncio.run(work()) == [TEXT] * 60


def test_a_url_may_be_parsed_before(nginx: Nginx, client: Client) -> None:
    assert client.get(parse_url(f"{nginx.plain}/said").with_params({"q": "1 2"})).text == "said"
