"""portico.toml: options by their own names, for each command, and mistakes told with file, line and key."""

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.cli import main
from portico.cli.config import COMMANDS, Config, Origin, find_config, read_config
from portico.cli.mounts import Mount
from portico.cli.options import all_rows
from portico.errors import ConfigError
from portico.settings import App, Files, Limits, Listen, Log, Processes, options_of

RUN = [row for group in (Listen, App, Log, Limits, Processes) for row in options_of(group)]
SERVE = [row for group in (Listen, Files, Log, Limits) for row in options_of(group)]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Path]:
    """A folder that is the current one."""
    before = os.getcwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)


def read(text: str, command: str = "run", name: str = "portico.toml") -> Config:
    Path(name).write_text(text)
    return read_config(name, command, RUN if command == "run" else SERVE, known=all_rows())


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("port = 80", {"port": 80}),
        ("port = '80'", {"port": 80}),
        ("max-head = '32K'", {"max_head": 32768}),
        ("max-head = 512", {"max_head": 512}),
        ("drain = 5", {"drain": 5.0}),
        ("drain = 0.25", {"drain": 0.25}),
        ("drain = '1m'", {"drain": 60.0}),
        ("lan = true", {"lan": True}),
        ("log-format = 'json'", {"log_format": "json"}),
        ("log-file = 'a b'", {"log_file": "a b"}),
        ("bind = ['::1', 'unix:/x']", {"bind": ("::1", "unix:/x")}),
        ("app = 'main:app'", {"reference": "main:app"}),
        ("port = 80\n[run]\nport = 81\n[serve]\nport = 82", {"port": 81}),
        ("listing = false\npaths = ['a']", {}),
        ("'port' = 80", {"port": 80}),
    ],
)
def test_values_for_run(here: Path, text: str, values: dict[str, object]) -> None:
    assert read(text).values == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("listing = false", {"listing": False}),
        ("paths = ['a', 'b=c']", {"paths": ("a", "b=c")}),
        ("app = 'main:app'\nworkers = 2\n[serve]\nlan = true\n[run]\nlan = false", {"lan": True}),
    ],
)
def test_values_for_serve(here: Path, text: str, values: dict[str, object]) -> None:
    assert read(text, "serve").values == values


def test_a_command_without_arguments_has_values_as_the_others(here: Path) -> None:
    text = "app = 'main:app'\npaths = ['a']\nport = 80\nworkers = 2\n[serve]\nport = 81\n[chat]\nport = 82"
    assert read(text, "chat").values == {"port": 82}
    assert read(text, "time").values == {"port": 80}
    assert read(text, "run").values == {"port": 80, "workers": 2, "reference": "main:app"}
    with pytest.raises(ConfigError, match=r"portico.toml:2: \[chat\] app: there is no such option"):
        read("[chat]\napp = 'main:app'", "chat")


def test_each_command_that_reads_the_file_may_have_a_table_in_it() -> None:
    loaded = {
        name: getattr(import_module(home.partition(":")[0]), home.partition(":")[2] or "command")
        for name, home in main.COMMANDS.items()
    }
    reading = {
        name for name, one in loaded.items() if any(param.name == "config" for param in getattr(one, "params", []))
    }
    assert reading - {"check"} | {"chat"} == set(COMMANDS)


def test_where_each_value_stands(here: Path) -> None:
    config = read("# a remark\nport = 80\nquiet = true\n\n[run]\nport = 81\n'log-format' = 'json'\n")
    assert {name: str(origin) for name, origin in config.origins.items()} == {
        "port": "portico.toml:6",
        "quiet": "portico.toml:3",
        "log_format": "portico.toml:7",
    }
    assert str(Origin("x", 0)) == "x"


def test_mounts(here: Path) -> None:
    text = "[[mount]]\npath = '/static'\nfolder = 'public'\n[[mount]]\npath = '/api/'\napp = 'api:app'\n"
    assert read(text).mounts == (Mount("/static", "public"), Mount("/api", app="api:app"))


def test_in_pyproject(here: Path) -> None:
    text = "[project]\nname = 'x'\nport = 1\n[tool.portico]\nport = 80\n[tool.portico.run]\nquiet = true\n"
    config = read(text, name="pyproject.toml")
    assert config.values == {"port": 80, "quiet": True}
    assert [origin.line for origin in config.origins.values()] == [5, 7]


