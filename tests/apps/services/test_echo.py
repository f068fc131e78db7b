"""Echo: bytes come back as they were; two that answer everything do not answer each other."""

import pytest
from tests.apps.services.fake import SOMEBODY

from portico.apps.services import echo
from portico.server.peer import Peer


@pytest.mark.parametrize("piece", [b"a", b"b\r\n", b"\xff\0", b"\xc4", b"x" * 65536])
def test_a_connection_gets_its_bytes_back(piece: bytes) -> None:
    service, _ = echo()
    assert service(piece, SOMEBODY) == piece
    assert service(piece, Peer("192.0.2.1", 7)) == piece
    assert service.is_quick


@pytest.mark.parametrize("datagram", [b"", b"hello", b"\0\xff" * 30_000])
def test_a_datagram_comes_back(datagram: bytes) -> None:
    _, service = echo()
    assert service(datagram, SOMEBODY) == datagram
    assert service.is_quick
    assert not service.may_amplify


@pytest.mark.parametrize("port", [7, 13, 17, 19, 37])
def test_no_answer_to_what_would_answer_it(port: int) -> None:
    _, service = echo()
    assert service(b"hello", Peer("192.0.2.1", port)) is None
