"""`portico chat doctor`, `export`, `backup` and `restore`: what whoever runs a chat does beside it.

In: words, the folder of a chat that may be running (`restore`: that is stopped). Out: lines, or a file; exit code 0
when it is done and all is well, 1 where the doctor has found something that does not work.
"""

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from portico.cli.chat import serve
from portico.cli.chat_offer import LINE_PORT, UDP_PORT, data_folder, host_beside
from portico.cli.group import Example, PageCommand, config_option, words_of_environment
from portico.cli.options import SettingOption, collect, options_for
from portico.cli.places import wanted
from portico.cli.screen import Screen
from portico.errors import ConfigError, UsageError, excerpt
from portico.net.addresses import ALL_INTERFACES
from portico.server.access_log import size_text
from portico.settings import Listen
from portico.settings.chatting import Chat

if TYPE_CHECKING:
    from portico.apps.chat.doctor import Port, SocketFile
    from portico.cli.words import Words

_FAILED_CODE: Final = 1
_MAX_DIGITS: Final = 15


def _folder(params: dict[str, Any]) -> Path:
    return data_folder(collect(Chat, params).data, os.environ)


def _screen() -> tuple[Screen, "Words"]:
    return Screen(sys.stdout.fileno(), sys.stdout.encoding or "utf-8", os.environ), words_of_environment()


class _CareCommand(PageCommand):
    """One of these has the title and the variables of the chat, and finds it where portico.toml has put it."""

    def __init__(self, name: str, *, params: list[click.Parameter], **attrs: Any) -> None:
        rows = [param.row for param in serve.params if isinstance(param, SettingOption)]
        super().__init__(name, params=[*params, config_option("chat", rows)], **attrs)
        self._settings_of = "chat"


def _row(name: str, *params: click.Parameter, arguments: tuple[tuple[str, str], ...], **attrs: Any) -> PageCommand:
    """Make one command of this file."""
    examples = [Example(f"portico chat {name}{attrs.pop('sample')}", f"chat-{name}-example")]
    return _CareCommand(
        f"chat-{name}",
        params=[*params, *options_for(Chat, "chat", attrs.pop("rows", ("data",)))],
        arguments=arguments,
        examples=examples,
        own_title="own-options",
        **attrs,
    )


def _doctor(**params: Any) -> int:
    from portico.apps.chat.doctor import examine, is_well

    findings = examine(_folder(params), _places(params))
    screen, words = _screen()
    for finding in findings:
        screen.line(finding.line(words.language))
    return 0 if is_well(findings) else _FAILED_CODE


def _places(params: dict[str, Any]) -> "list[Port | SocketFile]":
    """Return where the chat is to listen; what it is handed by systemd, or as fd:N, is there already."""
    from portico.apps.chat.doctor import Port, SocketFile

    listen_to = Listen(port=params["port"], bind=params["bind"])
    found: list[Port | SocketFile] = []
    for place in wanted(listen_to):
        for address in place.addresses:
            if address.kind == "unix":
                found.append(SocketFile(address.path))
            elif address.kind == "tcp" and address.port:
                found.append(Port("tcp", _bound(address.host), address.port, place.is_given))
    line, udp, host = params["line_port"], params["udp_port"], _bound(host_beside(listen_to))
    beside = (
        Port("tcp", host, LINE_PORT if line is None else int(line), line is not None),
        Port("udp", host, UDP_PORT if udp is None else int(udp), udp is not None),
    )
    return [*found, *(port for port in beside if port.number)]


def _bound(host: str) -> str:
    """Return what a socket is bound to."""
    return "0.0.0.0" if host == ALL_INTERFACES else host


def _export(person: str, form: str, conversation: int | None, output: str, **params: Any) -> int:
    from portico.apps.chat.events import Rejected
    from portico.apps.chat.export import FORMS, gather, gather_all

    if form not in FORMS:
        raise UsageError(f"{excerpt(form)} is no form; {', '.join(FORMS)} are")
    try:
        with closing(_database(_folder(params))) as db:
            number = _person(db, person)
            told = list(gather_all(db, number)) if conversation is None else [gather(db, number, conversation)]
    except sqlite3.Error as exc:
        raise ConfigError(f"the database cannot be read: {exc}") from exc
    except Rejected as exc:
        raise UsageError(str(exc)) from exc
    _write(FORMS[form](told, None, words_of_environment().language), output)
    return 0


def _write(text: str, output: str) -> None:
    """Write what was said into a new file of the user's own, or to standard output."""
    data = text.encode()
    if not output:
        _screen()[0].write(data)
        return
    try:
        with open(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
    except OSError as exc:
        raise ConfigError(f"{excerpt(output)} cannot be written: {exc.strerror}") from exc


def _database(folder: Path) -> sqlite3.Connection:
    from portico.apps.chat.house import DATABASE

    path = folder / DATABASE
    if not path.is_file():
        raise ConfigError(f"{excerpt(str(folder))} has no {DATABASE}; name the folder of a chat with --data DIR")
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA query_only = 1")
    return db


def _person(db: sqlite3.Connection, text: str) -> int:
    """Return whom a login, or a number, names."""
    from portico.apps.chat import people

    found = people.person_by_login(db, text)
    if found is not None:
        return found[0].id
    if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS:
        return people.person(db, int(text)).id
    raise UsageError(f"nobody here has the login {excerpt(text)}; write a login, or the number of a person")


def _backup(target: str, **params: Any) -> int:
    from portico.apps.chat.backup import back_up

    size = back_up(_folder(params), Path(target).absolute())
    screen, words = _screen()
    screen.line(f"  {words('chat-backed-up', where=target, size=size_text(size))}")
    return 0


def _restore(source: str, **params: Any) -> int:
    from portico.apps.chat.backup import restore

    done = restore(Path(source).absolute(), _folder(params))
    screen, words = _screen()
    screen.line(f"  {words('chat-restored', where=source)}")
    if done.erased:
        screen.line(f"  {words('chat-erased-again', n=done.erased)}")
    if done.kept is not None:
        screen.line(f"  {words('chat-kept', where=done.kept)}")
    return 0


def _number(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and 0 < len(value) <= _MAX_DIGITS):
        raise click.BadParameter(f"{excerpt(value)} is no number", ctx, param)
    return int(value)


doctor = _row(
    "doctor",
    click.Option(["-p", "--port"], metavar="N", help="chat-doctor-port", callback=_number),
    *options_for(Listen, "chat", ("bind",)),
    arguments=(),
    callback=_doctor,
    rows=("data", "line-port", "udp-port"),
    sample="",
)
export = _row(
    "export",
    click.Argument(["person"], metavar="PERSON"),
    click.Option(["--form"], metavar="text|json|html", default="text", help="chat-export-form"),
    click.Option(["--conversation"], metavar="N", callback=_number, help="chat-export-conversation"),
    click.Option(["-o", "--output"], metavar="FILE", default="", help="chat-export-output"),
    arguments=(("PERSON", "chat-export-person"),),
    needed="PERSON",
    callback=_export,
    sample=" admin --form html -o chat.html",
)
backup = _row(
    "backup",
    click.Argument(["target"], metavar="DIR"),
    arguments=(("DIR", "chat-backup-target"),),
    needed="DIR",
    callback=_backup,
    sample=" /var/backups/chat-monday",
)
restore = _row(
    "restore",
    click.Argument(["source"], metavar="DIR"),
    arguments=(("DIR", "chat-restore-source"),),
    needed="DIR",
    callback=_restore,
    sample=" /var/backups/chat-monday",
)