def test_which_file_is_found(here: Path) -> None:
    assert find_config() == ""
    (here / "pyproject.toml").write_text("[project]\n")
    assert find_config() == ""
    (here / "pyproject.toml").write_text("[tool.portico]\n")
    assert find_config() == "pyproject.toml"
    (here / "portico.toml").touch()
    assert find_config() == "portico.toml"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("\nprot = 80", "portico.toml:2: prot: there is no such option; did you mean port?"),
        ("max_head = 1", "portico.toml:1: max_head: there is no such option; did you mean max-head?"),
        ("zzzzz = 1", "portico.toml:1: zzzzz: there is no such option; portico run --help lists the options"),
        ("[rum]\nport = 1", "portico.toml:1: rum: there is no such option; did you mean run?"),
        ("[run]\nprot = 1", r"portico.toml:2: \[run\] prot: there is no such option; did you mean port?"),
        ("[run]\nlisting = true", r"portico.toml:2: \[run\] listing: there is no such option"),
        ("run = 1", r"portico.toml:1: run: this is a table, written \[run\]"),
        ("port = 'x'", "portico.toml:1: port: 'x' is not a whole number"),
        ("port = 70000", "port: '70000' is above the most allowed, 65535"),
        ("port = true", "port: 'true' is not a whole number"),
        ("port = 1.5", "port: '1.5' is not a whole number"),
        ("port = [1]", r"port: '\[1\]' is not a whole number"),
        ("drain = [1]", r"drain: '\[1\]' is not of the form 30s, 500ms, 5m or 1h"),
        ("max-body = true", "max-body: 'true' is not of the form 8192, 64K, 1M or 2G"),
        ("drain = 'x'", "drain: 'x' is not of the form 30s, 500ms, 5m or 1h"),
        ("lan = 'yes'", "lan: 'yes' is neither true nor false"),
        ("bind = 'x'", r"bind: 'x' may be repeated, so it is a list: write \['x'\]"),
        ("bind = 5", r"bind: '5' is not a list of texts in quotes, as \['a', 'b'\]"),
        ("bind = [1]", "bind: '1' is not a text in quotes"),
        ("log-format = 'xml'", "log-format: 'xml' is not one of pretty, common, combined, json"),
        ("log-format = 5", "log-format: '5' is not a text in quotes"),
        ("app = 5", "app: '5' is not a text in quotes"),
        ("mount = 5", r"mount: mounts are written \[\[mount\]\], each with a path and a folder or an app"),
        ("[[mount]]\nfolder = 'x'", r"portico.toml:1: \[mount\]: a mount has a path, and either a folder or an app"),
        ("[[mount]]\npath = '/x'", "a mount has a path, and either a folder or an app"),
        ("[[mount]]\npath = '/x'\nfolder = 'x'\napp = 'y'", "a mount has a path, and either a folder or an app"),
        ("[[mount]]\npath = 'x'\nfolder = 'x'", r"portico.toml:2: \[mount\] path: 'x' is not a path to mount at"),
        ("[[mount]]\npath = 5", r"\[mount\] path: '5' is not a text in quotes"),
        (
            "[[mount]]\npath = '/x'\nfolder = 'x'\n[[mount]]\nflder = 'x'",
            r"portico.toml:5: \[mount\] flder: a mount has no such key; did you mean folder?",
        ),
        ("[[mount]]\nzzz = 'x'", "a mount has no such key; it has path, folder, app"),
        ("port = ", "portico.toml is not TOML: Invalid value"),
    ],
)
def test_mistakes(here: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        read(text)


def test_paths_that_are_no_list(here: Path) -> None:
    with pytest.raises(ConfigError, match="paths: 'a' is not a list of texts in quotes"):
        read("paths = 'a'", "serve")
    with pytest.raises(ConfigError, match="is not a list of texts in quotes"):
        read("paths = [1]", "serve")


def test_files_that_cannot_be_read(here: Path) -> None:
    with pytest.raises(ConfigError, match="the configuration file 'missing' cannot be read: No such file"):
        read_config("missing", "run", RUN)
    (here / "latin").write_bytes(b"a = '\xe9'")
    with pytest.raises(ConfigError, match="'latin' is not UTF-8"):
        read_config("latin", "run", RUN)


@given(st.dictionaries(st.sampled_from([row.name for row in RUN]), st.one_of(st.booleans(), st.integers(), st.text())))
def test_any_values_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, table: dict[str, object]) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    lines = [
        f"{key} = {str(value).lower()}" if isinstance(value, bool | int) else f"{key} = '''\n{value}'''"
        for key, value in table.items()
    ]
    path.write_text("\n".join(lines), "utf-8", "surrogateescape")
    try:
        config = read_config(str(path), "run", RUN)
    except ConfigError:
        return
    assert len(config.values) == len(table)
