"""`portico chat doctor`, `export`, `backup` and `restore`, on a chat that runs and on one that is stopped."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.running import Result

from portico.apps.chat import people, rooms
from portico.apps.chat.events import Entry
from portico.apps.chat.house import DATABASE
from portico.apps.chat.log import Change, append
from portico.apps.chat.store import Store

Runs = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a chat in which somebody has said something."""
    folder = tmp_path / "chat"
    folder.mkdir(mode=0o700)

    def write(change: Change) -> None:
        person = people.add_person(change, "user", "小王", login="wang")
        room = rooms.make_room(change, person, "办公室", is_public=True)
        append(change, Entry(room, person, "msg", '{"text":"打印机修好了"}'))

    async def fill() -> None:
        store = Store(folder / DATABASE)
        await store.write(write)
        store.close()

    asyncio.run(fill())
    return folder


def test_a_doctor_who_finds_nothing_is_content(runs: Runs, folder: Path) -> None:
    done = runs("chat", "doctor", "--data", str(folder))
    assert done.code == 0, done.out
    assert "the database is sound" in done.out


def test_a_port_that_is_taken_is_found(runs: Runs, folder: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = runs("chat", "doctor", "--data", str(folder), "-p", port)
    assert done.code == 1
    assert f"tcp port {port} is held by " in done.out
    told = runs("chat", "doctor", "--data", str(folder), PORTICO_LANG="zh")
    assert "数据库完好" in told.out


def test_a_doctor_looks_where_the_chat_is_bound(runs: Runs, folder: Path, site: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket(socket.AF_UNIX) as file:
        file.bind(str(site / "held"))
        file.listen()
        port = taken.getsockname()[1]
        bound = f'bind = ["127.0.0.1:{port}", "unix:held", "unix:free", "unix:none/x", "unix:a.txt"]'
        (site / "portico.toml").write_text(f'[chat]\ndata = "{folder}"\n{bound}\n')
        done = runs("chat", "doctor")
    assert done.code == 1
    assert f"tcp port {port} is held by " in done.out
    assert "tcp port 8000" not in done.out
    assert "a program listens at unix:held" in done.out
    assert "nobody listens at unix:free, and it can be had" in done.out
    assert "unix:none/x cannot be had: No such file or directory; make " in done.out
    assert "unix:a.txt cannot be had: File exists; another file is in its place" in done.out


@pytest.mark.parametrize(("person", "words"), [("wang", ()), ("1", ("--conversation", "1"))])
def test_what_somebody_can_read_is_exported(person: str, words: tuple[str, ...], runs: Runs, folder: Path) -> None:
    done = runs("chat", "export", person, *words, "--data", str(folder))
    assert done.code == 0, done.err
    assert "小王: 打印机修好了" in done.out


def test_an_export_is_in_the_language_and_the_zone_of_whoever_makes_it(runs: Runs, folder: Path) -> None:
    told = runs("chat", "export", "wang", "--data", str(folder), PORTICO_LANG="zh", TZ="Asia/Shanghai").out
    assert "*** 小王 加入了" in told
    assert "+0800] 小王: 打印机修好了" in told


def test_an_export_goes_into_a_new_file_of_its_owner(runs: Runs, folder: Path, tmp_path: Path) -> None:
    words = ("chat", "export", "wang", "--form", "json", "-o", str(tmp_path / "out.json"), "--data", str(folder))
    assert runs(*words).code == 0
    assert (tmp_path / "out.json").stat().st_mode & 0o777 == 0o600
    assert json.loads((tmp_path / "out.json").read_text())["conversations"][0]["title"] == "办公室"
    again = runs(*words)
    assert again.code == 2
    assert "cannot be written" in again.err


def test_a_backup_is_restored_and_what_was_there_is_kept(runs: Runs, folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "backup"
    made = runs("chat", "backup", str(target), "--data", str(folder))
    assert made.code == 0, made.err
    assert "has the backup" in made.out
    done = runs("chat", "restore", str(target), "--data", str(folder))
    assert done.code == 0, done.err
    assert "clients will read everything anew" in done.out
    assert "chat.db.before-restore; delete it when it is no longer needed" in done.out
    assert "打印机修好了" in runs("chat", "export", "wang", "--data", str(folder)).out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("export",), "PERSON is missing"),
        (("export", "nobody"), "nobody here has the login 'nobody'"),
        (("export", "99"), "there is no such person"),
        (("export", "wang", "--form", "pdf"), "'pdf' is no form"),
        (("export", "wang", "--conversation", "x"), "'x' is no number"),
        (("export", "wang", "--conversation", "9"), ""),
        (("backup",), "DIR is missing"),
        (("backup", "{folder}"), "is there already"),
        (("restore", "{folder}/none"), "name the folder of a backup"),
    ],
)
def test_mistakes_are_told(words: tuple[str, ...], said: str, runs: Runs, folder: Path) -> None:
    done = runs("chat", *(word.format(folder=folder) for word in words), "--data", str(folder))
    assert done.code == 2
    assert said in done.err


def test_a_folder_that_has_no_chat_is_told(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = runs("chat", "export", "wang", "--data", str(tmp_path / "empty"))
    assert done.code == 2
    assert "has no chat.db" in done.err


def test_help_is_the_chats(runs: Runs) -> None:
    done = runs("chat", "backup", "--help", PORTICO_LANG="zh")
    assert "尚不存在的文件夹" in done.out
    assert "PORTICO_CHAT_" in done.out


def test_the_chat_is_found_where_portico_toml_has_put_it(runs: Runs, folder: Path, site: Path) -> None:
    (site / "portico.toml").write_text(f'[chat]\ndata = "{folder}"\nname = "Kettle"\nport = 0\nadmin = "localhost:0"\n')
    done = runs("chat", "doctor")
    assert "the database is sound" in done.out
    assert runs("chat", "export", "wang").code == 0
    done = runs("chat", "backup", "copy", "--config", "portico.toml")
    assert (done.code, (site / "copy" / DATABASE).is_file()) == (0, True)
    (site / "portico.toml").write_text("[chat]\ndate = 'x'\n")
    done = runs("chat", "doctor")
    assert done.code == 2
    assert "portico.toml:2: [chat] date: there is no such option; did you mean data?" in done.err
