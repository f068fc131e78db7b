"""`portico talk`: over UDP, to lines, to a chat; by a name or an address; in a pipe and in a terminal."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.cli.running import Result, Start, StartTerminal, variables
from tests.cli.written import standard_input

from portico.cli.contact_book import ContactBook, book_path
from portico.cli.main import main
from portico.cli.talk import Whom, find_whom, listening_place
from portico.errors import UsageError
from portico.net.addresses import Address

Talk = Callable[..., Result]
FIRST_LINK = r"(http://localhost:\d+/)#(\S+)"


def folders(folder: Path, **more: str) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(folder / "config"), "XDG_STATE_HOME": str(folder / "state"), **more}


@pytest.fixture
def talk(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Talk:
    """Talk within this process, with lines from a pipe."""

    def run(*words: str, typed: str) -> Result:
        capfd.readouterr()
        with standard_input(typed), variables(**folders(tmp_path), PORTICO_LANG="en"):
            code = main(["talk", *words])
        return Result(code, *capfd.readouterr())

    return run


def add(folder: Path, name: str, address: str) -> None:
    with variables(**folders(folder)):
        ContactBook(book_path(os.environ)).add(name, address)


def service(start: Start, *words: str, kind: str) -> str:
    """Start a service of ours on a port that is free; return its address."""
    return start(*words, "-p", "0").output.until(rf"{kind}://localhost:\d+")[0]


def test_a_question_over_udp_and_its_answer_by_address_and_by_name(start: Start, talk: Talk, tmp_path: Path) -> None:
    address = service(start, "temperature", kind="udp")
    port = address.rpartition(":")[2]
    done = talk(address, typed="36.6\nq\n")
    assert (done.code, done.err) == (0, "")
    assert done.out.partition("] ")[2] == f"127.0.0.1:{port}: 97.88\n"
    add(tmp_path, "温度", address.replace("localhost", "127.0.0.1"))
    assert talk("温度", typed="36.6").out.partition("] ")[2] == "温度: 97.88\n"


def test_lines_over_tcp(start: Start, talk: Talk, tmp_path: Path) -> None:
    address = service(start, "reply", "好的", kind="tcp")
    done = talk(address, "--wait", "1", typed="打印机坏了\nq\n")
    assert (done.code, done.out, done.err) == (0, "好的\n", "")


def test_two_programs_talk_both_ways(start_terminal: StartTerminal, tmp_path: Path) -> None:
    one = start_terminal("talk", "--listen", "127.0.0.1:0", **folders(tmp_path))
    port = one.output.until(r"hearing at udp://127.0.0.1:(\d+)")[1]
    one.output.until(">")
    add(tmp_path, "金老板", f"udp://127.0.0.1:{port}")
    other = start_terminal("talk", "金老板", "--listen", "127.0.0.1:0", **folders(tmp_path))
    back = other.output.until(r"hearing at udp://127.0.0.1:(\d+)")[1]
    other.output.until("talking to 金老板")
    other.output.until(">")
    other.press("你好，在吗\r")
    one.output.until(rf"127.0.0.1:{back}\)?: 你好，在吗")
    one.press("在\r")
    other.output.until(r"\d\d:\d\d\] 金老板: 在")
    for terminal in (one, other):
        terminal.press("q\r")
        terminal.output.until("the end")
        assert terminal.wait() == 0
        assert terminal.modes() == (True, True)


def test_a_chat_is_joined(start: Start, talk: Talk, tmp_path: Path) -> None:
    running = start("chat", "--data", str(tmp_path / "data"), "-p", "0", "--no-lines", "--no-datagrams")
    url, token = running.output.until(FIRST_LINK).groups()
    add(tmp_path, "客服", url)
    done = talk("客服", "--name", "小张", typed="打印机坏了\n")
    assert done.code == 0, done.err
    assert "小张: 打印机坏了" in done.out
    linked = talk(f"{url}#{token}", typed="/list\nq\n")
    assert linked.code == 0, linked.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["udp://127.0.0.1:1"], 1, ["*** nobody listens at 127.0.0.1:1"]),
        (["127.0.0.1:1"], 1, ["portico talk: nothing listens on 127.0.0.1:1"]),
        (["小李"], 2, ["there is no contact '小李'", "portico talk --help tells more"]),
        ([], 2, ["nobody is named"]),
        (["udp://h:1", "--encoding", "x"], 2, ["'x'"]),
        (["http://h", "--listen", "1"], 2, ["a chat needs none of them"]),
        (["udp://h:1", "--login", "wang"], 2, ["--login and --name are for a chat"]),
        (["h:1", "--listen", "1"], 2, ["--listen is for UDP; to wait for a connection: portico connect 1 --listen"]),
        (["--listen", "tcp://h:1"], 2, ["portico connect h:1 --listen"]),
        (["udp://127.0.0.1:1", "--listen", "[::1]:0"], 2, ["cannot be reached from udp://[::1]:0"]),
    ],
)
def test_mistakes(words: Sequence[str], code: int, said: list[str], talk: Talk) -> None:
    done = talk(*words, typed="hi\n")
    assert done.code == code, done.err
    assert [text in done.out + done.err for text in said] == [True] * len(said)


def test_whom_a_word_means(tmp_path: Path) -> None:
    add(tmp_path, "金老板", "udp://192.168.1.8:8081")
    add(tmp_path, "8081", "udp://192.168.1.9:8081")
    with variables(**folders(tmp_path)):
        assert find_whom("金老板") == Whom("金老板", Address("udp", host="192.168.1.8", port=8081))
        assert find_whom("8081") == Whom("8081", Address("udp", host="192.168.1.9", port=8081))
        assert find_whom("8000") == Whom("", Address("tcp", host="localhost", port=8000))
        assert find_whom("http://h/#once").link == "once"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", None),
        ("8081", Address("udp", host="*", port=8081)),
        ("localhost:8081", Address("udp", host="localhost", port=8081)),
        ("udp://[::1]:8081", Address("udp", host="::1", port=8081)),
    ],
)
def test_where_to_hear(text: str, place: Address | None) -> None:
    assert listening_place(text) == place


def test_a_connection_is_not_heard() -> None:
    with pytest.raises(UsageError, match="portico connect h:1 --listen"):
        listening_place("tcp://h:1")


@pytest.mark.parametrize(("lang", "said"), [("en", "Whom to talk to:"), ("zh", "与谁聊天：")])
def test_help(lang: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with variables(PORTICO_LANG=lang):
        assert main(["talk", "--help"]) == 0
    out = capsys.readouterr().out
    assert said in out
    assert "--listen PORT" in out


def test_a_book_that_cannot_be_read_is_no_reason_not_to_talk(start: Start, talk: Talk, tmp_path: Path) -> None:
    address = service(start, "temperature", kind="udp")
    book = tmp_path / "config" / "portico" / "contacts.json"
    book.parent.mkdir(parents=True)
    book.write_text("[")
    assert talk(address, typed="36.6").out.endswith(": 97.88\n")
    named = talk("金老板", typed="")
    assert (named.code, "is no contact book; mend it" in named.err) == (2, True)
