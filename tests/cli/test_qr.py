"""The QR code has the modules that segno computes, two in a character."""

import pytest
import segno

from portico.cli.qr import lines_of

PAIRS = {"█": (True, True), "▀": (True, False), "▄": (False, True), " ": (False, False)}


@pytest.mark.parametrize("text", ["http://192.0.2.20:8000/", "http://[2001:db8::20]:8000/a%20file.pdf"])
def test_every_module_is_drawn(text: str) -> None:
    lines = lines_of(text, colour=False)
    halves = [[PAIRS[character] for character in line] for line in lines]
    light = [[pair[half] for pair in line] for line in halves for half in (0, 1)]
    expected = [[not module for module in row] for row in segno.make(text, micro=False).matrix_iter(border=2)]
    assert light[: len(expected)] == expected
    assert all(all(row) for row in light[len(expected) :])


def test_colours_are_set_where_there_are_some() -> None:
    line = lines_of("http://192.0.2.20:8000/", colour=True)[0]
    assert line.startswith("\x1b[97;40m█")
    assert line.endswith("█\x1b[0m")
