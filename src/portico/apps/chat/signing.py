"""Addresses of files that are good for a few minutes and for one person.

In: the secret of the database, a file, a person, the time. Out: `/files/12?p=3&e=1700000600&k=...`, and back. A page
needs an address for a picture or a download, where no field can be sent along; the token would stay in histories and
logs. The address says who asks, so that the rule of access is applied at the time it is used, too.
"""

import hmac
from typing import Final
from urllib.parse import parse_qs

from portico.apps.chat.events import Rejected

LIFE_S: Final = 600
PREFIX: Final = "/files/"
_MAX_DIGITS: Final = 15


class Signer:
    """Makes addresses and reads them. secret: of the database; another one after a restore makes all of them void."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def sign(self, file: int, person: int, now_s: int) -> str:
        """Return the address of a file for a person, as a path. now_s: since 1970."""
        end_s = now_s + LIFE_S
        return f"{PREFIX}{file}?p={person}&e={end_s}&k={self._seal(file, person, end_s)}"

    def read(self, path: str, query: str | None, now_s: int) -> tuple[int, int]:
        """Return the file and the person of an address. Raises Rejected for one that is not ours, or too old."""
        values = parse_qs(query or "", max_num_fields=8) if (query or "").count("&") < 8 else {}
        numbers = [path.removeprefix(PREFIX), *(values.get(name, [""])[0] for name in ("p", "e"))]
        if not all(text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS for text in numbers):
            raise Rejected("forbidden", "this is no address of a file; ask for a new one")
        file, person, end_s = map(int, numbers)
        seal = values.get("k", [""])[0]
        if not hmac.compare_digest(seal.encode(), self._seal(file, person, end_s).encode()):
            raise Rejected("forbidden", "this is no address of a file; ask for a new one")
        if end_s <= now_s:
            raise Rejected("forbidden", "this address of a file is too old; ask for a new one")
        return file, person

    def _seal(self, file: int, person: int, end_s: int) -> str:
        return hmac.new(self._secret, f"file {file} {person} {end_s}".encode(), "sha256").hexdigest()
