"""Cookies in a file, as curl keeps them: read before the first request, written after the last.

In: a path. Out: a jar; and the file, whole or as it was, readable by its owner alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import time
from typing import TYPE_CHECKING

from portico.cli import own_file
from portico.errors import ConfigError

if TYPE_CHECKING:
    from portico.http.jar import Jar


@contextmanager
def kept_jar(path: str) -> Iterator["Jar | None"]:
    """Yield the jar of a file, and write it back whatever happens; None where `path` is "".

    A file that does not exist is an empty jar. Raises ConfigError where it cannot be read or written.
    """
    if not path:
        yield None
        return
    from portico.http.jar import Jar

    jar = Jar.loads(_read(path))
    before = jar.dumps()
    try:
        yield jar
    finally:
        after = jar.dumps(time())
        if after != before:
            _write(path, after)


def _read(path: str) -> str:
    try:
        with open(path, encoding="latin-1", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except OSError as exc:
        raise ConfigError(f"--cookies {path} cannot be read: {exc.strerror}") from exc


def _write(path: str, text: str) -> None:
    # As field values are (http/jar.py): what other programs wrote in UTF-8 goes back, and over the wire, as it was.
    try:
        own_file.replace(path, text.encode("latin-1"))
    except OSError as exc:
        raise ConfigError(f"--cookies {path} cannot be written: {exc.strerror}") from exc
