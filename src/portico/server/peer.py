"""Who a service talks with."""

from typing import NamedTuple


class Peer(NamedTuple):
    """An address and a port, or a unix socket. host: its IP address; "unix" on a unix socket. port: 0 there."""

    host: str
    port: int

    def __str__(self) -> str:
        if not self.port:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
