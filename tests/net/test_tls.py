import contextlib
import datetime
import errno
import socket
import ssl
import threading
from pathlib import Path

import pytest
import trustme

from portico.errors import ConfigError, Gone, PorticoError, Refused
from portico.net.tls import client_context, explain_tls

LONG_AGO = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
FAR = datetime.datetime(2101, 1, 1, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, str]:
    """An authority, and the path of its certificate."""
    ca = trustme.CA()
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return ca, str(path)


def answered(sock: socket.socket, context: ssl.SSLContext | None, answer: bytes = b"") -> None:
    """Take one connection, in TLS if there is a context, send an answer and close."""
    peer, _ = sock.accept()
    with peer, contextlib.suppress(OSError):  # the client gives up in most of these cases
        peer.settimeout(5)
        if context is None:
            peer.recv(4096)
            peer.sendall(answer)
            if answer:
                peer.recv(4096)
        else:
            with context.wrap_socket(peer, server_side=True) as spoken:
                spoken.sendall(b"x")


def handshake(client: ssl.SSLContext, server: ssl.SSLContext | None, answer: bytes = b"", host: str = "box") -> str:
    """Let a client and a server agree on TLS. Returns the protocol chosen by ALPN, "" for none."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        thread = threading.Thread(target=answered, args=(listening, server, answer))
        thread.start()
        try:
            with socket.create_connection(listening.getsockname(), 5) as sock:
                with client.wrap_socket(sock, server_hostname=host) as spoken:
                    spoken.recv(1)  # in TLS 1.3 the server may refuse after the client has finished
                    return spoken.selected_alpn_protocol() or ""
        finally:
            thread.join()


def server_of(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    context.set_alpn_protocols(["http/1.1"])
    return context


def test_a_trusted_server_is_spoken_to(authority: tuple[trustme.CA, str]) -> None:
    ca, path = authority
    server = server_of(ca.issue_cert("box"))
    assert handshake(client_context(ca_file=path), server) == ""
    assert handshake(client_context(ca_file=path, alpn=["http/1.1"]), server) == "http/1.1"
    assert handshake(client_context(verify=False), server) == ""


def test_a_client_shows_its_own_certificate(authority: tuple[trustme.CA, str], tmp_path: Path) -> None:
    ca, path = authority
    server = server_of(ca.issue_cert("box"))
    server.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(server)
    own = ca.issue_cert("me")
    both, key, chain = (str(tmp_path / name) for name in ("both.pem", "key.pem", "chain.pem"))
    own.private_key_and_cert_chain_pem.write_to_path(both)
    own.private_key_pem.write_to_path(key)
    own.cert_chain_pems[0].write_to_path(chain)
    assert handshake(client_context(ca_file=path, cert_file=both), server) == ""
    assert handshake(client_context(ca_file=path, cert_file=chain, key_file=key), server) == ""
    with pytest.raises(ssl.SSLError) as caught:
        handshake(client_context(ca_file=path), server)
    assert str(explain_tls(caught.value, "box")) == "box wants a certificate of ours, or does not accept the one it got"


def test_the_least_is_tls_1_2() -> None:
    assert client_context().minimum_version is ssl.TLSVersion.TLSv1_2
    assert client_context().verify_mode is ssl.CERT_REQUIRED
    assert client_context().check_hostname


@pytest.mark.parametrize(
    ("names", "times", "trust", "message"),
    [
        (["box"], (LONG_AGO, LONG_AGO.replace(year=2002)), True, "the certificate of box has expired"),
        (
            ["box"],
            (FAR, FAR.replace(year=2102)),
            True,
            "the certificate of box is not valid yet; check this machine's clock",
        ),
        (["other"], None, True, "the certificate is not for box but for another name"),
        (
            ["box"],
            None,
            False,
            "the certificate of box comes from an authority that this machine does not trust",
        ),
    ],
)
def test_a_certificate_that_is_not_trusted_gets_one_line(
    authority: tuple[trustme.CA, str],
    names: list[str],
    times: tuple[datetime.datetime, datetime.datetime] | None,
    trust: bool,
    message: str,
) -> None:
    ca, path = authority
    not_before, not_after = times or (None, None)
    certificate = ca.issue_cert(*names, not_before=not_before, not_after=not_after)
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        handshake(client_context(ca_file=path if trust else ""), server_of(certificate))
    error = explain_tls(caught.value, "box")
    assert isinstance(error, Refused)
    assert str(error) == message


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220 mail.test ESMTP\r\n", b"\x00" * 64])
def test_a_server_that_speaks_something_else_is_recognised(answer: bytes) -> None:
    with pytest.raises(ssl.SSLError) as caught:
        handshake(client_context(), None, answer)
    assert str(explain_tls(caught.value, "box:80")) == "box:80 does not speak TLS; use http:// or tcp://"


def test_a_server_that_hangs_up_is_recognised() -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011  an end or a reset, as the system sees it
        handshake(client_context(), None)
    error = explain_tls(caught.value, "box:80")
    assert isinstance(error, Gone)
    assert str(error) == "box:80 hung up while TLS was spoken; does it speak it at all?"


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


def untrusted(code: int, why: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, why)
    error.verify_code, error.verify_message = code, why
    return error


@pytest.mark.parametrize(
    ("exc", "kind", "message"),
    [
        (TimeoutError(), Gone, "box does not answer in TLS; does it speak it at all?"),
        (ConnectionResetError(), Gone, "box hung up while TLS was spoken; does it speak it at all?"),
        (tls_error("UNSUPPORTED_PROTOCOL"), Refused, "box speaks only versions of TLS that are no longer safe"),
        (tls_error("SSLV3_ALERT_HANDSHAKE_FAILURE"), Refused, "box and we have no way of encryption in common"),
        (tls_error("DECRYPTION_FAILED"), Refused, "TLS with box failed: decryption failed"),
        (
            OSError(errno.ENOBUFS, "No buffer space available"),
            Refused,
            "TLS with box failed: No buffer space available",
        ),
        (untrusted(18, "self-signed"), Refused, "the certificate of box is self-signed, so nobody vouches for it"),
        (untrusted(24, "invalid CA"), Refused, "the certificate of box is not trusted (invalid CA)"),
        (untrusted(24, ""), Refused, "the certificate of box is not trusted (it cannot be verified)"),
    ],
)
def test_every_failure_gets_one_line(exc: OSError, kind: type[PorticoError], message: str) -> None:
    error = explain_tls(exc, "box")
    assert type(error) is kind
    assert str(error).startswith(message)


def test_a_strange_host_is_quoted() -> None:
    assert str(explain_tls(TimeoutError(), "a\x1bb")).startswith("'a\\x1bb' does not answer")


def test_files_that_cannot_be_used_get_one_line(tmp_path: Path) -> None:
    wrong, none = tmp_path / "wrong.pem", tmp_path / "none.pem"
    wrong.write_text("hello")
    with pytest.raises(ConfigError, match=r"none.pem cannot be read: No such file or directory$|none.pem"):
        client_context(ca_file=str(none))
    with pytest.raises(ConfigError, match=r"wrong.pem is not a PEM file with the certificates of authorities"):
        client_context(ca_file=str(wrong))
    with pytest.raises(ConfigError, match=r"none.pem cannot be read: No such file or directory$"):
        client_context(cert_file=str(none))
    with pytest.raises(
        ConfigError, match=r"wrong.pem is not a PEM file with a certificate and its key, without a pass"
    ):
        client_context(cert_file=str(wrong))
