"""Single keys from a terminal, which is given back in every case."""

import asyncio
import os
import pty
import signal
import termios
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.cli.running import DEADLINE_S, StartTerminal

from portico.cli.keys import Keyboard, is_foreground


class Desk:
    """A terminal with a keyboard at it. master: our end; slave: the program's."""

    def __init__(self, master: int, slave: int) -> None:
        self.master = master
        self.slave = slave
        self.keys: asyncio.Queue[str] = asyncio.Queue()
        self.stops = 0
        self.is_ours = True

    def keyboard(self) -> Keyboard:
        found = Keyboard(self.slave, self.keys.put_nowait, stop=self.note_stop, is_foreground=lambda fd: self.is_ours)
        assert isinstance(found, Keyboard)
        return found

    def note_stop(self) -> None:
        self.stops += 1

    def is_raw(self) -> bool:
        return not termios.tcgetattr(self.slave)[3] & (termios.ECHO | termios.ICANON)

    async def pressed(self, keys: str) -> str:
        """Type keys; return as many as come out again."""
        os.write(self.master, keys.encode())
        return "".join([await asyncio.wait_for(self.keys.get(), DEADLINE_S) for _ in keys])

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                if is_so():
                    return
                await asyncio.sleep(0)


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A fresh terminal, in the modes that a shell leaves it in."""
    master, slave = pty.openpty()
    yield Desk(master, slave)
    for fd in (master, slave):
        try:
            os.close(fd)
        except OSError:  # a test has closed it
            continue


@asynccontextmanager
async def opened(desk: Desk) -> AsyncIterator[Keyboard]:
    keyboard = desk.keyboard()
    keyboard.open()
    try:
        yield keyboard
    finally:
        keyboard.close()


def play(scene: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await scene()

    asyncio.run(main())


def test_keys_come_one_by_one(desk: Desk) -> None:
    async def scene() -> None:
        async with opened(desk):
            assert desk.is_raw()
            assert await desk.pressed("ol?你") == "ol?你"
        assert not desk.is_raw()

    play(scene)


@pytest.mark.parametrize(
    "sequence", ["\x1b[A", "\x1bOP", "\x1b[15~", "\x1b[1;5C", "\x1bx", "\x1b\x1b[B", "\x1b[A\x1b[A"]
)
def test_an_arrow_is_no_key_though_it_comes_with_one(desk: Desk, sequence: str) -> None:
    async def scene() -> None:
        async with opened(desk):
            # One write, and mostly one read: a terminal in a hurry glues the two together.
            os.write(desk.master, sequence.encode() + b"q")
            assert await asyncio.wait_for(desk.keys.get(), DEADLINE_S) == "q"

    play(scene)


def _waiting(fd: int) -> bool:
    import fcntl
    import struct

    return bool(struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4))[0])


def test_closing_twice_is_closing(desk: Desk) -> None:
    async def scene() -> None:
        async with opened(desk) as keyboard:
            keyboard.close()
        assert not desk.is_raw()

    play(scene)


def test_ctrl_z_gives_the_terminal_back_and_continuing_takes_it(desk: Desk) -> None:
    async def scene() -> None:
        async with opened(desk):
            os.kill(os.getpid(), signal.SIGTSTP)
            await desk.until(lambda: desk.stops == 1)
            assert not desk.is_raw()
            os.kill(os.getpid(), signal.SIGCONT)
            await desk.until(desk.is_raw)
            assert await desk.pressed("l") == "l"

    play(scene)


def test_in_the_background_the_terminal_is_left_alone(desk: Desk) -> None:
    async def scene() -> None:
        desk.is_ours = False
        async with opened(desk):
            assert not desk.is_raw()
            desk.is_ours = True  # `fg` says nothing to a process that runs
            await desk.until(desk.is_raw)
            assert await desk.pressed("o") == "o"
            desk.is_ours = False
            os.write(desk.master, b"x")  # meant for the shell
            os.kill(os.getpid(), signal.SIGCONT)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert desk.keys.empty()

    play(scene)


def test_a_key_typed_for_another_program_is_left_alone(desk: Desk) -> None:
    async def scene() -> None:
        async with opened(desk) as keyboard:
            desk.is_ours = False
            os.write(desk.master, b"x")
            await desk.until(lambda: keyboard.is_waiting)
            assert _waiting(desk.slave)
            assert desk.keys.empty()

    play(scene)


def test_a_terminal_that_hangs_up_is_let_go(desk: Desk) -> None:
    async def scene() -> None:
        async with opened(desk) as keyboard:
            os.close(desk.master)
            await desk.until(lambda: not keyboard.is_reading)

    play(scene)


def test_a_terminal_that_hung_up_before_has_no_keys(desk: Desk) -> None:
    async def scene() -> None:
        keyboard = desk.keyboard()
        os.close(desk.master)
        os.close(desk.slave)
        keyboard.open()
        assert not keyboard.is_reading
        keyboard.close()

    play(scene)


def test_a_terminal_that_hangs_up_at_the_end_is_let_go(desk: Desk) -> None:
    async def scene() -> None:
        async with opened(desk) as keyboard:
            os.close(desk.master)
        assert not keyboard.is_reading

    play(scene)


def test_a_terminal_that_hung_up_in_the_background_has_no_keys(desk: Desk) -> None:
    async def scene() -> None:
        desk.is_ours = False
        async with opened(desk) as keyboard:
            os.close(desk.master)
            desk.is_ours = True
            await desk.until(lambda: not keyboard.is_waiting)
            assert not keyboard.is_reading

    play(scene)


def test_what_is_no_terminal_has_no_keyboard(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with open(tmp_path / "x", "rb") as file:
        assert Keyboard.at(file.fileno(), print) is None
    assert Keyboard.at(-1, print) is None


def test_a_terminal_has_a_keyboard(desk: Desk) -> None:
    assert Keyboard.at(desk.slave, print) is not None


def test_a_terminal_that_does_not_control_us_is_ours_to_use(desk: Desk) -> None:
    assert is_foreground(desk.slave)


def test_ctrl_z_and_fg_for_real(start_terminal: StartTerminal) -> None:
    terminal = start_terminal("serve", "-p", "0")
    terminal.port()
    terminal.wait_for_modes((False, False))
    terminal.press("\x1a")
    assert os.WIFSTOPPED(os.waitpid(terminal.process.pid, os.WUNTRACED)[1])
    assert terminal.modes() == (True, True)
    terminal.signal(signal.SIGCONT)
    terminal.wait_for_modes((False, False))
    terminal.press("?")
    terminal.output.until("this help")
