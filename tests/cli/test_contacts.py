"""`portico contacts`: added, shown, removed; its words and its mistakes."""

from pathlib import Path

import pytest
from tests.cli.running import StartTerminal, run, variables

from portico.cli.main import main


def contacts(folder: Path, *words: str, lang: str = "en") -> int:
    with variables(XDG_CONFIG_HOME=str(folder), PORTICO_LANG=lang):
        return main(["contacts", *words])


def test_somebody_is_added_shown_and_removed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert contacts(tmp_path, "add", "金老板", "udp://192.168.1.8:8081") == 0
    assert contacts(tmp_path, "add", "金老板", "udp://192.168.1.9:8081") == 0
    assert contacts(tmp_path) == 0
    assert contacts(tmp_path, "list") == 0
    assert contacts(tmp_path, "remove", "金老板") == 0
    assert contacts(tmp_path) == 0
    assert capfd.readouterr().out.splitlines() == [
        "  金老板 is at udp://192.168.1.8:8081",
        "  金老板 is at udp://192.168.1.9:8081",
        "  until now udp://192.168.1.8:8081",
        "金老板\tudp://192.168.1.9:8081",
        "金老板\tudp://192.168.1.9:8081",
        "  金老板 (udp://192.168.1.9:8081) is forgotten",
    ]


def test_in_a_terminal_it_is_a_table(start_terminal: StartTerminal, tmp_path: Path) -> None:
    folder = {"XDG_CONFIG_HOME": str(tmp_path)}
    empty = start_terminal("contacts", **folder)
    empty.output.until("nobody yet")
    assert empty.wait() == 0
    for name, address in (("金老板", "udp://h:1"), ("wang", "udp://h:2")):
        assert run("contacts", "add", name, address, cwd=tmp_path, env=folder).code == 0
    full = start_terminal("contacts", **folder)
    assert full.wait() == 0
    assert full.output.rest().splitlines() == ["  wang    udp://h:2", "  金老板  udp://h:1"]


@pytest.mark.parametrize(
    ("words", "complaint", "chinese"),
    [
        (["add", "a"], "ADDRESS is missing", "缺少 ADDRESS"),
        (["add", "a", "fd:3"], "'fd:3' is a descriptor of this process", "本进程的描述符"),
        (["add", "a:b", "udp://h:1"], "'a:b' is no name", "不能作为名字"),
        (["remove", "小李"], "there is no contact '小李'", "没有联系人 '小李'"),
        (["ad"], "there is no command 'ad'; did you mean add?", "没有 'ad' 这个命令"),
    ],
)
def test_mistakes(
    words: list[str], complaint: str, chinese: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert contacts(tmp_path, *words) == 2
    assert complaint in capfd.readouterr().err
    assert contacts(tmp_path, *words, lang="zh") == 2
    assert chinese in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "lang", "said"),
    [
        (["--help"], "en", ["Usage: portico contacts\n", "contacts add NAME ADDRESS", "XDG_CONFIG_HOME"]),
        (["--help"], "zh", ["用法：portico contacts\n", "给某人的地址起一个名字", "通讯录保存在"]),
        (["add", "--help"], "en", ["Usage: portico contacts add NAME ADDRESS\n", "udp://HOST:PORT"]),
    ],
)
def test_help(words: list[str], lang: str, said: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert contacts(tmp_path, *words, lang=lang) == 0
    out = capsys.readouterr().out
    assert [text in out for text in said] == [True] * len(said)
