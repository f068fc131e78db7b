"""Which authorities are ours."""

import pytest

from portico.apps.files.guard import HostGuard

OURS = [
    *("", "localhost", "LocalHost", "localhost:8000", "localhost.", "localhost.:80", "localhost:"),
    *("app.localhost", "a.b.localhost:3000", "127.0.0.1", "127.0.0.1:8000", "10.0.0.7", "192.168.1.20:80"),
    *("[::1]", "[::1]:8000", "[fe80::1]", "[FD00::7]:80", "[::ffff:127.0.0.1]", "box.local", "BOX.LOCAL.:80"),
]
FOREIGN = [
    *("evil.example", "evil.example:8000", "localhost.evil.example", "evillocalhost", "127.0.0.1.evil.example"),
    *("127.0.0.1.nip.io", "box.local.evil.example", "notbox.local", "0x7f.1", "2130706433", "[evil]", "::1"),
    *("localhost@evil.example", "localhost:80:80", "127.0.0", "1.2.3.4.5", ".", ":80", "локалхост", "１２７.0.0.1"),
]


@pytest.mark.parametrize("authority", OURS)
def test_ours(authority: str) -> None:
    guard = HostGuard(["Box.local."])
    assert guard.accepts(authority)
    assert guard.accepts(authority)  # now it is known


@pytest.mark.parametrize("authority", FOREIGN)
def test_somebody_elses(authority: str) -> None:
    guard = HostGuard(["box.local"])
    assert not guard.accepts(authority)
    assert not guard.accepts(authority)
    assert HostGuard(None).accepts(authority)


def test_any_number_of_our_names_is_accepted() -> None:
    guard = HostGuard([])
    assert all(guard.accepts(f"app{number}.localhost") for number in range(3000))
    assert not guard.accepts("evil.example")
