"""The contact book of whoever uses this machine: names, and the addresses at which somebody is to be talked to.

    ContactBook(path)
      all, find         what is in it
      add, remove       the file is written anew and put in the place of the old one, whole

    parse_place(text)   what an address means: a chat, a stream, datagrams

In: names and addresses as people write them. Out: a file of JSON that its owner alone may read, in the folder for
settings (XDG Base Directory). What cannot be read as a book is never written over.
"""

import fcntl
import json
import os
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple

from portico.cli import own_file
from portico.errors import ConfigError, UsageError, excerpt
from portico.http.url import Url, parse_url
from portico.net.addresses import ALL_INTERFACES, Address, parse_address

MAX_CONTACTS: Final = 1_000
MAX_NAME: Final = 40
MAX_BYTES: Final = 1 << 20
_FILE: Final = "contacts.json"
_CHATS: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}  # how their pages are asked for
_SOCKET_PATH: Final = "/ws"  # where the WebSocket of a chat is; its pages are what one joins


class Contact(NamedTuple):
    """One row of the book. address: as `parse_place` takes it."""

    name: str
    address: str


def book_path(environ: Mapping[str, str]) -> str:
    """Return where the book of this user is, whether there is one or not. Raises ConfigError where nothing says so."""
    given, home = environ.get("XDG_CONFIG_HOME", ""), environ.get("HOME", "")
    if os.path.isabs(given):
        return os.path.join(given, "portico", _FILE)
    if os.path.isabs(home):
        return os.path.join(home, ".config", "portico", _FILE)
    raise ConfigError("nothing says where your contacts are kept (HOME is not set); set XDG_CONFIG_HOME to a folder")


def check_name(text: str) -> str:
    """Return a name as the book has it. Raises UsageError for what would be taken for something else, or seen as it."""
    name = unicodedata.normalize("NFC", text).strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise UsageError(f"{excerpt(text)} is no name; it has 1 to {MAX_NAME} characters that can be seen")
    if name.startswith("-") or any(mark in name for mark in ":/@#"):
        raise UsageError(f"{excerpt(text)} is no name; those with : / @ # or a dash in front look like something else")
    return name


def parse_place(text: str) -> Url | Address:
    """Return what an address means: a chat's pages, or what `net.addresses` knows.

    text: http://, https://, ws:// or wss:// with a host, and a login before an @; or udp://HOST:PORT, tcp://HOST:PORT,
    tls://HOST:PORT, HOST:PORT, unix:PATH. Raises UsageError for anything else.
    """
    scheme, mark, rest = text.partition("://")
    if mark and scheme in _CHATS:
        url = parse_url(f"{_CHATS[scheme]}://{rest.partition('#')[0]}")
        if url.path not in ("/", _SOCKET_PATH):
            raise UsageError(f"{excerpt(text)} is not the address of a chat; write it without {excerpt(url.path)}")
        if url.userinfo is not None and url.userinfo.password:
            raise UsageError("an address is no place for a password; it is asked for, or is in PORTICO_CHAT_PASSWORD")
        return url
    address = parse_address(text)
    if address.kind == "fd":
        raise UsageError(f"{excerpt(text)} is a descriptor of this process, and nobody to talk to")
    if address.kind != "unix" and not address.port:
        raise UsageError(f"{excerpt(text)} has no port to talk to; write {address.kind}://HOST:PORT")
    if address.host == ALL_INTERFACES:
        raise UsageError(f"{excerpt(text)} is every interface, and nobody to talk to; write localhost for this machine")
    return address


def check_address(text: str) -> str:
    """Return an address as the book has it. Raises UsageError for what `portico talk` cannot reach."""
    place = parse_place(text)
    if isinstance(place, Address):
        return f"tcp://{place}" if place.kind == "tcp" and not str(place).startswith("tcp://") else str(place)
    if "#" in text:
        raise UsageError("a link with a # lets in once, and is worth nothing later; give the address before the #")
    login = f"{text.partition('://')[2].rpartition('@')[0]}@" if place.userinfo is not None else ""
    return f"{place.scheme}://{login}{place.authority}/"


class ContactBook:
    """The book in one file. path: of the file, which need not exist.

    Raises ConfigError for a file that cannot be read, or that is no book.
    """

    def __init__(self, path: str) -> None:
        self._path = os.path.realpath(path)  # a link stays one: what it shows is replaced

    def all(self) -> list[Contact]:
        """Return the contacts, by name."""
        return [Contact(name, address) for name, address in sorted(self._read().items())]

    def find(self, name: str) -> Contact | None:
        """Return the contact of a name, however its letters are cased; None where there is none."""
        wanted = _folded(name)
        return next((one for one in self.all() if _folded(one.name) == wanted), None)

    def add(self, name: str, address: str) -> str | None:
        """Write a contact down; return the address that was there before under that name, None for a name that is new.

        Raises UsageError for what is no name or no address, and for one more than MAX_CONTACTS.
        """
        contact = Contact(check_name(name), check_address(address))
        with self._changed() as found:
            before = _taken(found, contact.name)
            if len(found) >= MAX_CONTACTS:
                raise UsageError(f"there are {MAX_CONTACTS} contacts in {excerpt(self._path)}; remove one first")
            found[contact.name] = contact.address
        return before

    def remove(self, name: str) -> str:
        """Take a contact out; return its address. Raises UsageError for a name that is not there."""
        with self._changed() as found:
            address = _taken(found, name)
            if address is None:
                raise UsageError(f"there is no contact {excerpt(name)}; portico contacts lists them")
        return address

    def _read(self) -> dict[str, str]:
        try:
            with open(self._path, "rb") as file:
                data = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return {}
        except OSError as exc:
            raise ConfigError(f"{excerpt(self._path)} cannot be read: {exc.strerror}") from exc
        try:
            found = json.loads(data) if len(data) <= MAX_BYTES else None
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise ConfigError(f"{excerpt(self._path)} is no contact book; mend it, or move it away")
        return found

    @contextmanager
    def _changed(self) -> Iterator[dict[str, str]]:
        """Yield what is in the book, and write it back; one process at a time."""
        try:
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            with open(os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # given up with the descriptor
                found = self._read()
                yield found
                text = json.dumps(found, ensure_ascii=False, indent=1)
                own_file.replace(self._path, text.encode("utf-8", "replace") + b"\n")
        except OSError as exc:
            raise ConfigError(f"{excerpt(self._path)} cannot be written: {exc.strerror}") from exc


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip().casefold()


def _taken(found: dict[str, str], name: str) -> str | None:
    """Take a name out of a book, however its letters are cased."""
    wanted = _folded(name)
    same = [key for key in found if _folded(key) == wanted]
    return [found.pop(key) for key in same][-1] if same else None
