"""Options are the rows of settings/: read, refused, shown, and found in the environment."""

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from portico.cli.options import SettingOption, collect, options_for, written
from portico.settings import Files, Limits, Listen, Log, options_of

GROUPS = (Listen, Files, Log, Limits)


def parsed(group: type, *words: str, **environ: str) -> Any:
    """Run a command with the options of one group; return the group it collects, or the complaint."""
    found: list[Any] = []
    command = click.Command(
        "serve", params=options_for(group, "serve"), callback=lambda **params: found.append(collect(group, params))
    )
    result = CliRunner().invoke(command, list(words), env=environ)
    return found[0] if found else result.output


@pytest.mark.parametrize("group", GROUPS)
def test_nothing_given_is_the_defaults(group: type) -> None:
    assert parsed(group) == group()


@pytest.mark.parametrize(
    ("group", "words", "expected"),
    [
        (Listen, ["-p", "80"], Listen(port=80)),
        (Listen, ["--port", "0", "--lan"], Listen(port=0, lan=True)),
        (Listen, ["-b", "::1", "--bind", "unix:/x"], Listen(bind=("::1", "unix:/x"))),
        (Files, ["--no-listing", "--links", "all"], Files(listing=False, links="all")),
        (Files, ["--header", "A: b, c", "--header", "D: e"], Files(header=("A: b, c", "D: e"))),
        (Log, ["--log-format", "json", "--quiet"], Log(log_format="json", quiet=True)),
        (Limits, ["--max-head", "1M", "--drain", "500ms"], Limits(max_head=1 << 20, drain=0.5)),
    ],
)
def test_words_become_values(group: type, words: list[str], expected: object) -> None:
    assert parsed(group, *words) == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"PORTICO_PORT": "81"}, Listen(port=81)),
        ({"PORTICO_SERVE_PORT": "82", "PORTICO_PORT": "81"}, Listen(port=82)),
        ({"PORTICO_LAN": "1"}, Listen(lan=True)),
        ({"PORTICO_BIND": "127.0.0.1\n ::1 \n\n"}, Listen(bind=("127.0.0.1", "::1"))),
    ],
)
def test_the_environment_counts(environ: dict[str, str], expected: Listen) -> None:
    assert parsed(Listen, **environ) == expected


def test_the_command_line_goes_before_the_environment() -> None:
    assert parsed(Listen, "-p", "90", PORTICO_PORT="81") == Listen(port=90)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["-p", "x"], "'x' is not a whole number"),
        (["-p", "70000"], "'70000' is above the most allowed, 65535"),
        (["-p", "-1"], "'-1' is below the least allowed, 0"),
    ],
)
def test_the_row_decides_what_is_refused(words: list[str], complaint: str) -> None:
    assert complaint in parsed(Listen, *words)


def shown(group: type, name: str) -> SettingOption:
    found = next(option for option in options_for(group, "serve") if option.name == name)
    assert isinstance(found, SettingOption)
    return found


@pytest.mark.parametrize(
    ("group", "name", "left", "en", "default"),
    [
        (Listen, "port", "-p, --port N", "port (8000, or the next free one)", ""),
        (Listen, "lan", "    --lan", "share on the local network (all interfaces)", ""),
        (Files, "links", "    --links inside|none|all", "which symbolic links are followed", "inside"),
        (Files, "listing", "    --no-listing", "do not show folders without an index page", ""),
        (Limits, "max_head", "    --max-head SIZE", "largest request head", "64K"),
        (Limits, "max_body", "    --max-body SIZE", "largest request body", "1G"),
        (Limits, "drain", "    --drain DURATION", "time for running transfers to finish when stopping", "30s"),
        (Limits, "max_fields", "    --max-fields NUMBER", "most header fields in a request", "100"),
    ],
)
def test_how_an_option_is_shown(group: type, name: str, left: str, en: str, default: str) -> None:
    option = shown(group, name)
    assert (option.left_column(), option.right_column("en"), option.shown_default()) == (left, en, default)


def test_a_refusal_in_chinese() -> None:
    assert shown(Files, "compress").right_column("zh") == "不即时压缩文本"


def test_a_size_that_is_no_round_number() -> None:
    row = options_of(Limits)[0]._replace(default=1000)
    assert SettingOption(row, "Limits", "serve").shown_default() == "1000"


def test_no_two_options_share_a_name() -> None:
    names = [opt for group in GROUPS for option in options_for(group, "serve") for opt in option.opts]
    assert len(names) == len(set(names))


def test_paths_stay_text(tmp_path: Path) -> None:
    assert parsed(Log, "--log-file", str(tmp_path / "log")) == Log(log_file=str(tmp_path / "log"))


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("port", None, ""),
        ("bind", (), ""),
        ("bind", ("::1", "fd:3"), "::1, fd:3"),
        ("port", 80, "80"),
        ("lan", True, "yes"),
        ("lan", False, "no"),
        ("max-head", 65536, "64K"),
        ("drain", 0.5, "0.5s"),
        ("log-format", "json", "json"),
    ],
)
def test_how_a_value_is_written(name: str, value: Any, text: str) -> None:
    row = next(row for group in GROUPS for row in options_of(group) if row.name == name)
    assert written(row, value) == text
