"""What is asked: the words of `portico get` as method, fields and body.

In: the Fetch settings. Out: `Asked`. Files are opened here, and read while they are sent; standard input likewise.
Raises UsageError for words that make no sense, ConfigError for a file that cannot be read.
"""

import io
import os
import sys
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from portico.errors import ConfigError, UsageError, excerpt
from portico.http.fields import is_field_name, is_field_value, is_token
from portico.settings.asking import Fetch

if TYPE_CHECKING:
    from portico.client.body import Given

Fields = tuple[tuple[str, str | None], ...]

_FORM_TYPE: Final = "application/x-www-form-urlencoded"
# At most one of these makes the body; the option as it is typed, and its attribute.
_BODIES: Final = (("-d", "data"), ("--json", "json"), ("-F", "form"), ("-T", "upload"), ("-I", "head"))


class Asked(NamedTuple):
    """A request. fields: None as a value leaves out what would be sent otherwise. body: None for none.

    A file that is sent is open; whoever has the request closes it by `close`.
    """

    method: str
    url: str
    fields: Fields
    body: "Given | None"

    def close(self) -> None:
        """Close the file that is sent, if there is one."""
        if isinstance(self.body, io.IOBase):
            self.body.close()


def read_request(url: str, fetch: Fetch) -> Asked:
    """Make the request that the settings describe. url: as typed; -T adds the file's name to one that ends in "/"."""
    given = [option for option, name in _BODIES if getattr(fetch, name) not in (None, (), False)]
    if len(given) > 1:
        raise UsageError(f"{given[0]} and {given[1]} do not go together; choose one")
    if fetch.method and not is_token(fetch.method):
        raise UsageError(f"{excerpt(fetch.method)} is not a method, as GET or POST")
    if fetch.upload not in (None, "-") and url.endswith("/"):
        url += os.path.basename(fetch.upload or "")
    method, defaults, body = _body_of(fetch)
    fields = list(read_fields(fetch.header))
    names = {name.lower() for name, _ in fields}
    # A field that is written out counts before the option for it.
    short = [*_credentials(fetch.auth), *([("User-Agent", fetch.agent)] if fetch.agent else []), *defaults]
    fields += [(name, value) for name, value in short if name.lower() not in names]
    return Asked(fetch.method or method, url, tuple(fields), body)


def _body_of(fetch: Fetch) -> "tuple[str, Fields, Given | None]":
    """Return the method that goes with the body, the fields that go with it unless others are given, the body."""
    if fetch.data:
        return "POST", (("Content-Type", _FORM_TYPE),), b"&".join(_content("-d", word) for word in fetch.data)
    if fetch.json is not None:
        data = _content("--json", fetch.json)
        _check_json(data)
        return "POST", (("Content-Type", "application/json"), ("Accept", "application/json, */*;q=0.5")), data
    if fetch.form:
        from portico.client.form import read_form

        return "POST", (), read_form(fetch.form)
    if fetch.upload is not None:
        return "PUT", (), _open("-T", fetch.upload)
    return ("HEAD" if fetch.head else "GET"), (), None


def _content(option: str, word: str) -> bytes:
    """Return what a word stands for: itself, or the content of @FILE, byte by byte."""
    if not word.startswith("@"):
        return os.fsencode(word)
    with _open(option, word[1:]) as file:
        return file.read()


def _open(option: str, path: str) -> IO[bytes]:
    if path == "-":
        return open(sys.stdin.fileno(), "rb", closefd=False)
    try:
        if os.path.isdir(path):
            raise ConfigError(f"{option} {path} cannot be read: it is a folder")
        return open(path, "rb")
    except OSError as exc:
        raise ConfigError(f"{option} {path} cannot be read: {exc.strerror}") from exc


def _check_json(data: bytes) -> None:
    """Find out here what a server would say less clearly, as a rule that the shell has eaten the quotes."""
    import json

    try:
        json.loads(data, parse_int=str, parse_float=str)
    except (ValueError, RecursionError) as exc:
        raise UsageError(f"--json {excerpt(data)[1:]} is not JSON: {exc}; put it in single quotes") from exc


def read_fields(words: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """Read header fields as curl does: `Name: value`, `Name:` for none, `Name;` for an empty one, `@FILE` for lines."""
    for word in words:
        if word.startswith("@"):
            lines = _content("-H", word).decode("utf-8", "surrogateescape").splitlines()
            yield from read_fields(line for line in lines if line.strip() and not line.startswith("@"))
            continue
        name, colon, value = word.partition(":")
        if not colon and word.endswith(";"):
            name, value = word[:-1], ""
        elif not colon:
            raise UsageError(f"-H {excerpt(word)} is not a field; write 'Name: value'")
        text = value.strip().encode("utf-8", "surrogateescape").decode("latin-1")
        if not is_field_name(name) or not is_field_value(text):
            raise UsageError(
                f"-H {excerpt(word)} cannot be sent; a name is letters, digits and dashes, a value one line"
            )
        yield name, (text if text or not colon else None)


def _credentials(auth: str) -> Iterator[tuple[str, str]]:
    """Yield what says who asks; a password that is not given is asked for, where somebody can be asked."""
    if not auth:
        return
    user, colon, password = auth.partition(":")
    if not colon and sys.stdin.isatty():
        from getpass import getpass

        from portico.cli.group import words_of_environment

        password = getpass(words_of_environment()("get-password", user=user))
    from portico.client.route import basic
    from portico.http.url import UserInfo

    yield "Authorization", basic(UserInfo(user, password))
