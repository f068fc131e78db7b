"""Messages of lower layers in Chinese: every row is one that is said, and no kind of mistake is left in English."""

import re
import string
from pathlib import Path

import pytest
from tests.cli.running import kept_process, variables

import portico
from portico.cli.complaints import ROWS, in_chinese
from portico.cli.main import main
from portico.errors import UsageError
from portico.net.addresses import parse_address

SOURCES = re.sub(r'"\n\s*f?"', "", "".join(path.read_text() for path in Path(portico.__file__).parent.rglob("*.py")))
PLACE = re.compile(r"\{\w+\}")
# Said by the system, or put together from smaller pieces than the row's.
ELSEWHERE = {
    "No such file or directory",
    "Permission denied",
    "broken pipe",
    "connection reset by peer",
    "no space left on device",
    "the application could not start: {why}",
    "{value} is not a list of texts in quotes, as {example}",
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_row_has_the_same_places_and_is_chinese(row: tuple[str, str]) -> None:
    places = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in row]
    assert places[0] == places[1]
    assert re.search("[\u4e00-\u9fff]", row[1])


@pytest.mark.parametrize("english", [row[0] for row in ROWS if row[0] not in ELSEWHERE])
def test_every_row_is_one_that_is_said(english: str) -> None:
    # Behind the rows of this table, hence more than once.
    longest = max(PLACE.split(english.replace("this folder", "{folder}")), key=len)
    assert SOURCES.count(longest) > 1


@pytest.mark.parametrize(
    ("message", "chinese"),
    [
        (
            "no module named 'x'; main.py, line 1 needs it; pip install x",
            "没有名为 'x' 的模块；main.py 第 1 行要用到它；pip install x",
        ),
        (
            "no module named 'x'; this folder has app.py: portico run app:app",
            "没有名为 'x' 的模块；当前文件夹里有 app.py: portico run app:app",
        ),
        ("portico.toml:3: drain: 'x' is not a whole number", "portico.toml:3: drain: 'x' 不是整数"),
        (
            "portico.toml:3: drian: there is no such option; did you mean drain?",
            "portico.toml:3: drian: 没有这个选项；是不是 drain？",
        ),
        (
            "cannot listen on unix:/x/y: No such file or directory",
            "无法监听 unix:/x/y：没有这个文件或目录",
        ),
        ("something new: that nobody knows; yet", "something new: that nobody knows; yet"),
        (
            "this folder has no Python files; --app-dir says where they are",
            "当前文件夹里没有 Python 文件；用 --app-dir 指明所在位置",
        ),
        ("this folder has 2 applications; say which:", "当前文件夹里有 2 个应用；请指定一个："),
        ("this folder has its modules in src:", "当前文件夹的模块在 src 里："),
        (
            "this folder has no application that can be recognised (A, ...); name it: portico run module:app",
            "当前文件夹里没有找到可以识别的应用（A, ...）；请写明名称：portico run module:app",
        ),
        ("plain", "plain"),
        ("{0} is a class; {}", "{0} 是一个类；{}"),
        ("", ""),
    ],
)
def test_messages(message: str, chinese: str) -> None:
    assert in_chinese(message) == chinese


@pytest.mark.parametrize(("english", "chinese"), ROWS)
def test_no_row_is_hidden_by_another(english: str, chinese: str) -> None:
    """The order of the rows does not matter: what says more itself comes before what says less."""
    places = re.findall(r"\{(\w+)\}", english)
    sample = {name: f"<{at}>" for at, name in enumerate(places)}
    assert in_chinese(english.format(**sample)) == chinese.format(**sample)


@pytest.mark.parametrize(
    ("text", "chinese"),
    [
        ("localhost", "'localhost' 没有写端口；请写作 主机:端口，如 localhost:8000"),
        ("", "'' 不是地址；请写作 主机:端口、:端口、[IPV6]:端口、unix:路径 或 fd:N"),
        ("unix:", "'unix:' 没有写出套接字；请写作 unix:路径，如 unix:/run/portico.sock"),
        ("unix:x?mode=999", "'unix:x?mode=999': 权限请写作 unix:路径?mode=660，取值 0 到 777"),
        ("unix:@x?mode=660", "'unix:@x?mode=660' 不是文件，没有权限可言；请去掉 '?mode=660'"),
        ("fd:x", "'fd:x' 没有写出文件描述符；请写作 fd:N，如 fd:3"),
        ("http://h:1", "'http://h:1': 协议 'http' 不是 tcp、tls、udp、unix 或 fd"),
        ("[::1:9", "'[::1:9' 的方括号不配对；请写作 [IPV6]:端口"),
        ("1.2.3:80", "'1.2.3:80': '1.2.3' 不是 0 到 255 的四个数字"),
        ("[::1%!]:1", "'[::1%!]:1': '!' 不是网卡的名称"),
        ("a!b:1", "'a!b:1': 'a!b' 不是主机名；请写作 主机:端口、:端口、[IPV6]:端口、unix:路径 或 fd:N"),
        ("h:x", "'h:x': 端口 'x' 不是 0 到 65535 的数字"),
    ],
)
def test_mistakes_in_an_address(text: str, chinese: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_address(text)
    assert in_chinese(str(caught.value)) == chinese


@pytest.mark.parametrize(
    "words",
    [
        ["run", "nothing:app"],
        ["run", "main:aap"],
        ["run", "main.py"],
        ["run", "main:"],
        ["run", "main:number"],
        ["run", "main:app", "-p", "x"],
        ["run", "main:app", "-b", "localhost:99999"],
        ["run", "main:app", "--static", "x"],
        ["run", "main:app", "--admin", "0.0.0.0:1"],
        ["run", "main:app", "--lan", "-b", "::1"],
        ["run", "main:app", "--config", "missing"],
        ["run", "broken:app"],
        ["check", "--drain", "soon"],
        ["serve", "missing"],
        ["run", "--app-dir", "missing", "main:app"],
    ],
)
def test_no_mistake_is_told_in_english(words: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "main.py").write_text("number = 5\ndef app(environ, start_response): ...\n")
    (tmp_path / "broken.py").write_text("1 / 0\n")
    where = ["--app-dir", str(tmp_path)] if words[0] == "run" and "--app-dir" not in words else []
    with kept_process(), variables(PORTICO_LANG="zh"):
        assert main([*words, *where]) == 2
    first = capfd.readouterr().err.partition("\n")[0]
    assert re.search("[\u4e00-\u9fff]", first)
    assert not re.search(r" (is|are|has|not|the|there) ", first)
