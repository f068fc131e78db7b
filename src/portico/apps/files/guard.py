"""The Host guard: a page of some other site, whose name was made to lead here, must not read local files.

DNS rebinding needs a host name under somebody else's control; an address cannot be rebound. So answers go to IP
addresses, to localhost and what is below it, and to the names we are known by; anything else is 421 (RFC 9110 15.5.20).
"""

import re
from collections.abc import Iterable

_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[[0-9a-f:.]+\]")
_MAX_KNOWN = 1024


class HostGuard:
    """Tells which authorities are ours. names: host names, any letter case; None accepts every one."""

    def __init__(self, names: Iterable[str] | None) -> None:
        self._names = None if names is None else frozenset(name.lower().rstrip(".") for name in names)
        self._known: set[str] = set()

    def accepts(self, authority: str) -> bool:
        """Tell whether a request for `authority` is meant for us; "" (HTTP/1.0) is."""
        if authority in self._known:
            return True
        if not self._is_ours(authority):
            return False
        if len(self._known) < _MAX_KNOWN:
            self._known.add(authority)
        return True

    def _is_ours(self, authority: str) -> bool:
        if self._names is None or not authority:
            return True
        host = authority.lower()
        if not host.endswith("]"):
            name, colon, port = host.rpartition(":")
            host = name if colon and (port.isdigit() or not port) else host
        host = host.rstrip(".")
        return (
            host == "localhost"
            or host.endswith(".localhost")
            or host in self._names
            or _ADDRESS.fullmatch(host) is not None
        )
