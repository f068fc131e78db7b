"""Passwords: argon2id hashes, made and checked in a thread.

In: a password as a person typed it. Out: a hash that names its own parameters, or whether a password is the one.

The parameters are OWASP's least for argon2id, which keeps a flood of sign-ins from taking the machine's memory.
Checking against no hash at all takes as long as checking against one, so that the time tells nobody which logins
there are.
"""

import asyncio
import unicodedata
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from portico.apps.chat.events import Rejected

MIN_PASSWORD: Final = 8  # characters; NIST SP 800-63B 5.1.1.2
MAX_PASSWORD: Final = 200

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)
# Of a password that nobody has: its bytes were thrown away.
_NOBODYS: Final = "$argon2id$v=19$m=19456,t=2,p=1$82H5ILtkhtRm83hcua20Vw$rzqFA8PkDtS1XlGWJdt7fkH3yyk9OU9N+eif6UJvLRs"


def check_password(password: str) -> str:
    """Return a password that may be set. Raises Rejected for one that is too short or too long."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise Rejected("bad_password", f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters")
    return password


async def hash_password(password: str) -> str:
    """Return the hash of a password, with a salt of its own. Raises Rejected for what `check_password` refuses."""
    return await asyncio.to_thread(_HASHER.hash, _normal(check_password(password)))


async def is_password(stored: str, password: str) -> bool:
    """Tell whether a password is the one of a hash; takes the same time for no hash, "", which nothing fits."""
    if len(password) > MAX_PASSWORD:
        return False
    return await asyncio.to_thread(_verify, stored or _NOBODYS, _normal(password)) and bool(stored)


def _verify(stored: str, password: bytes) -> bool:
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def _normal(password: str) -> bytes:
    """Return one form for what keyboards write in several (RFC 8265 4.2.1)."""
    return unicodedata.normalize("NFC", password).encode(errors="surrogatepass")
