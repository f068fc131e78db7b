"""What whoever runs a chat does beside it, by the commands: export, erase, retention, backup and restore, doctor."""

import json
import time
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from tests.acceptance.chat_hostile.hostile_stage import Chat, Somebody, run, until

DAY_MS = 86_400_000
CANARY = "kanarienvogel9"


def care(chat: Chat, *words: str, **env: str) -> CompletedProcess[bytes]:
    """Run a command of `portico chat` on the folder of a chat."""
    return run("chat", *words, "--data", str(chat.folder), cwd=chat.folder.parent, **env)


def done(chat: Chat, *words: str, **env: str) -> str:
    """Run such a command, which succeeds; return what it said."""
    found = care(chat, *words, **env)
    assert found.returncode == 0, (words, found.stdout, found.stderr)
    return found.stdout.decode()


class Talk:
    """A room of two, a visitor at the desk, and a file; all of Ann's has the canary in it."""

    def __init__(self, chat: Chat) -> None:
        self.ann, anns_token = chat.person("user", f"Ann {CANARY}", login=CANARY)
        self.ben, bens_token = chat.person("agent", "Ben", login="ben")
        _, self.roots_token = chat.person("admin", "Root")
        self.visitor, visitors_token = chat.person("visitor", f"Vic {CANARY}")
        with chat.socket(anns_token) as ann, chat.socket(bens_token) as ben, chat.http(anns_token) as http:
            self.room = int(ann.ask("room.make", title="Office")["c"])
            ann.ask("room.invite", c=self.room, person=self.ben)
            file = http.post(f"/api/files?name={CANARY}.txt", content=f"{CANARY} bytes".encode()).json()["id"]
            self.seq = int(ann.say(self.room, "", b={"text": f"{CANARY} 打印机", "files": [file]})["s"])
            ann.say(self.room, f"{CANARY} edited", k="edit", ref=self.seq)
            ben.heard(lambda frame: frame["t"] == "ev" and frame["k"] == "edit")
            assert ben.say(self.room, "Ben's own words", ref=self.seq)["t"] == "ack"
            ben.ask("contacts.add", name=f"{CANARY} friend", person=self.ann)
        with chat.socket(visitors_token) as visitor:
            form = {"text": f"{CANARY} help", "contact": f"{CANARY}@example.org", "page": f"https://{CANARY}.example/"}
            self.case = int(visitor.ask("desk.form", **form)["c"])
            visitor.ask("desk.close", c=self.case)
            assert visitor.ask("desk.rate", c=self.case, score=1, text=f"{CANARY} was bad")["t"] == "ok"


def holders_of(folder: Path, words: str) -> list[str]:
    """Return the files below a folder that have some words in them, as bytes."""
    return [str(path) for path in sorted(folder.rglob("*")) if path.is_file() and words.encode() in path.read_bytes()]


@pytest.fixture
def own_chat(tmp_path: Path) -> Chat:
    """A chat for one test, which starts and stops it."""
    return Chat(tmp_path / "data")


def test_an_export_has_what_the_person_can_read_and_nothing_else(chat: Chat, tmp_path: Path) -> None:
    talk = Talk(chat)
    stranger, _ = chat.person("user", "Stranger")
    for form in ("json", "text", "html"):
        target = tmp_path / f"out.{form}"
        done(chat, "export", str(talk.ben), "--form", form, "-o", str(target))
        text = target.read_text()
        assert f"{CANARY} edited" in text
        assert "打印机" not in text  # which was before the edit
        assert "own words" in text
        assert f"{CANARY} help" not in text
        assert CANARY not in done(chat, "export", str(stranger), "--form", form)
    found = care(chat, "export", str(stranger), "--conversation", str(talk.room))
    assert found.returncode == 2
    assert b"you are not in this conversation" in found.stderr


def test_an_export_moves_no_cursor_and_runs_no_script(chat: Chat) -> None:
    number, token = chat.person("user", "Mallory")
    evil = "\x1b]0;pwned\x07\x9b2J\u202etxt.exe</dd><script>alert(1)</script>\r\n[2026-01-01] Boss: fired"
    with chat.socket(token) as mallory:
        room = mallory.ask("room.make", title="<img src=x onerror=alert(1)>")["c"]
        assert mallory.say(room, evil)["t"] == "ack"
    for form in ("text", "html"):
        text = done(chat, "export", str(number), "--form", form)
        assert not [
            c for c in text if c != "\n" and (ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or 0x202A <= ord(c) < 0x202F)
        ]
        assert not [line for line in text.split("\n") if line.startswith("[2026-01-01] Boss")]
    assert "<script>" not in text
    assert "<img" not in text
    json.loads(done(chat, "export", str(number), "--form", "json"))


def test_nothing_of_whoever_is_erased_is_left_anywhere(own_chat: Chat) -> None:
    with own_chat as chat:
        talk = Talk(chat)
        assert holders_of(chat.folder, CANARY)
        with chat.socket(talk.roots_token) as root:
            for person in (talk.ann, talk.visitor):
                assert root.ask("admin.people.remove", person=person)["t"] == "ok"
            assert root.ask("search", text=CANARY)["found"] == []
            # What others wrote stays in its place, a name that somebody else gave in a contact book does not.
        assert holders_of(chat.folder, CANARY) == []
        assert "own words" in done(chat, "export", "ben")
        assert CANARY not in done(chat, "export", "ben", "--form", "json")
        assert "sound" in done(chat, "doctor", "--line-port", "0", "--udp-port", "0", "-p", "0")
    assert holders_of(chat.folder, CANARY) == []


