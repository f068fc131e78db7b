"""Who a service talks with, as people read it."""

import pytest

from portico.server.peer import Peer


@pytest.mark.parametrize(
    ("peer", "text"),
    [
        (Peer("192.0.2.1", 5), "192.0.2.1:5"),
        (Peer("::1", 5), "[::1]:5"),
        (Peer("fe80::1%eth0", 5), "[fe80::1%eth0]:5"),
        (Peer("unix", 0), "unix"),
        (Peer("-", 0), "-"),
    ],
)
def test_peers_as_people_read_them(peer: Peer, text: str) -> None:
    assert str(peer) == text
