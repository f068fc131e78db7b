"""Tell systemd how the service is doing: sd_notify(3), as datagrams to the socket that NOTIFY_SOCKET names.

    READY=1                              requests are taken
    RELOADING=1  MONOTONIC_USEC=...      until the next READY=1 (Type=notify-reload)
    STOPPING=1                           draining
    WATCHDOG=1                           alive; twice in each WATCHDOG_USEC
    STATUS=...                           one line for `systemctl status`

Without NOTIFY_SOCKET nothing is sent. What cannot be delivered is dropped: the service matters more than the report.
"""

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from math import inf
from typing import Final

from portico.workers.events import Kind

_READY_KINDS: Final = frozenset({Kind.READY, Kind.RELOADED, Kind.ROLLED_BACK})


class Notifier:
    """The way to systemd.

    address: of its socket, "@" for an abstract name, "" for none. watchdog_s: systemd's patience, infinite for none.
    """

    def __init__(self, address: str = "", watchdog_s: float = inf) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if address else None
        if self._socket is not None:
            self._socket.setblocking(False)
        self._interval_s = watchdog_s / 2  # as sd_watchdog_enabled(3) advises
        self._next_beat_s = -inf
        self._is_reloading = False

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Notifier":
        """Read NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. Nonsense in them counts as nothing."""
        address, usec = environ.get("NOTIFY_SOCKET", ""), environ.get("WATCHDOG_USEC", "")
        is_ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watchdog_s = int(usec) / 1e6 if is_ours and usec.isascii() and usec.isdigit() and int(usec) else inf
        return cls(address if address[:1] in ("/", "@") else "", watchdog_s)

    @property
    def interval_s(self) -> float:
        """How often `beat` is to be called at least; infinite where nobody watches."""
        return self._interval_s if self._socket is not None else inf

    def ready(self, status: str = "") -> None:
        """Say that requests are taken. status: one line for `systemctl status`, "" to leave it."""
        self.send("READY=1", *([f"STATUS={status}"] if status else []))

    def reloading(self) -> None:
        """Say that a reload has begun; `ready` ends it."""
        # The time is what tells this reload from another (sd_notify(3)).
        self.send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self.send("STOPPING=1")

    def beat(self, now_s: float) -> None:
        """Say that this process lives, if it is time. now_s: by any clock that does not go back."""
        if now_s >= self._next_beat_s and self.interval_s != inf:
            self._next_beat_s = now_s + self._interval_s
            self.send("WATCHDOG=1")

    def tell(self, kind: Kind, ready_count: int) -> None:
        """Say what follows from an event of a supervisor. ready_count: workers that take requests."""
        if kind is Kind.STOPPING:
            self.stopping()
        elif kind is Kind.RELOADING:
            self._is_reloading = True
            self.reloading()
        elif kind in _READY_KINDS and (kind is not Kind.READY or not self._is_reloading):
            self._is_reloading = False
            self.ready(f"workers that take requests: {ready_count}")

    def send(self, *lines: str) -> None:
        """Send lines of the form NAME=VALUE as one datagram."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.sendto("\n".join(lines).encode(), self._address)

    def close(self) -> None:
        """Close the socket; nothing is sent from then on."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
