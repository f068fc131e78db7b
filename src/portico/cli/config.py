"""The configuration file, portico.toml: the options by their own names, for each command where they differ.

    app = "shop.web:app"        what `portico run` runs
    workers = 4                 any option of a command, without its dashes in front
    [serve]                     for one command alone
    listing = false
    [[mount]]                   beside the application: a folder, or another application
    path = "/static"
    folder = "public"

In: a file. Out: a `Config`: values by the attribute of their option, and where each of them stands. A mistake is told
as on the command line, with the file, the line and the key. Paths in it are relative to the current folder, as on the
command line. In pyproject.toml the same stands below [tool.portico].
"""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, NamedTuple

from portico.cli.mounts import Mount, mount_path
from portico.errors import ConfigError, UsageError, excerpt
from portico.settings import Option, Unit, parse_value

NAMES = ("portico.toml", "pyproject.toml")
COMMANDS = ("run", "serve", "greet", "reply", "echo", "time", "temperature", "chat")
_MOUNT_KEYS = ("path", "folder", "app")
# What stands beside the options: the argument of a command, and the kind of its value. The others have none.
_ARGUMENTS: dict[str, dict[str, type]] = {"run": {"app": str}, "serve": {"paths": list}}
_MOST_BYTES = 1 << 20


class Origin(NamedTuple):
    """Where a value stands. line: counted from 1, 0 where it is not known."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Config:
    """A file's values for one command. values, origins: by the attribute of an option, or an argument's name."""

    values: Mapping[str, Any] = field(default_factory=dict)
    origins: Mapping[str, Origin] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()


def find_config() -> str:
    """Return the configuration file of the current folder, "" where it has none."""
    if os.path.isfile(NAMES[0]):
        return NAMES[0]
    return NAMES[1] if os.path.isfile(NAMES[1]) and "[tool.portico" in _text(NAMES[1]) else ""


def read_config(path: str, command: str, rows: Iterable[Option], *, known: Iterable[Option] = ()) -> Config:
    """Read a file for one command.

    rows: its options. known: those of all commands; one at the top that only another command has is passed over.
    Raises ConfigError for a file that cannot be read or is no TOML, and for every mistake in it.
    """
    text = _text(path)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{path} is not TOML: {exc}") from exc
    prefix = ""
    if os.path.basename(path) == NAMES[1]:
        tables, prefix = tables.get("tool", {}).get("portico", {}), "tool.portico"
    reader = _Reader(path, _lines(text), prefix, command)
    return reader.read(tables, {row.name: row for row in rows}, {row.name for row in known})


class _Reader:
    """Reads the tables of one file; knows its lines for the messages."""

    def __init__(self, path: str, lines: Mapping[tuple[str, str, int], int], prefix: str, command: str) -> None:
        self._path = path
        self._lines = lines
        self._prefix = prefix
        self._command = command
        self._arguments = _ARGUMENTS.get(command, {})
        self._values: dict[str, Any] = {}
        self._origins: dict[str, Origin] = {}

    def read(self, tables: Mapping[str, Any], rows: Mapping[str, Option], known: set[str]) -> Config:
        arguments = {name for names in _ARGUMENTS.values() for name in names}
        top = {key: value for key, value in tables.items() if key not in (*COMMANDS, "mount")}
        for key, value in top.items():
            if key not in rows and key in known | arguments and key not in self._arguments:
                continue
            self._set("", key, value, rows)
        own = tables.get(self._command, {})
        if not isinstance(own, dict):
            raise self._mistake("", self._command, "this is a table, written [" + self._command + "]")
        for key, value in own.items():
            self._set(self._command, key, value, rows)
        return Config(self._values, self._origins, self._mounts(tables.get("mount", [])))

    def _set(self, table: str, key: str, value: Any, rows: Mapping[str, Option]) -> None:
        kind = self._arguments.get(key)
        if kind is not None:
            name = "reference" if key == "app" else key
            texts = value if isinstance(value, list) else [value]
            if not isinstance(value, kind) or not all(isinstance(one, str) for one in texts):
                raise self._mistake(table, key, f"{_shown(value)} is not {_KINDS[kind]}")
            self._values[name] = tuple(texts) if kind is list else value
        elif key in rows:
            name = rows[key].attribute
            try:
                self._values[name] = _value(rows[key], value)
            except UsageError as exc:
                raise self._mistake(table, key, str(exc)) from exc
        else:
            candidates = [*rows, *self._arguments, *(() if table else (*COMMANDS, "mount"))]
            near = get_close_matches(key, candidates, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; portico {self._command} --help lists the options"
            raise self._mistake(table, key, f"there is no such option{hint}")
        self._origins[name] = self._origin(table, key)

    def _mounts(self, tables: Any) -> tuple[Mount, ...]:
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise self._mistake("", "mount", "mounts are written [[mount]], each with a path and a folder or an app")
        return tuple(self._mount(index, table) for index, table in enumerate(tables))

    def _mount(self, index: int, table: Mapping[str, Any]) -> Mount:
        for key, value in table.items():
            if key not in _MOUNT_KEYS:
                near = get_close_matches(key, _MOUNT_KEYS, 1)
                hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(_MOUNT_KEYS)}"
                raise self._mistake("mount", key, f"a mount has no such key; {hint}", index)
            if not isinstance(value, str):
                raise self._mistake("mount", key, f"{_shown(value)} is not a text in quotes", index)
        if "path" not in table or ("folder" in table) == ("app" in table):
            raise self._mistake("mount", "", "a mount has a path, and either a folder or an app", index)
        try:
            return Mount(mount_path(table["path"]), table.get("folder", ""), table.get("app", ""))
        except UsageError as exc:
            raise self._mistake("mount", "path", str(exc), index) from exc

    def _origin(self, table: str, key: str, index: int = 0) -> Origin:
        full = ".".join(filter(None, (self._prefix, table)))
        below = f"{full}.{key}" if full else key
        return Origin(self._path, self._lines.get((full, key, index)) or self._lines.get((below, "", 0), 0))

    def _mistake(self, table: str, key: str, said: str, index: int = 0) -> ConfigError:
        name = f"[{table}] {key}".strip() if table else key
        return ConfigError(f"{self._origin(table, key, index)}: {name}: {said}")


_KINDS: dict[type, str] = {str: "a text in quotes", list: "a list of texts in quotes, as ['a', 'b']"}
# Units whose value may be a number in TOML.
_NUMBERS = (Unit.COUNT, Unit.SIZE, Unit.SECONDS)


def _value(row: Option, value: Any) -> Any:
    """Return a value of TOML as one of an option. Raises UsageError."""
    if row.many:
        if isinstance(value, str):
            raise UsageError(f"{_shown(value)} may be repeated, so it is a list: write [{_shown(value)}]")
        if not isinstance(value, list):
            raise UsageError(f"{_shown(value)} is not {_KINDS[list]}")
        return tuple(_single(row, one) for one in value)
    return _single(row, value)


def _single(row: Option, value: Any) -> Any:
    if row.unit is Unit.FLAG:
        if not isinstance(value, bool):
            raise UsageError(f"{_shown(value)} is neither true nor false")
        return value
    if isinstance(value, str):
        return parse_value(row, value)
    if row.unit in _NUMBERS:
        is_fraction = isinstance(value, float) and row.unit is not Unit.COUNT
        return parse_value(row, f"{value:f}" if is_fraction else str(value).lower())
    raise UsageError(f"{_shown(value)} is not {_KINDS[str]}")


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else excerpt(str(value))


def _text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_MOST_BYTES).decode("utf-8")
    except OSError as exc:
        raise ConfigError(f"the configuration file {excerpt(path)} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"the configuration file {excerpt(path)} is not UTF-8") from exc


_HEADER = re.compile(r"\[\[?([^\[\]]+)\]")
_KEY = re.compile(r"""["']?([\w-]+)["']?\s*=""")


def _lines(text: str) -> dict[tuple[str, str, int], int]:
    """Map (table, key, how many tables of that name came before) to lines; only messages depend on it.

    A line of a text that spans several looks like a key where it is none: it would have to be one that is wrong, too.
    """
    found: dict[tuple[str, str, int], int] = {}
    counts: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.match(line.strip()):
            table = ".".join(part.strip(" \"'") for part in header[1].split("."))
            counts[table] = counts.get(table, -1) + 1
            found.setdefault((table, "", counts[table]), number)
        elif key := _KEY.match(line.strip()):
            found.setdefault((table, key[1], counts.get(table, 0)), number)
    return found
