import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.cli.hexview import HexView, rows

DUMPS = [
    (b"", 0, []),
    (b"hello\n", 0, ["00000000  68 65 6c 6c 6f 0a                                 |hello.|"]),
    (b"\x1b[31m\xe4\xbd\xa0~\x7f", 0x10, ["00000010  1b 5b 33 31 6d e4 bd a0  7e 7f                    |.[31m...~.|"]),
    (
        bytes(range(0x40, 0x51)),
        0,
        [
            "00000000  40 41 42 43 44 45 46 47  48 49 4a 4b 4c 4d 4e 4f  |@ABCDEFGHIJKLMNO|",
            "00000010  50                                                |P|",
        ],
    ),
]


@pytest.mark.parametrize(("data", "start", "lines"), DUMPS)
def test_rows(data: bytes, start: int, lines: list[str]) -> None:
    assert list(rows(data, start)) == lines


@given(st.binary(max_size=100))
def test_every_byte_is_there_and_the_line_is_safe(data: bytes) -> None:
    found = list(rows(data))
    assert bytes.fromhex("".join(line[10:58] for line in found)) == data
    assert all(line.isprintable() and line.isascii() for line in found)


def test_each_direction_counts_for_itself() -> None:
    view = HexView()
    assert view.show(">", b"ab") == "> 00000000  61 62                                             |ab|\n"
    assert view.show("<", b"c")[:12] == "< 00000000  "
    assert view.show(">", b"d")[:12] == "> 00000002  "
    assert view.show("<", b"") == ""
