"""Commands load late, and their help pages show every option in its section."""

import re
import subprocess
import sys
from itertools import islice

import click
import pytest
from tests.cli.running import variables

from portico.cli.group import CommandGroup, Example, PageCommand, complaint
from portico.cli.main import COMMANDS, main
from portico.cli.words import Words
from portico.errors import ConfigError
from portico.server.access_log import width
from portico.settings import Files, Limits, Listen, Log, options_of

GROUP = CommandGroup("portico", COMMANDS, ())
EN = Words("en")


def failing() -> None:
    raise ConfigError("it cannot\nwork")


COMMAND = PageCommand(
    "serve", params=[], arguments=[("PATH", "serve-paths")], examples=[Example("x y", "serve")], callback=failing
)


def test_every_option_is_on_the_help_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--help"]) == 0
    out = capsys.readouterr().out
    for group in (Listen, Files, Log, Limits):
        for row in options_of(group):
            assert f"--no-{row.name} " in out or f"--{row.name}" in out


def test_sections_come_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    main(["serve", "--help"])
    out = capsys.readouterr().out
    titles = [
        "Usage",
        "What to share",
        "Where to listen",
        "What is served",
        "Access log",
        "Limits",
        "Other",
        "Examples",
    ]
    assert [out.index(f"{title}") for title in titles] == sorted(out.index(title) for title in titles)


def overview(capsys: pytest.CaptureFixture[str], language: str) -> list[str]:
    """Return the lines of `portico --help` down to the examples, on a terminal of 80 columns."""
    with variables(PORTICO_LANG=language, COLUMNS="80"):
        assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    return lines[: lines.index({"en": "Other:", "zh": "其他："}[language])]


def test_commands_stand_under_what_they_are_for(capsys: pytest.CaptureFixture[str]) -> None:
    firsts = [line.split("  ")[line.startswith("  ")].strip() for line in overview(capsys, "en")[3:] if line]
    names = iter(COMMANDS)
    assert firsts == [
        *("Serve:", *islice(names, 3)),
        *("Ready services:", *islice(names, 6)),
        *("Ask and talk:", *islice(names, 4)),
    ]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_command_takes_one_line(capsys: pytest.CaptureFixture[str], language: str) -> None:
    lines = overview(capsys, language)
    assert len([line for line in lines if line.startswith("  ")]) == len(COMMANDS)
    assert max(map(width, lines)) <= 80


@pytest.mark.parametrize(
    ("name", "usage"),
    [("greet", "TEXT"), ("reply", "[TEXT]"), ("connect", "ADDRESS"), ("get", "URL"), ("run", "[APP]")],
)
def test_what_may_be_left_out_is_in_brackets(capsys: pytest.CaptureFixture[str], name: str, usage: str) -> None:
    assert main([name, "--help"]) == 0
    assert f"{name} [OPTIONS] {usage}\n" in capsys.readouterr().out


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "contacts"])  # which has no options
def test_the_page_tells_of_variables_that_the_command_has(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main([name, "--help"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    named = re.search(r"(--\S+) is PORTICO_", out)
    assert named
    assert f" {named[1]} " in out.partition("Each option")[0]


@pytest.mark.parametrize("command", ["run", "check"])
def test_an_application_is_not_shared(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([command, "--help"])
    out = capsys.readouterr().out
    assert "What to share" not in out
    assert "What to run:\n  APP " in out


def test_no_line_is_wider_than_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    main(["serve", "--help"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 100


def test_what_a_command_refuses_carries_its_name() -> None:
    with pytest.raises(click.UsageError) as caught:
        COMMAND.main([], prog_name="portico serve", standalone_mode=False)
    assert complaint(caught.value, "portico", EN) == "portico serve: it cannot work\nportico serve --help tells more"


def test_one_word_too_many() -> None:
    with pytest.raises(click.UsageError) as caught:
        COMMAND.main(["x"], prog_name="portico serve", standalone_mode=False)
    assert complaint(caught.value, "portico", EN).startswith("portico serve: x is one word too many\n")


@pytest.mark.parametrize(
    ("exc", "said"),
    [
        (click.ClickException("no"), "no"),
        (click.UsageError("no"), "no"),
        (click.BadParameter("no"), "no"),
        (click.BadParameter("no", param=click.Argument(["port"])), "PORT: no"),
        (click.NoSuchOption("--x"), "there is no option --x"),
    ],
)
def test_complaints_of_click_alone(exc: click.ClickException, said: str) -> None:
    assert complaint(exc, "portico", EN) == f"portico: {said}\nportico --help tells more"


def test_a_command_is_loaded_when_it_is_called() -> None:
    code = "import sys, portico.cli.group; print('portico.cli.serve' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"False\n"
    with click.Context(GROUP) as ctx:
        assert GROUP.get_command(ctx, "nothing") is None
        found = GROUP.get_command(ctx, "serve")
        assert found is not None
        assert found.name == "serve"
        assert GROUP.list_commands(ctx) == list(COMMANDS)
