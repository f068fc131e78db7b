"""Visitors of four kinds at one desk, who all do the same: say something, and note what they are told.

    Browser     frames over WebSocket                    told: the texts of others in its conversation
    Terminal    lines at netcat, in GBK                  told: `[12:00] 小王: text`, further lines set in
    Numbering   UDP, numbered and acknowledged           told: `#s7 text`, each number once
    Plain       UDP as programs of a course send it      told: whatever does not begin with `***`

In: texts. Out: `told`, from everything that was shown to the visitor, with nothing left out.
"""

import re
from typing import Protocol

from tests.acceptance.chat.clients import SocketClient
from tests.acceptance.chat.text_clients import Netcat, Program


class Visitor(Protocol):
    """See the module."""

    async def say(self, text: str) -> None:
        """Say something; return when it is acknowledged, where it is."""
        ...

    async def until(self, text: str) -> None:
        """Wait for a text to be shown."""
        ...

    @property
    def shown(self) -> str:
        """Return everything that the visitor has been shown."""
        ...

    @property
    def told(self) -> list[str]:
        """Return what others have said to the visitor, line by line."""
        ...


class Browser:
    """See the module. conversation: of this visitor, once it is known."""

    def __init__(self, client: SocketClient) -> None:
        self._client = client
        self.conversation = 0

    async def say(self, text: str) -> None:
        """Say something."""
        if not self.conversation:
            self.conversation = (await self._client.ask("desk.start"))["c"]
        await self._client.say(self.conversation, text)

    async def until(self, text: str) -> None:
        """Wait for a text to be shown."""
        await self._client.heard(lambda frame: text in str(frame))

    @property
    def shown(self) -> str:
        """Return everything that the visitor has been shown."""
        return "\n".join(map(str, self._client.frames))

    @property
    def told(self) -> list[str]:
        """Return what others have said to the visitor."""
        messages = [event for log in self._client.logs.values() for event in log if event["k"] == "msg"]
        texts = [event["b"]["text"] for event in messages if event["f"] != self._client.me]
        return [line for text in texts for line in text.split("\n")]


class Terminal:
    """See the module."""

    _SAID = re.compile(r"\[\d\d:\d\d\] (?!\*\*\*)[^:]*: (.*)")
    _OTHERS = re.compile(r"\*\*\* |\[\d\d:\d\d\] (√ #|\*\*\* )|欢迎|Welcome")

    def __init__(self, netcat: Netcat) -> None:
        self.netcat = netcat

    async def say(self, text: str) -> None:
        """Say something."""
        behind = len(self.netcat.lines)
        await self.netcat.type(text)
        await self.netcat.until("√ #", behind=behind)

    async def until(self, text: str) -> None:
        """Wait for a text to be shown."""
        await self.netcat.until(text)

    @property
    def shown(self) -> str:
        """Return everything that the visitor has been shown."""
        return "\n".join(self.netcat.lines)

    @property
    def told(self) -> list[str]:
        """Return what others have said to the visitor."""
        found: list[str] = []
        for line in self.netcat.lines:
            said = self._SAID.fullmatch(line)
            if said is not None:
                found.append(said[1])
            elif line.startswith("        "):
                found.append(line.removeprefix("        "))
            else:
                assert self._OTHERS.match(line), line
        return found


class Numbering:
    """See the module."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._said = 0

    async def say(self, text: str) -> None:
        """Say something."""
        self._said += 1
        answer = await self._program.say(str(self._said), text)
        assert answer.startswith(f"#{self._said} ok "), answer

    async def until(self, text: str) -> None:
        """Wait for a text to be shown."""
        await self._program.until(lambda one: text in one)

    @property
    def shown(self) -> str:
        """Return everything that the visitor has been shown."""
        return "\n".join(self._program.datagrams)

    @property
    def told(self) -> list[str]:
        """Return what others have said to the visitor."""
        numbered: dict[int, str] = {}
        for datagram in self._program.datagrams:
            if datagram.startswith("#s"):
                number, _, text = datagram[2:].partition(" ")
                assert numbered.setdefault(int(number), text) == text
        assert list(numbered) == sorted(numbered)
        return [line for text in numbered.values() for line in text.split("\n")]


class Plain:
    """See the module."""

    def __init__(self, program: Program) -> None:
        self._program = program

    async def say(self, text: str) -> None:
        """Say something."""
        self._program.send(text)

    async def until(self, text: str) -> None:
        """Wait for a text to be shown."""
        await self._program.until(lambda one: text in one)

    @property
    def shown(self) -> str:
        """Return everything that the visitor has been shown."""
        return "\n".join(self._program.datagrams)

    @property
    def told(self) -> list[str]:
        """Return what others have said to the visitor."""
        return [text for text in self._program.datagrams if "*** " not in text]
