"""`portico chat join` in a pipe and in a terminal, at a chat that runs."""

import json
import subprocess
import sys
from pathlib import Path

from tests.cli.running import DEADLINE_S, Result, Start, StartTerminal, environment, run

from portico.cli.chat_join import Tokens

ADDRESS = r"(http://localhost:\d+/)#(\S+)"


def join(folder: Path, *words: str, typed: str) -> Result:
    """Take part, with lines from a pipe."""
    done = subprocess.run(
        [sys.executable, "-m", "portico", "chat", "join", *words],
        env=environment(XDG_STATE_HOME=str(folder / "state"), PORTICO_CHAT_PASSWORD="wrong one"),
        input=typed.encode(),
        capture_output=True,
        timeout=DEADLINE_S,
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


def serve(start: Start, folder: Path) -> tuple[str, str]:
    running = start("chat", "--data", str(folder / "data"), "-p", "0", "--no-lines", "--no-datagrams")
    url, token = running.output.until(ADDRESS).groups()
    return url, token


def test_a_visitor_talks_to_the_desk_and_comes_back(start: Start, tmp_path: Path) -> None:
    url, _ = serve(start, tmp_path)
    first = join(tmp_path, url, "--name", "小张", typed="打印机坏了\n")
    assert first.code == 0, first.err
    again = join(tmp_path, url, typed="还在吗\n")
    assert again.code == 0, again.err
    state = tmp_path / "state" / "portico" / "chat-tokens.json"
    assert state.stat().st_mode & 0o777 == 0o600
    assert len(json.loads(state.read_text())) == 1
    words = ("chat", "export", "2", "--data", str(tmp_path / "data"))  # the second person, behind the admin
    exported = run(*words, cwd=tmp_path).out
    assert "小张: 打印机坏了" in exported
    assert "小张: 还在吗" in exported


def test_a_link_lets_one_in_once(start: Start, tmp_path: Path) -> None:
    url, token = serve(start, tmp_path)
    assert join(tmp_path, f"{url}#{token}", typed="/help\nq\n").code == 0
    again = join(tmp_path, f"{url}#{token}", typed="q\n")
    assert again.code == 2
    assert "this link has been used" in again.err


def test_who_is_not_let_in_is_told_why(start: Start, tmp_path: Path) -> None:
    url, _ = serve(start, tmp_path)
    refused = join(tmp_path, url, "--login", "admin", typed="q\n")
    assert refused.code == 2
    assert "password is wrong" in refused.err


def test_a_device_that_was_forgotten_is_told_and_forgotten_here(start: Start, tmp_path: Path) -> None:
    url, _ = serve(start, tmp_path)
    tokens = Tokens(str(tmp_path / "state" / "portico" / "chat-tokens.json"))
    key = f"{url.removesuffix('/')} "
    tokens.keep(key, "forged")
    done = join(tmp_path, url, typed="hello\n")
    assert done.code == 1
    assert "sign in again" in done.err
    assert tokens.find(key) == ""


def test_nobody_there(tmp_path: Path) -> None:
    done = join(tmp_path, "http://localhost:1", typed="q\n")
    assert done.code == 2
    assert "nothing listens" in done.err


def test_in_a_terminal_what_arrives_stands_above_what_is_typed(
    start: Start, start_terminal: StartTerminal, tmp_path: Path
) -> None:
    url, _ = serve(start, tmp_path)
    terminal = start_terminal("chat", "join", url, XDG_STATE_HOME=str(tmp_path / "state"))
    terminal.output.until(r"goes to the desk")
    terminal.press("hello\r")
    terminal.output.until(r"Visitor: hello")
    terminal.press("q\r")
    assert terminal.wait() == 0


def test_tokens_in_a_file_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("[]")
    assert Tokens(str(tmp_path / "tokens")).find("a") == ""
    (tmp_path / "tokens").write_text("{")
    assert Tokens(str(tmp_path / "tokens")).find("a") == ""
    Tokens("").keep("a", "b")
    assert Tokens("").find("a") == ""


def test_ctrl_c_ends_it(start: Start, start_terminal: StartTerminal, tmp_path: Path) -> None:
    url, _ = serve(start, tmp_path)
    terminal = start_terminal("chat", "join", url, XDG_STATE_HOME=str(tmp_path / "state"))
    terminal.output.until(r"goes to the desk")
    terminal.press("\x03")
    assert terminal.wait() == 0
