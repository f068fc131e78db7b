"""Exit codes, and one clear line for every mistake that a person can make."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.running import Result

from portico import __version__
from portico.cli.main import COMMANDS, main, main_module

Runs = Callable[..., Result]
HINT = "portico serve --help tells more"


def said(capfd: pytest.CaptureFixture[str]) -> list[str]:
    """What is on standard error, line by line; nothing may be on standard output."""
    out, err = capfd.readouterr()
    assert out == ""
    return err.splitlines()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["serve", "-p", "x"], "portico serve: --port: 'x' is not a whole number"),
        (["serve", "-p", "70000"], "portico serve: --port: '70000' is above the most allowed, 65535"),
        (["serve", "-p", "-1"], "portico serve: --port: '-1' is below the least allowed, 0"),
        (["serve", "-p"], "portico serve: -p needs a value"),
        (["serve", "--lan=3"], "portico serve: --lan takes no value"),
        (["serve", "--prot", "80"], "portico serve: there is no option --prot; did you mean --port?"),
        (["serve", "--no-listings"], "portico serve: there is no option --no-listings; did you mean --no-listing?"),
        (["serve", "--zzz"], "portico serve: there is no option --zzz"),
        (["serve", "8000000000"], "portico serve: there is no folder '8000000000'; a port is written -p 8000000000"),
        (["serve", "-b", "a:b"], "portico serve: 'a:b': the port 'b' is not a number, 0 to 65535"),
        (["serve", "--lan", "-b", "::1"], "portico serve: --lan already means every interface; leave out --bind"),
        (["serve", "--links", "some"], "portico serve: --links: 'some' is not one of inside, none, all"),
        (["serve", "--max-head", "1"], "portico serve: --max-head: '1' is below the least allowed, 256"),
        (["serve", "a=/", "a=/tmp"], "portico serve: two paths would be called 'a'; name one of them: NAME=PATH"),
    ],
)
def test_a_mistake_is_one_line_and_a_hint(words: list[str], complaint: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert said(capfd) == [complaint, HINT]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_no_socket_gets_the_number_of_a_standard_stream_that_is_closed(closed: str, tmp_path: Path) -> None:
    code = f"""
import os, socket
from portico.cli.main import main
main(["get", "http://127.0.0.1:1/"])
with socket.socket() as sock, open({str(tmp_path / "seen")!r}, "w") as file:
    print(sock.fileno() > 2, *(os.fstat(fd).st_mode > 0 for fd in range(3)), file=file)
"""
    command = ["/bin/sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, code]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert (result.returncode, b"Traceback" in result.stderr) == (0, False)
    assert (tmp_path / "seen").read_text() == "True True True True\n"


def test_a_closed_input_reads_as_empty() -> None:
    before, kept = sys.stdin, os.dup(0)
    os.close(0)
    try:
        assert main(["--version"]) == 0
        assert sys.stdin.read() == ""
        assert os.get_inheritable(0)
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        sys.stdin = before


def test_a_folder_that_is_missing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "-p", "0", str(tmp_path / "missing")]) == 2
    complaint, hint = said(capfd)
    assert complaint.startswith("portico serve: cannot serve")
    assert "No such file or directory" in complaint
    assert hint == HINT


def test_an_address_that_is_not_ours(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "-b", "192.0.2.123:0"]) == 2
    assert said(capfd)[0].startswith("portico serve: 192.0.2.123 is not an address of this machine; it has 127.0.0.1")


def test_a_port_that_is_taken(taken_port: int, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "-b", "127.0.0.1", "-p", str(taken_port)]) == 2
    assert said(capfd)[0].startswith(f"portico serve: {taken_port} is used by ")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["serf"], "portico: there is no command 'serf'; did you mean serve?"),
        (["zzz"], "portico: there is no command 'zzz'"),
        (["/"], "portico: there is no command '/'; did you mean portico serve /?"),
        (["main:app"], "portico: there is no command 'main:app'; did you mean portico run main:app?"),
        (["main.py"], "portico: there is no command 'main.py'; did you mean portico run main?"),
        (["C:\x1b[2J"], "portico: there is no command 'C:\\x1b[2J'"),
        (["--versoin"], "portico: there is no option --versoin; did you mean --version?"),
    ],
)
def test_a_command_that_does_not_exist(words: list[str], complaint: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert said(capfd) == [complaint, "portico --help tells more"]


def test_what_was_typed_cannot_harm_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--\x1b[2J\n"]) == 2
    assert main(["\x1b[2J\n"]) == 2
    assert "\x1b" not in "".join(said(capfd))


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert (main(["--version"]), main_module(["--version"])) == (0, 0)
    assert capsys.readouterr().out == f"portico {__version__}\n" * 2


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_help_lists_the_commands(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {name} " in out for name in COMMANDS)
    assert all(f"\n  portico {name}" in out for name in ("serve", "run", "check"))


def test_a_module_takes_commands_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main_module(["serve", "--help"]) == 0
    assert capsys.readouterr().out.startswith("python -m portico serve: ")


def test_a_module_is_a_drop_in_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    assert main_module(["--help"]) == 0
    assert "--directory" in capsys.readouterr().out


def test_the_words_of_the_process_are_taken() -> None:
    code = "import sys; from portico.cli.main import main; sys.argv[1:] = ['--version']; sys.exit(main())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.startswith(b"portico ")


def test_a_mistake_in_the_environment_is_told_as_one(runs: Runs) -> None:
    result = runs("serve", PORTICO_PORT="70000")
    assert result.code == 2
    assert result.err.startswith("python -m portico serve: PORTICO_PORT (from the environment): '70000' is above")


def test_chinese(runs: Runs) -> None:
    assert runs("serve", "--prot", LANG="zh_CN.UTF-8").err.startswith(
        "python -m portico serve: 没有 --prot 这个选项\uff0c是不是 --port\uff1f\n详见 "
    )
    assert "限制\uff1a" in runs("serve", "--help", PORTICO_LANG="zh").out


def test_a_folder_that_may_not_be_read(runs: Runs, site: Path) -> None:
    import os

    if os.geteuid() == 0:
        pytest.skip("nothing is unreadable to root")
    site.chmod(0)
    result = runs("serve", str(site), cwd=site.parent)
    site.chmod(0o755)
    assert (result.code, result.err.count("\n")) == (2, 2)
    assert "Permission denied" in result.err
