"""`portico chat join` in a pipe and in a terminal, at a chat that runs."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output
from tests.cli.running import DEADLINE_S, Result, Start, StartTerminal, environment, run, variables
from tests.cli.written import Written, standard_input

from portico.cli.chat_join import Joining, Tokens, take_part
from portico.cli.typist import Typist
from portico.cli.words import Words
from portico.errors import UsageError
from portico.http.url import parse_url

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


def test_a_password_is_not_taken_out_of_the_messages_in_a_pipe(start: Start, tmp_path: Path) -> None:
    url, _ = serve(start, tmp_path)
    env = environment(XDG_STATE_HOME=str(tmp_path / "state"))
    words = (sys.executable, "-m", "portico", "chat", "join", url, "--login", "admin")
    done = subprocess.run(words, env=env, input=b"hello\n", capture_output=True, timeout=DEADLINE_S)
    assert done.returncode == 2
    assert b"put it in PORTICO_CHAT_PASSWORD" in done.stderr


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


def typed_here(url: str, token: str, text: str) -> tuple[int, Joining]:
    """Take part within this process, with lines from a pipe; return the exit code and who it was."""
    source, target = os.pipe()

    async def talk() -> tuple[int, Joining]:
        joining = Joining(parse_url(url), token, Words("en"), Typist(source=source, has_terminal=False))
        async with asyncio.timeout(DEADLINE_S):
            return await joining.run(), joining

    try:
        os.write(target, text.encode())
        os.close(target)
        return asyncio.run(talk())
    finally:
        os.close(source)


def admitted(folder: Path, url: str, link: str = "") -> str:
    """Be let in by a link, or as a visitor; return the token that is remembered."""
    with standard_input(""), variables(XDG_STATE_HOME=str(folder)):
        assert take_part(parse_url(url), link=link, name="" if link else "小张") == 0
    return Tokens(str(folder / "portico" / "chat-tokens.json")).find(f"{url.removesuffix('/')} ")


def test_in_a_pipe_each_line_waits_for_the_one_before_it(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, link = serve(start, tmp_path)
    admin = admitted(tmp_path / "state", url, link)
    assert typed_here(url, admin, "/room nowhere\n/join\n")[0] == 0
    assert "public rooms:" in capsys.readouterr().out
    visitor = admitted(tmp_path / "visitor", url)
    text = "打印机坏了\n二楼的\n/edit 三楼的\n/history\n/delete\n/who\nq\nnever said\n"
    code, joining = typed_here(url, visitor, text)
    shown = capsys.readouterr().out
    assert (code, joining.refusal) == (0, "")
    assert "三楼的" in shown
    assert any(line.startswith("#") and line.endswith("小张: 打印机坏了") for line in shown.splitlines())
    assert "小张 ●" in shown
    assert "never said" not in shown


def test_what_could_not_be_sent_is_counted(start: Start, tmp_path: Path) -> None:
    url, _ = serve(start, tmp_path)
    code, joining = typed_here(url, "forged", "hello\n")
    assert code == 1
    assert "sign in again" in joining.refusal


def test_who_is_not_let_in_here_is_told_why(start: Start, tmp_path: Path) -> None:
    url, _ = serve(start, tmp_path)
    with variables(PORTICO_CHAT_PASSWORD="wrong one", XDG_STATE_HOME=str(tmp_path)):
        with pytest.raises(UsageError, match="password is wrong"):
            take_part(parse_url(url), login="admin")
        with pytest.raises(UsageError, match="nothing listens"):
            take_part(parse_url("http://localhost:1"))


def test_a_token_that_is_good_no_more_is_forgotten(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, _ = serve(start, tmp_path)
    tokens, key = Tokens(str(tmp_path / "portico" / "chat-tokens.json")), f"{url.removesuffix('/')} "
    tokens.keep(key, "forged")
    with standard_input("hello\n"), variables(XDG_STATE_HOME=str(tmp_path)):
        assert take_part(parse_url(url)) == 1
    assert "sign in again" in capsys.readouterr().err
    assert tokens.find(key) == ""


def test_what_is_no_chat_is_said(start: Start, tmp_path: Path) -> None:
    port = start("serve", "-p", "0").port()
    with variables(XDG_STATE_HOME=str(tmp_path)), pytest.raises(UsageError, match="there is no chat at"):
        take_part(parse_url(f"http://localhost:{port}"))


def test_at_a_terminal_nothing_waits_and_a_server_that_goes_is_told(start: Start, tmp_path: Path) -> None:
    running = start("chat", "--data", str(tmp_path / "data"), "-p", "0", "--no-lines", "--no-datagrams")
    url = str(running.output.until(ADDRESS)[1])
    token = admitted(tmp_path / "state", url)
    written = Written()
    output = Vt100_Output(written, lambda: Size(rows=50, columns=80))

    async def act(keys: PipeInput) -> None:
        await written.shows("goes to the desk")
        keys.send_text("/his\t\r")
        keys.send_text("hello\r")
        await written.shows("小张: hello")
        running.process.kill()
        await written.shows("trying again, nothing is lost")
        keys.send_text("are you there?\r")
        await written.shows("it is sent later")
        keys.send_text("\x04")

    async def talk(keys: PipeInput) -> int:
        joining = Joining(parse_url(url), token, Words("en"), Typist(has_terminal=True, names=lambda: joining.names()))
        acting = asyncio.create_task(act(keys))
        async with asyncio.timeout(DEADLINE_S):
            code = await joining.run()
            await acting
        return code

    with create_pipe_input() as keys, create_app_session(input=keys, output=output):
        assert asyncio.run(talk(keys)) == 1  # a message is left
    assert "/history" in written.text