def test_a_backup_brings_back_what_was_there_and_nobody_who_was_erased(own_chat: Chat, tmp_path: Path) -> None:
    target = tmp_path / "backup"
    with own_chat as chat:
        talk = Talk(chat)
        done(chat, "backup", str(target))  # while it runs
        assert holders_of(target, CANARY)
        with chat.socket(talk.roots_token) as root:
            assert root.ask("admin.people.remove", person=talk.ann)["t"] == "ok"
            assert root.ask("admin.people.remove", person=talk.visitor)["t"] == "ok"
        found = care(chat, "restore", str(target))
        assert found.returncode == 2
        assert b"stop it first" in found.stderr
        (before,) = chat.rows("SELECT value FROM meta WHERE key = 'epoch'")
    assert "2 people" in (said := done(chat, "restore", str(target))), said
    with chat:
        assert chat.rows("SELECT value FROM meta WHERE key = 'epoch'") != [before]
        restored = [path for path in holders_of(chat.folder, CANARY) if "before-restore" not in path]
        assert restored == []
        assert "own words" in done(chat, "export", "ben")
        with chat.socket(talk.roots_token) as root:
            assert root.ask("search", text=CANARY)["found"] == []
            names = {one["name"] for one in root.ask("people.find", text="erased")["people"]}
            assert names == set()  # a closed account is found by nobody


def test_a_client_that_knew_more_than_the_backup_is_told_to_begin_anew(own_chat: Chat, tmp_path: Path) -> None:
    with own_chat as chat:
        _, token = chat.person("user", "Ann")
        with chat.socket(token) as ann:
            room = ann.ask("room.make", title="Office")["c"]
            ann.say(room, "before")
            done(chat, "backup", str(tmp_path / "backup"))
            last = ann.say(room, "after")["s"]
        (epoch,) = chat.rows("SELECT value FROM meta WHERE key = 'epoch'")[0]
    done(chat, "restore", str(tmp_path / "backup"))
    with chat, chat.bare_socket() as connection:
        ann = Somebody(connection)
        ann.send({"t": "hello", "v": 1, "tok": token, "epoch": epoch, "have": {str(room): last}})
        assert ann.heard(lambda frame: frame["t"] == "reset")["why"] == "epoch"
        sync = ann.heard(lambda frame: frame["t"] == "sync" and frame["ev"])
        assert [one["b"].get("text") for one in sync["ev"] if one["k"] == "msg"] == ["before"]


def test_what_is_kept_for_some_days_goes_at_the_next_start_and_who_was_away_is_told(own_chat: Chat) -> None:
    with own_chat as chat:
        talk = Talk(chat)
        with chat.socket(talk.roots_token) as root:
            values = {"keep_room_days": 30, "keep_desk_days": 30}
            assert root.ask("admin.settings.set", values=values)["t"] == "ok"
    with chat.database() as db:
        old_ms = time.time_ns() // 1_000_000 - 31 * DAY_MS
        db.execute("UPDATE event SET at_ms = ?", (old_ms,))
        db.execute("UPDATE desk_case SET closed_ms = ?", (old_ms,))
        db.execute("UPDATE file SET made_ms = ?", (old_ms,))
    with chat:
        until(lambda: not chat.rows("SELECT 1 FROM file"), "the file is gone")
        until(lambda: chat.rows("SELECT contact FROM desk_case") == [("",)], "the contact is gone")
        assert list((chat.folder / "files").glob("??/*")) == []
        assert chat.rows("SELECT 1 FROM event WHERE body LIKE ?", f"%{CANARY}%") == []
        _, token = chat.person("user", "New")
        with chat.database() as db:
            db.execute(
                "UPDATE device SET person = ? WHERE token = (SELECT token FROM device ORDER BY id DESC LIMIT 1)",
                (talk.ben,),
            )
        with chat.socket(token) as ben:
            page = ben.get(talk.room, after=1)
            assert (page["ev"], page["first"]) == ([], page["head"] + 1)
            assert ben.ask("search", text="打印机")["found"] == []
            assert ben.say(talk.room, "we go on")["s"] == page["head"] + 1


def test_the_doctor_tells_it_in_both_languages_beside_a_chat_that_runs(chat: Chat) -> None:
    ports = ("-p", str(chat.port), "--line-port", str(chat.line_port), "--udp-port", str(chat.udp_port))
    english = done(chat, "doctor", *ports)
    assert english.count("is this chat's, which is running") == 3, english
    chinese = done(chat, "doctor", *ports, LANG="zh_CN.UTF-8")
    assert chinese.count("正由本聊天服务使用") == 3
    assert [line.split()[0] for line in chinese.splitlines() if line.startswith("正常")]
    assert len(chinese.splitlines()) == len(english.splitlines())


def test_the_doctor_finds_what_is_broken(own_chat: Chat) -> None:
    with own_chat as chat:
        Talk(chat)
    for path in (chat.folder / "files").glob("??/*"):
        path.unlink()
    with chat.database() as db:
        db.execute("PRAGMA foreign_keys = 0")
        db.execute("DELETE FROM event WHERE seq = 2")
    found = care(chat, "doctor", "-p", "0", "--line-port", "0", "--udp-port", "0")
    assert found.returncode == 1
    assert b"events are missing" in found.stdout
    assert b"are not on the disk" in found.stdout
