"""The time: a datagram asks in strftime's words, a connection gets one line (as RFC 867 does).

In: a format of at most `MAX_FORMAT_CHARS` characters, nothing for `DEFAULT_FORMAT`. Out: the time in it, at most
`MAX_ANSWER_CHARS` characters, in the charset of the question.

Answers are remembered for their second, since many ask the same; those with fractions of it are not.
"""

import time as clocks
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from portico.apps.services.question import ANSWERING_MACHINES, Mistake, read_question
from portico.apps.services.strftime import compile_format, write_format
from portico.apps.services.zones import parse_zone
from portico.server.peer import Peer
from portico.server.service import DatagramService, StreamService
from portico.wire.charset import find_charset

if TYPE_CHECKING:
    from portico.server.stream import Stream

DEFAULT_FORMAT = "%Y-%m-%d %X"
MAX_FORMAT_CHARS = 64
MAX_ANSWER_CHARS = 256
_MAX_REMEMBERED = 1024
_MAX_REMEMBERED_BYTES = 4 * MAX_FORMAT_CHARS


def time(
    tz: str = "", *, encoding: str = "", clock: Callable[[], float] = clocks.time
) -> tuple[StreamService, DatagramService]:
    """Make both services: for connections, and for datagrams.

    tz: a time zone, see `zones.parse_zone`; "" for this machine's. encoding: the charset of questions and answers,
    "" for that of the question. clock: gives the seconds since 1970.
    Raises UsageError for what is no time zone, or no charset.
    """
    answers = TimeAnswers(tz, encoding, clock)

    async def tell_time(stream: "Stream") -> None:
        await stream.send(answers.line())

    return StreamService(tell_time, "time", encoding=encoding), DatagramService(answers, "time", is_quick=True)


class TimeAnswers:
    """Answers questions for the time. Its arguments are those of `time`."""

    def __init__(self, tz: str, encoding: str, clock: Callable[[], float]) -> None:
        self._zone = parse_zone(tz)
        self._encoding = find_charset(encoding)
        self._clock = clock
        self._begin_s = self._end_s = 0.0  # of the second whose answers are remembered
        self._remembered: dict[bytes, bytes] = {}
        self._directives: dict[str, str] = {}  # as they are in that second
        self._moment: datetime

    def line(self) -> str:
        """Return the time in the default format, as a line."""
        return compile_format(DEFAULT_FORMAT)(self._at(self._clock())) + "\n"

    def __call__(self, datagram: bytes, peer: Peer) -> bytes | None:
        """Answer a datagram; None where its sender would answer the answer."""
        now_s = self._clock()
        if not self._begin_s <= now_s < self._end_s:
            self._begin_s = now_s // 1
            self._end_s = self._begin_s + 1
            self._remembered.clear()
            self._directives.clear()
            self._moment = self._at(self._begin_s)
        if peer.port in ANSWERING_MACHINES:
            return None
        return self._remembered.get(datagram) or self._remember(datagram, self._answer(datagram, now_s))

    def _remember(self, datagram: bytes, answer: bytes) -> bytes:
        if b"f" not in datagram and len(datagram) <= _MAX_REMEMBERED_BYTES and len(self._remembered) < _MAX_REMEMBERED:
            self._remembered[datagram] = answer
        return answer

    def _answer(self, datagram: bytes, now_s: float) -> bytes:
        question = read_question(datagram, self._encoding)
        try:
            question.check(MAX_FORMAT_CHARS)
            return question.answer(self._written(question.text or DEFAULT_FORMAT, now_s))
        except Mistake as mistake:
            return question.complain(mistake)

    def _at(self, now_s: float) -> datetime:
        at = datetime.fromtimestamp(now_s, self._zone)
        return at if self._zone else at.astimezone()

    def _written(self, text: str, now_s: float) -> str:
        at = self._at(now_s) if "f" in text else self._moment
        answer = write_format(text, at, self._directives)
        if len(answer) > MAX_ANSWER_CHARS:
            raise Mistake(
                f"the answer would have {len(answer)} characters; at most {MAX_ANSWER_CHARS} are sent",
                f"结果有 {len(answer)} 个字符，太长了；最多 {MAX_ANSWER_CHARS} 个",
            )
        return answer
