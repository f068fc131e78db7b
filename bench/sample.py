"""What one load on one server in one round gave."""

from dataclasses import dataclass

from bench.process import Memory


class NotServed(Exception):
    """The server does not do what the case asks for; the text says what it did instead."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What the client saw, and what the server used for it.

    requests: answered ones, or messages delivered; a part of a download counts as that part. body: bytes received, or
    sent where the case is about sending. cpu_s: of the server's process tree while it was under load. p99_s: None where
    it was not measured; errors: requests that failed.
    """

    requests: float
    seconds: float
    body: int
    cpu_s: float
    p99_s: float | None = None
    errors: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """One server under one load in one round."""

    answered: Answered
    memory: Memory

    @property
    def rate(self) -> float:
        return self.answered.requests / self.answered.seconds

    @property
    def byte_rate(self) -> float:
        return self.answered.body / self.answered.seconds

    @property
    def cpu_us(self) -> float:
        return 1e6 * self.answered.cpu_s / self.answered.requests

    @property
    def busy(self) -> float:
        """The part of its core that the server used, in per cent; well below 100 means that the load was the limit."""
        return 100 * self.answered.cpu_s / self.answered.seconds

    @property
    def p99_ms(self) -> float | None:
        return None if self.answered.p99_s is None else 1e3 * self.answered.p99_s
