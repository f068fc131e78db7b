"""`portico chat`: served, set up by its first link, stopped; its words and its mistakes."""

import json
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from tests.cli.running import DEADLINE_S, Result, Running, Start, StartTerminal

from portico.cli.main import main
from portico.net.lan import lan_addresses

ADDRESS = r"http://localhost:(\d+)/#(\S+)"


def started(start: Start, folder: Path, *words: str) -> tuple[Running, int, str]:
    """Serve a chat; return the port and the token of the first admin's link."""
    running = start("chat", "--data", str(folder), "-p", "0", *words)
    port, token = running.output.until(ADDRESS).groups()
    return running, int(port), token


def post(port: int, path: str, body: dict[str, str]) -> dict[str, object]:
    request = Request(f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(request) as answer:
        found: dict[str, object] = json.load(answer)
    return found


def stopped(running: Running) -> str:
    running.signal(signal.SIGTERM)
    assert running.wait() == 0
    return running.output.rest()


def test_the_first_start_shows_a_link_that_signs_an_admin_in(start: Start, tmp_path: Path) -> None:
    running, port, token = started(start, tmp_path / "data")
    found = post(port, "/api/link", {"token": token})
    assert isinstance(found["me"], dict)
    assert found["me"]["kind"] == "admin"
    assert "served" in stopped(running)
    assert (tmp_path / "data" / "chat.db").is_file()


def test_the_link_is_shown_until_somebody_has_used_it(start: Start, tmp_path: Path) -> None:
    first, _, unused = started(start, tmp_path)
    stopped(first)
    second, port, token = started(start, tmp_path)
    assert token != unused
    post(port, "/api/link", {"token": token})
    stopped(second)
    third = start("chat", "serve", "--data", str(tmp_path), "-p", "0")
    third.port()
    assert "#" not in stopped(third)


def test_a_chat_has_the_title_that_it_is_given(start: Start, tmp_path: Path) -> None:
    running, port, _ = started(start, tmp_path, "--name", "三号店")
    assert "chat 三号店" in running.output.text
    with urlopen(f"http://127.0.0.1:{port}/api/public") as answer:
        assert json.load(answer)["title"] == "三号店"
    stopped(running)


def test_help_tells_how_to_serve(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", "--help"]) == 0
    out = capsys.readouterr().out
    assert "--data DIR" in out
    assert "portico chat --lan" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sever"], "there is no command 'sever'; did you mean serve?"),
        (["--spaa"], "there is no option --spaa"),
        (["--data", "{file}/below"], "cannot be made"),
        (["--data", "{folder}"], "cannot be used as a database"),
    ],
)
def test_mistakes_are_one_line(words: list[str], said: str, runs: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "chat.db").write_bytes(b"this is no database, but long enough to be looked at as one" * 20)
    places = {"file": tmp_path / "file", "folder": tmp_path}
    done = runs("chat", *(word.format(**places) for word in words), "-p", "0")
    assert done.code == 2
    assert said in done.err


def test_without_a_home_a_folder_has_to_be_named(runs: Callable[..., Result]) -> None:
    done = runs("chat", "-p", "0", HOME="", XDG_DATA_HOME="")
    assert done.code == 2
    assert "--data DIR" in done.err


def test_whoever_writes_lines_or_datagrams_waits_at_the_desk(start: Start, tmp_path: Path) -> None:
    running = start("chat", "--data", str(tmp_path), "-p", "0", "--line-port", "0", "--udp-port", "0")
    line_port = int(running.output.until(r"tcp://localhost:(\d+)\n")[1])
    udp_port = int(running.output.until(r"udp://localhost:(\d+)\n")[1])
    running.port()
    with socket.create_connection(("127.0.0.1", line_port), DEADLINE_S) as sock, sock.makefile("rb") as lines:
        sock.sendall("你好\n".encode("gbk"))
        assert any("√".encode("gbk") in line for line in lines)
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(DEADLINE_S)
        sock.connect(("127.0.0.1", udp_port))
        sock.send(b"#1 hello")
        assert sock.recv(1500).startswith(b"#1 ok ")
    assert running.process.poll() is None
    stopped(running)


def test_lines_and_datagrams_can_be_left_out(start: Start, tmp_path: Path) -> None:
    running, _, _ = started(start, tmp_path, "--no-lines", "--no-datagrams")
    assert "portico connect" not in running.output.text
    stopped(running)


def test_a_port_that_is_taken_is_told_before_anything_is_made(runs: Callable[..., Result], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = runs("chat", "--data", str(tmp_path / "data"), "-p", "0", "--line-port", str(port))
    assert done.code == 2
    assert str(port) in done.err
    assert not (tmp_path / "data").exists()


def test_who_comes_by_lines_is_in_the_log_and_what_they_say_is_not(start: Start, tmp_path: Path) -> None:
    running = start("chat", "--data", str(tmp_path), "-p", "0", "--line-port", "0", "--udp-port", "0")
    line_port = int(running.output.until(r"tcp://localhost:(\d+)\n")[1])
    udp_port = int(running.output.until(r"udp://localhost:(\d+)\n")[1])
    running.port()
    with socket.create_connection(("127.0.0.1", line_port), DEADLINE_S) as sock, sock.makefile("rb") as lines:
        sock.sendall(b"the canary sings\n")
        assert any("✓".encode() in line for line in lines)
    running.output.until(r"127.0.0.1:\d+ +connected\n")
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(DEADLINE_S)
        sock.connect(("127.0.0.1", udp_port))
        sock.send(b"#1 the canary sings")
        assert sock.recv(1500).startswith(b"#1 ok ")
    running.output.until(r"127.0.0.1:\d+ +← …  → …\n")
    stopped(running)
    assert "closed after" in running.output.text
    assert "canary" not in running.output.text


def refused(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, DEADLINE_S).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.skipif(not lan_addresses(), reason="this machine has only loopback")
@pytest.mark.parametrize("is_open", [False, True])
def test_a_key_opens_and_closes_all_three_ports_on_the_lan(
    is_open: bool, start_terminal: StartTerminal, tmp_path: Path
) -> None:
    address = lan_addresses()[0].address
    words = ("chat", "--data", str(tmp_path), "-p", "0", "--line-port", "0", "--udp-port", "0")
    terminal = start_terminal(*words, *(["--lan"] if is_open else []))
    line_port = int(terminal.output.until(r"portico connect tcp://localhost:(\d+)\n")[1])
    udp_port = int(terminal.output.until(r"portico connect udp://localhost:(\d+)\n")[1])
    terminal.output.until(r"\? help")
    for is_now_open in (not is_open, is_open):
        terminal.press("l")
        if is_now_open:
            shown = address.replace(".", r"\.")
            terminal.output.until(rf"portico connect tcp://\[?{shown}\]?:{line_port}\n")
            terminal.output.until(rf"portico connect udp://\[?{shown}\]?:{udp_port}\n")
        else:
            terminal.output.until("off again")
        assert refused((address, line_port)) is not is_now_open
        with socket.create_connection(("127.0.0.1", line_port), DEADLINE_S) as sock:
            assert sock.recv(100).startswith(b"Welcome")
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.settimeout(DEADLINE_S)
            sock.connect(("127.0.0.1", udp_port))
            sock.send(b"#1 hello")
            assert sock.recv(1500).startswith(b"#1 ok ")
    terminal.press("\x03")
    assert terminal.wait() == 0
