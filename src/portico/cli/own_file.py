"""Files for the eyes of their owner alone: tokens, cookies, contacts, what was typed."""

import os
from contextlib import suppress


def replace(path: str, data: bytes) -> None:
    """Write a file anew, in one step: whoever reads it finds the old or the new one, whole, even behind a crash.

    A link is followed. Raises OSError, which leaves the old one as it was.
    """
    target = os.path.realpath(path)
    fresh = f"{target}.{os.getpid()}.new"
    try:
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, target)
    except OSError:
        with suppress(OSError):
            os.unlink(fresh)
        raise
