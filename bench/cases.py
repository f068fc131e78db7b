"""The loads, one row each."""

from dataclasses import dataclass
from enum import Enum

from bench.site import KIB, LISTED, MIB


class Kind(Enum):
    """What the requests look like."""

    SAME = "the same head each time"
    BROWSER = "16 fields of a browser; query and cookie differ each time"
    CONDITIONAL = "If-None-Match with the entity tag of a first GET"
    CLOSE = "Connection: close, a new connection each"
    DOWNLOAD = "read by a client with large buffers"


@dataclass(frozen=True, slots=True)
class Case:
    """One row. path: below the site's root; status, least_bytes: what a right answer has.

    logged: the access log is on. in_bytes: compared by bytes a second, else by requests and CPU time.
    """

    name: str
    title: str
    path: str
    kind: Kind = Kind.SAME
    connections: int = 64
    status: int = 200
    least_bytes: int = KIB
    logged: bool = False
    in_bytes: bool = False


CASES = (
    Case("1k", "1 KiB, the same head each time", "/1k.bin"),
    Case("1k-log", "1 KiB, access log on", "/1k.bin", logged=True),
    Case("1k-browser", "1 KiB, a browser's 16 fields, query and cookie always new", "/1k.bin", Kind.BROWSER),
    Case("304", "304 Not Modified", "/1k.bin", Kind.CONDITIONAL, status=304, least_bytes=0),
    Case("64k", "64 KiB", "/64k.bin", Kind.DOWNLOAD, 16, least_bytes=64 * KIB, in_bytes=True),
    Case("1m", "1 MiB", "/1m.bin", Kind.DOWNLOAD, 8, least_bytes=MIB, in_bytes=True),
    Case("100m", "100 MiB", "/100m.bin", Kind.DOWNLOAD, 2, least_bytes=100 * MIB, in_bytes=True),
    Case("listing", "A folder of 1 000 entries", f"/{LISTED}/", connections=16),
    Case("close", "1 KiB, a new connection each", "/1k.bin", Kind.CLOSE),
    Case("1000", "1 KiB, 1 000 connections", "/1k.bin", connections=1_000),
)
