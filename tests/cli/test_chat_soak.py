"""`portico chat soak`: a run with a server that is killed, in both languages; mistakes."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.running import Result

Runs = Callable[..., Result]
SMALL = ("chat", "soak", "--users", "4", "--room", "2", "--rate", "20")


def test_a_run_under_chaos_ends_well(runs: Runs) -> None:
    done = runs(*SMALL, "--seconds", "4", "--chaos", "--pause", "1")
    assert done.code == 0, done.out
    assert "4 users are connected" in done.out
    assert "the server is killed (1)" in done.out
    assert "nothing was lost, repeated, reordered, altered or shown to the wrong one" in done.out


def test_figures_are_told_in_chinese_and_the_data_can_be_kept(runs: Runs, tmp_path: Path) -> None:
    folder = tmp_path / "soak"
    done = runs(*SMALL, "--seconds", "1", "--data", str(folder), PORTICO_LANG="zh")
    assert done.code == 0, done.out
    assert "没有丢失" in done.out
    assert "占用一个核心" in done.out
    assert (folder / "chat.db").is_file()
    again = runs(*SMALL, "--seconds", "1", "--data", str(folder))
    assert again.code == 2
    assert "is not empty" in again.err


def test_it_goes_on_until_the_server_has_been_killed_so_often(runs: Runs) -> None:
    words = ("--users", "10", "--room", "5", "--rate", "40", "--over-lines", "40", "--over-udp", "20")
    done = runs("chat", "soak", *words, "--seconds", "1", "--kills", "3", "--pause", "0.5")
    assert done.code == 0, done.out
    assert "the server is killed (3)" in done.out
    for way in ("websocket", "tcp frames", "tcp lines utf-8", "tcp lines gbk", "udp"):
        assert f"{way} " in done.out, done.out


def test_a_reader_is_stopped(runs: Runs) -> None:
    done = runs(*SMALL, "--seconds", "3", "--stop", "1")
    assert done.code == 0, done.out
    assert re.search("a reader was stopped [12] times, had 1 connections", done.out)
    assert "while it was stopped: p50" in done.out


@pytest.mark.parametrize("words", [("--users", "1"), ("--seconds", "0"), ("--over-tcp", "101")])
def test_what_makes_no_sense_is_refused(words: tuple[str, str], runs: Runs) -> None:
    done = runs("chat", "soak", *words)
    assert done.code == 2
    assert words[0] in done.err
