"""`portico check`: where each value comes from, and whether the application can be run."""

import re
from pathlib import Path

import pytest
from tests.cli.running import Result, kept_process, run, variables

from portico.cli.main import main

WSGI = "def app(environ, start_response): ...\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(WSGI)
    (tmp_path / "portico.toml").write_text("app = 'main:app'\ndrain = 5\n[run]\nmax-head = '32K'\nport = 9000\n")
    return tmp_path


def rows(result: Result) -> dict[str, tuple[str, str]]:
    """Return value and origin of each option."""
    found = re.findall(r"(?m)^  (\S+) {2,}(\S.*?) {2,}(\S.*)$", result.out)
    return {name: (value, origin) for name, value, origin in found}


def test_where_each_value_comes_from(project: Path) -> None:
    result = run(
        *("check", "--threads", "2", "-p", "9001"),
        cwd=project,
        env={"PORTICO_LOG_FORMAT": "json", "PORTICO_RUN_QUIET": "1", "PORTICO_DRAIN": "7s"},
    )
    found = rows(result)
    assert (result.code, result.err) == (0, "")
    assert found["threads"] == ("2", "command line")
    assert found["port"] == ("9001", "command line")
    assert found["log-format"] == ("json", "environment PORTICO_LOG_FORMAT")
    assert found["quiet"] == ("yes", "environment PORTICO_RUN_QUIET")
    assert found["drain"] == ("7s", "environment PORTICO_DRAIN")
    assert found["max-head"] == ("32K", "portico.toml:4")
    assert found["max-url"] == ("8K", "default")
    assert found["bind"] == ("-", "default")
    assert result.out.endswith("\n\nmain:app (WSGI) can be run\n")


def test_in_chinese(project: Path) -> None:
    result = run("check", cwd=project, env={"PORTICO_LANG": "zh"})
    assert "默认值" in result.out
    assert result.out.endswith("main:app (WSGI) 可以运行\n")


@pytest.mark.parametrize(
    ("name", "english", "chinese"),
    [("talk", "a service for connections", "连接服务"), ("clock", "a service for datagrams", "数据报服务")],
)
def test_services_are_called_what_run_calls_them(project: Path, name: str, english: str, chinese: str) -> None:
    (project / "own.py").write_text(
        "from portico import datagram_service, stream_service\n"
        "@stream_service\nasync def talk(stream): ...\n"
        "@datagram_service\ndef clock(datagram, peer): ...\n"
    )
    assert run("check", f"own:{name}", cwd=project).out.endswith(f"own:{name} ({english}) can be run\n")
    assert run("check", f"own:{name}", cwd=project, env={"PORTICO_LANG": "zh"}).out.endswith(
        f"own:{name} ({chinese}) 可以运行\n"
    )


def test_a_file_that_is_named(project: Path) -> None:
    (project / "other.toml").write_text("app = 'main:app'\nport = 9002\n")
    assert rows(run("check", "--config", "other.toml", cwd=project))["port"] == ("9002", "other.toml:2")
    assert rows(run("check", cwd=project, env={"PORTICO_CONFIG": "other.toml"}))["port"] == ("9002", "other.toml:2")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--config", "missing"], "the configuration file 'missing' cannot be read: No such file or directory"),
        (["nothing:app"], "no module named 'nothing'; this folder has main.py: portico run main:app"),
        (["--max-head", "1"], "--max-head: '1' is below the least allowed, 256"),
        (["-b", "a:b"], "'a:b': the port 'b' is not a number, 0 to 65535"),
        (["--static", "/x=y"], "there is no folder 'y' to serve at /x"),
        (["--lan", "-b", "::1"], "--lan already means every interface; leave out --bind"),
        (["-b", "udp://localhost:53"], "udp://localhost:53 is UDP; HTTP is served over TCP, unix:PATH or fd:N"),
        (
            ["--admin", "0.0.0.0:9100"],
            "--admin 0.0.0.0:9100 could be reached by others; use localhost:PORT or unix:PATH",
        ),
        (["--user", "nobody such"], "--user 'nobody such': this system has no such user"),
        (
            ["--forwarded-allow", "me"],
            "'me': is no address, network, unix or *; write 10.0.0.1, 10.0.0.0/8, ::1, unix or *",
        ),
        (
            ["--proxy-protocol", "me"],
            "'me': is no address, network, unix or *; write 10.0.0.1, 10.0.0.0/8, ::1, unix or *",
        ),
        (["--reload", "--reload-dir", "/missing"], "--reload-dir /missing is not a folder"),
    ],
)
def test_mistakes(project: Path, words: list[str], complaint: str) -> None:
    result = run("check", *words, cwd=project)
    assert result.code == 2
    assert result.err.startswith(f"python -m portico check: {complaint}\n")


def test_a_mistake_in_the_file(project: Path) -> None:
    (project / "portico.toml").write_text("\nprot = 1\n")
    for command in ("check", "run", "serve"):
        result = run(command, cwd=project)
        assert result.code == 2
        assert result.err.startswith(
            f"python -m portico {command}: portico.toml:2: prot: there is no such option; did you mean port?\n"
        )


def test_within_this_process(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["check", "--config", str(project / "portico.toml"), "--app-dir", str(project), "-b", "::1"]
    with kept_process():
        assert main(words) == 0
    out = capsys.readouterr().out
    assert f"{project}/portico.toml:2\n" in out
    assert out.endswith("main:app (WSGI) can be run\n")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--admin", "0.0.0.0:9100"], "--admin 0.0.0.0:9100 could be reached by others"),
        (["--user", "nobody such"], "--user 'nobody such': this system has no such user"),
        (["--group", "nobody such"], "--group 'nobody such': this system has no such group"),
        (["--reload", "--reload-dir", "missing"], "is not a folder"),
    ],
)
def test_what_is_looked_at_within_this_process(
    project: Path, capsys: pytest.CaptureFixture[str], words: list[str], complaint: str
) -> None:
    with kept_process():
        assert main(["check", "--config", "/dev/null", "main:app", "--app-dir", str(project), *words]) == 2
    assert complaint in capsys.readouterr().err


def test_the_environment_of_this_process(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with kept_process(), variables(PORTICO_DRAIN="7s"):
        assert main(["check", "--config", "/dev/null", "main:app", "--app-dir", str(project)]) == 0
    assert re.search("drain +7s +environment PORTICO_DRAIN\n", capsys.readouterr().out)


def test_the_help_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--help"]) == 0
    out = capsys.readouterr().out
    assert "PORTICO_RUN_LOG_FORMAT" in out
    assert "--config FILE" in out


def test_a_mistake_within_this_process(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.toml").write_text("prot = 1\n")
    assert main(["check", "--config", str(tmp_path / "x.toml")]) == 2
    assert "x.toml:1: prot: there is no such option; did you mean port?" in capsys.readouterr().err
    assert main(["check", "--config", "/dev/null", "--app-dir", str(tmp_path)]) == 2
    assert "has no application that can be recognised" in capsys.readouterr().err
