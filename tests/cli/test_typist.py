"""Lines of a person at a terminal that is written down, and lines of pipes and files."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output
from tests.cli.running import DEADLINE_S
from tests.cli.written import Written

from portico.cli.typist import Ending, Names, Take, Typist, complain


def read(data: bytes, *, until: str = "q") -> tuple[Ending, list[str]]:
    """Read a pipe that has these bytes and an end; `until` quits."""
    source, target = os.pipe()
    taken: list[str] = []

    async def take(line: str) -> bool:
        taken.append(line)
        return line != until

    async def run() -> Ending:
        async with asyncio.timeout(DEADLINE_S):
            return await Typist(source=source, has_terminal=False).run(take)

    try:
        os.write(target, data)
        os.close(target)
        return asyncio.run(run()), taken
    finally:
        os.close(source)


@pytest.mark.parametrize(
    ("data", "ending", "lines"),
    [
        (b"", Ending.OVER, []),
        (b"a\nb\n", Ending.OVER, ["a", "b"]),
        (b"a\r\n\nb", Ending.OVER, ["a", "", "b"]),
        ("你好".encode(), Ending.OVER, ["你好"]),
        ("你好".encode()[:-1], Ending.OVER, ["你�"]),
        (b"a\nq\nb\n", Ending.QUIT, ["a", "q"]),
        (b"a\nq", Ending.QUIT, ["a", "q"]),
    ],
)
def test_a_pipe_is_read_to_its_end(data: bytes, ending: Ending, lines: list[str]) -> None:
    assert read(data) == (ending, lines)


def test_a_file_and_the_null_device_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"a\n" + b"x" * 3_000_000 + b"\nb\n")
    taken: list[str] = []

    async def take(line: str) -> bool:
        taken.append(line)
        return True

    for name in (str(path), os.devnull):
        fd = os.open(name, os.O_RDONLY)
        try:
            assert asyncio.run(Typist(source=fd, has_terminal=False).run(take)) is Ending.OVER
        finally:
            os.close(fd)
    assert [len(line) for line in taken] == [1, 1 << 20, 1 << 20, 3_000_000 - (2 << 20), 1]


def test_an_input_that_cannot_be_read_is_empty(tmp_path: Path) -> None:
    async def take(line: str) -> bool:
        raise AssertionError(line)

    source = os.open(tmp_path / "only written", os.O_WRONLY | os.O_CREAT)
    try:
        assert asyncio.run(Typist(source=source, has_terminal=False).run(take)) is Ending.OVER
    finally:
        os.close(source)


def test_what_waits_for_a_pipe_leaves_when_it_is_told() -> None:
    source, target = os.pipe()

    async def run() -> None:
        async def take(line: str) -> bool:
            begun.set()
            return True

        begun = asyncio.Event()
        reading = asyncio.create_task(Typist(source=source, has_terminal=False).run(take))
        os.write(target, b"begin\n")
        await begun.wait()
        reading.cancel()
        await asyncio.wait((reading,), timeout=DEADLINE_S)
        assert reading.cancelled()

    try:
        asyncio.run(run())  # which waits for threads
        os.write(target, b"still open\n")
        assert os.read(source, 100) == b"still open\n"
    finally:
        os.close(source)
        os.close(target)


Act = Callable[[Typist, PipeInput, Written], Coroutine[None, None, None]]


def at_terminal(act: Act, take: Take, *, history: str = "", names: Names | None = None) -> tuple[Ending, str]:
    """Type; return how it ended, and what was on the screen."""
    written = Written()
    output = Vt100_Output(written, lambda: Size(rows=50, columns=80))

    async def run(keys: PipeInput) -> Ending:
        typist = Typist(has_terminal=True, history=history, names=names)
        acting = asyncio.create_task(act(typist, keys, written))
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await typist.run(take)
        finally:
            await acting

    with create_pipe_input() as keys, create_app_session(input=keys, output=output):
        return asyncio.run(run(keys)), written.text


def test_lines_are_taken_one_after_the_other_and_stand_above_the_prompt(tmp_path: Path) -> None:
    taken: list[str] = []

    async def take(line: str) -> bool:
        taken.append(line)
        return line != "q"

    async def act(typist: Typist, keys: PipeInput, written: Written) -> None:
        await written.shows(">")
        keys.send_text("你好\r")
        await written.shows("> 你好\n")
        typist.show("[09:00] 小李: 在\n    吗")
        await written.shows("[09:00] 小李: 在\n    吗\n")
        keys.send_text("q\r")

    path = tmp_path / "history"
    ending, _ = at_terminal(act, take, history=str(path))
    assert (ending, taken) == (Ending.QUIT, ["你好", "q"])
    assert path.read_text().splitlines() == ["你好", "q"]


@pytest.mark.parametrize("keys", ["\x03", "\x04"])
def test_keys_end_it(keys: str) -> None:
    async def take(line: str) -> bool:
        raise AssertionError(line)

    async def act(typist: Typist, pipe: PipeInput, written: Written) -> None:
        await written.shows(">")
        pipe.send_text(keys)

    assert at_terminal(act, take)[0] is Ending.QUIT


def test_a_termination_ends_it_in_good_order() -> None:
    async def take(line: str) -> bool:
        raise AssertionError(line)

    async def act(typist: Typist, keys: PipeInput, written: Written) -> None:
        await written.shows(">")
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    assert at_terminal(act, take)[0] is Ending.QUIT
    assert signal.getsignal(signal.SIGTERM) == before


def test_what_goes_wrong_with_a_line_is_told_to_the_caller() -> None:
    async def take(line: str) -> bool:
        raise ConnectionError(line)

    async def act(typist: Typist, keys: PipeInput, written: Written) -> None:
        await written.shows(">")
        keys.send_text("hello\r")

    with pytest.raises(ConnectionError, match="hello"):
        at_terminal(act, take)


def test_a_line_stays_where_it_is_while_a_hundred_wait() -> None:
    taken: list[str] = []
    waits, caught_up = asyncio.Event(), asyncio.Event()

    async def take(line: str) -> bool:
        await waits.wait()
        taken.append(line)
        if line == "100":
            caught_up.set()
        return line != "102"

    async def act(typist: Typist, keys: PipeInput, written: Written) -> None:
        await written.shows(">")
        for number in range(102):
            keys.send_text(f"{number}\r")
            if number < 101:
                await written.shows(f"> {number}\n")
        await written.shows("101")  # drawn once the keys that came with it have been taken
        assert "> 101\n" not in written.text
        waits.set()
        await caught_up.wait()
        keys.send_text("\r")
        await written.shows("> 101\n")
        keys.send_text("102\r")

    assert at_terminal(act, take)[0] is Ending.QUIT
    assert taken == [str(number) for number in range(103)]


def test_names_are_completed() -> None:
    taken: list[str] = []

    async def take(line: str) -> bool:
        taken.append(line)
        return False

    async def act(typist: Typist, keys: PipeInput, written: Written) -> None:
        await written.shows(">")
        keys.send_text("/hi\t")
        await written.shows("/history")
        keys.send_text("\r")

    at_terminal(act, take, names=lambda: ["/history", "/help", "小李"])
    assert taken == ["/history"]


def test_where_nobody_types_what_is_shown_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    Typist(has_terminal=False).show("one\ntwo")
    complain("three")
    assert tuple(capsys.readouterr()) == ("one\ntwo\n", "three\n")
