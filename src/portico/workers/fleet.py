"""Which workers there are and what is to be done about them: news in, orders out. Pure: no process, no clock.

    started, ready, heard, draining, failing, ended      news of one worker
    reload, resize, stop, cut                            wishes of the operator
      decide(now_s)                                      everything due by now, as a list of orders
        _stop_all                                        while stopping: end them, kill at the deadline, finish
        _judge                                           too slow to start, not heard from, too slow to end
        _fill                                            a worker for every empty seat, after its back-off
        _renew                                           a successor for one that is out of date or overdrawn

A fleet has seats, numbered from 1. A seat has one worker that takes requests, for a while a successor that is starting
beside it, and any number that drain. Invariant: a worker in order is told to drain only when its successor is ready,
or its seat is given up; and one successor starts at a time.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from math import inf
from signal import SIGABRT, SIGKILL, SIGQUIT, SIGTERM, Signals
from typing import Any, Final, NamedTuple

from portico.settings import Processes
from portico.workers.backoff import Backoff
from portico.workers.events import Event, Kind
from portico.workers.recycling import Allowance, allowance, overdrawn

FAREWELL_S: Final = 3.0  # beyond the drain's deadline, at which the worker itself cuts what is left and says so
CUT_S: Final = 1.0  # to end after SIGQUIT
DUMP_S: Final = 2.0  # to write its stacks after SIGABRT
# A supervisor that did not look for so long was itself stopped or starved; the silence is not the workers'.
OWN_SILENCE_S: Final = 5.0
GAVE_UP_CODE: Final = 3  # as gunicorn's, where no worker boots


class Phase(Enum):
    """Of one worker. It begins with STARTING and never goes back."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


@dataclass(slots=True)
class Member:
    """One worker. serial: never used again; seat: from 1; times by the clock that `decide` is given.

    kill_s: when it is killed, unless it has ended by itself. is_killed: set once SIGKILL has been sent.
    reason: why it ends, in its own words or ours, "" while it does not. stats: its last beat's.
    """

    serial: int
    seat: int
    generation: int
    allowed: Allowance
    born_s: float
    heard_s: float
    ready_s: float = inf
    kill_s: float = inf
    is_killed: bool = False
    pid: int = 0
    phase: Phase = Phase.STARTING
    reason: str = ""
    memory: int = 0
    stats: Mapping[str, Any] = field(default_factory=dict)

    def number_of(self, name: str) -> int:
        """Return a whole number of its last beat, 0 where there is none of that name."""
        value = self.stats.get(name, 0)
        return value if isinstance(value, int) else 0


@dataclass(slots=True)
class Seat:
    """What outlives its workers. not_before_s: no worker is started before; infinite to wait for other code."""

    backoff: Backoff = field(default_factory=Backoff)
    not_before_s: float = -inf


class Start(NamedTuple):
    """Start a worker process and report it with `started`, or with `ended` where the system refuses."""

    serial: int
    seat: int
    generation: int


class Send(NamedTuple):
    """Send a signal to a worker."""

    serial: int
    signal: Signals


class Finish(NamedTuple):
    """All is over: leave with this exit code."""

    code: int


Order = Start | Send | Event | Finish


class Fleet:
    """The workers of one supervisor.

    drain_s: how long a worker may go on with what it has begun. chance: returns 0 to 1, another each time.
    """

    def __init__(self, processes: Processes, drain_s: float, *, chance: Callable[[], float]) -> None:
        self.members: dict[int, Member] = {}
        self.is_stopping = False
        self.is_reloading = False
        self._processes = processes
        self._drain_s = drain_s
        self._chance = chance
        self._seats = {number: Seat() for number in range(1, (processes.workers or 1) + 1)}
        self._generation = 1
        self._serial = 0
        self._was_ever_ready = False
        self._complaints: set[str] = set()
        self._looked_s = -inf
        self._stop_s = inf
        self._code = 0
        self._cut = 0
        self._orders: list[Order] = []

    @property
    def size(self) -> int:
        """The number of seats."""
        return len(self._seats)

    @property
    def ready_count(self) -> int:
        """Count the workers that take requests."""
        return sum(member.phase is Phase.READY for member in self.members.values())

    # news of a worker; one that is not among the members any more is never reported

    def started(self, serial: int, pid: int) -> None:
        """A worker has got its process."""
        member = self.members[serial]
        member.pid = pid
        self._orders.append(Event(Kind.STARTED, member.seat, pid))

    def ready(self, serial: int, now_s: float) -> None:
        """A worker takes requests; those that it replaces begin to drain."""
        member = self.members[serial]
        if member.phase is not Phase.STARTING:
            return
        member.phase, member.ready_s, member.heard_s = Phase.READY, now_s, now_s
        self._was_ever_ready = True
        self._complaints.clear()
        self._orders.append(Event(Kind.READY, member.seat, member.pid))
        for other in self._of_seat(member.seat, Phase.READY):
            if other is not member:
                self._retire(other, now_s)
        self._end_reload()

    def heard(self, serial: int, now_s: float, *, memory: int, stats: Mapping[str, Any]) -> None:
        """A worker has sent a beat. memory: its resident bytes."""
        member = self.members[serial]
        member.heard_s, member.memory, member.stats = now_s, memory, stats

    def draining(self, serial: int, now_s: float) -> None:
        """A worker has begun to drain, told by us or not."""
        member = self.members[serial]
        if member.phase is Phase.DRAINING:
            return
        if member.phase is Phase.READY and not self.is_stopping:
            self._rest(member, now_s)
        member.phase, member.kill_s = Phase.DRAINING, now_s + self._drain_s + FAREWELL_S

    def failing(self, serial: int, reason: str) -> None:
        """A worker says why it will end."""
        self.members[serial].reason = reason

    def finished(self, serial: int, cut: int) -> None:
        """A worker has drained. cut: how many requests it had to cut off."""
        self._cut += cut

    def ended(self, serial: int, now_s: float, reason: str) -> None:
        """A worker's process is gone. reason: what the system says of it."""
        member = self.members.pop(serial)
        if self.is_stopping or member.phase is Phase.DRAINING:
            return
        reason = member.reason or reason
        self._rest(member, now_s)
        if member.phase is Phase.READY:
            self._orders.append(Event(Kind.LOST, member.seat, member.pid, reason=reason))
        else:
            if reason not in self._complaints:
                self._orders.append(Event(Kind.FAILED, member.seat, member.pid, reason=reason))
            self._after_failed_start(now_s, reason)

    def _rest(self, member: Member, now_s: float) -> None:
        """Let a seat stay empty for as long as its worker's early end deserves."""
        seat = self._seats[member.seat]
        seat.not_before_s = now_s + seat.backoff.failed(max(0.0, now_s - member.ready_s))

    def _after_failed_start(self, now_s: float, reason: str) -> None:
        if not self._was_ever_ready:
            self._complaints.add(reason)  # all workers have the same to say, and one of them said it
        if self.is_reloading and self._was_ever_ready:
            self.is_reloading = False
            self._orders.append(Event(Kind.ROLLED_BACK, reason="the new code does not start"))
        if self._processes.reload:
            # Started again unchanged it would fail again, and scroll the reason out of sight.
            for seat in self._seats.values():
                seat.not_before_s = inf
            self._orders.append(Event(Kind.WAITING))
        elif not self._was_ever_ready and all(seat.backoff.failures for seat in self._seats.values()):
            self._orders.append(Event(Kind.GAVE_UP))
            self._code = GAVE_UP_CODE
            self._begin_stop(now_s)

    # wishes of the operator

    def reload(self, now_s: float, reason: str) -> None:
        """Start every worker anew, one by one; those of before go on until then."""
        self._generation += 1
        self.is_reloading = True
        for seat in self._seats.values():
            seat.backoff.forget()
            seat.not_before_s = -inf
        self._complaints.clear()
        for member in self._in_phase(Phase.STARTING):
            self._retire(member, now_s)  # it may have read half of the code already
        self._orders.append(Event(Kind.RELOADING, reason=reason))

    def resize(self, by: int, now_s: float, *, most: int = 1024) -> None:
        """Add seats or take the last ones away, within 1 and `most`."""
        before = self.size
        for number in range(before + 1, min(before + by, most) + 1):
            self._seats[number] = Seat()
        for number in range(before, max(before + by, 1), -1):
            del self._seats[number]
        for member in list(self.members.values()):
            if member.seat > self.size and member.phase is not Phase.DRAINING:
                self._retire(member, now_s)
        if self.size != before:
            self._orders.append(Event(Kind.RESIZED, amount=self.size))
        self._end_reload()

    def stop(self, now_s: float) -> None:
        """Drain all workers under one deadline, then finish."""
        if not self.is_stopping:
            self._orders.append(Event(Kind.STOPPING))
            self._begin_stop(now_s)

    def cut(self, now_s: float, code: int = 0) -> None:
        """Stop now. code: the exit code."""
        self.stop(now_s)
        self._code = self._code or code
        for member in self.members.values():
            member.kill_s = min(member.kill_s, now_s + CUT_S)
            self._orders.append(Send(member.serial, SIGQUIT))

    def _begin_stop(self, now_s: float) -> None:
        self.is_stopping = True
        self._stop_s = now_s + self._drain_s + FAREWELL_S

    # decisions

    def decide(self, now_s: float) -> list[Order]:
        """Return what is to be done by now, in order; to be called after each piece of news, and now and then."""
        if now_s - self._looked_s > OWN_SILENCE_S:
            for member in self.members.values():
                member.heard_s = now_s
        self._looked_s = now_s
        if self.is_stopping:
            self._stop_all(now_s)
        else:
            self._judge(now_s)
            self._fill(now_s)
            self._renew(now_s)
        self._kill_late(now_s)
        orders, self._orders = self._orders, []
        return orders

    def _stop_all(self, now_s: float) -> None:
        for member in list(self.members.values()):
            if member.phase is not Phase.DRAINING:
                self._retire(member, now_s)
            member.kill_s = min(member.kill_s, self._stop_s)
        if not self.members:
            if self._cut:
                self._orders.append(Event(Kind.CUT, amount=self._cut))
            self._orders.append(Finish(self._code))

    def _judge(self, now_s: float) -> None:
        patience_s, silence_s = self._processes.start_timeout, self._processes.stuck_timeout
        for member in self._in_phase(Phase.STARTING):
            if now_s - member.born_s >= patience_s and member.kill_s == inf:
                member.reason = f"not ready within {patience_s:g} s; --start-timeout allows more"
                self._abort(member, now_s)
        for member in self._in_phase(Phase.READY):
            # A breakpoint stops the loop too; who develops has time.
            if now_s - member.heard_s >= silence_s and not self._processes.reload:
                self._orders.append(Event(Kind.STUCK, member.seat, member.pid, reason=f"{silence_s:g} s"))
                member.phase = Phase.DRAINING
                self._abort(member, now_s)

    def _abort(self, member: Member, now_s: float) -> None:
        member.kill_s = now_s + DUMP_S
        self._orders.append(Send(member.serial, SIGABRT))

    def _fill(self, now_s: float) -> None:
        for number, seat in self._seats.items():
            if seat.backoff.failures and not self._was_ever_ready:
                continue  # one attempt for each seat; then either some worker is ready or all is given up
            is_taken = any(True for _ in self._of_seat(number, Phase.STARTING, Phase.READY))
            if not is_taken and seat.not_before_s <= now_s:
                self._start(number, now_s)

    def _renew(self, now_s: float) -> None:
        if any(True for _ in self._in_phase(Phase.STARTING)):
            return
        for member in self._in_phase(Phase.READY):
            why = self._why_due(member, now_s)
            if why is not None and self._seats[member.seat].not_before_s <= now_s:
                if why:
                    self._orders.append(Event(Kind.RECYCLED, member.seat, member.pid, reason=why))
                self._start(member.seat, now_s)
                return

    def _why_due(self, member: Member, now_s: float) -> str | None:
        """Return why a worker is to be replaced, "" where the code is another, None where it is not."""
        if self.is_reloading and member.generation < self._generation:
            return ""
        age_s, requests = now_s - member.ready_s, member.number_of("requests")
        return overdrawn(member.allowed, requests=requests, seconds=age_s, memory=member.memory) or None

    def _kill_late(self, now_s: float) -> None:
        for member in self.members.values():
            if now_s >= member.kill_s and not member.is_killed:
                member.is_killed = True
                active = member.number_of("active")
                self._cut += active
                self._orders.append(Send(member.serial, SIGKILL))
                if member.phase is Phase.DRAINING:
                    self._orders.append(Event(Kind.KILLED, member.seat, member.pid, amount=active))

    def _start(self, number: int, now_s: float) -> None:
        self._serial += 1
        allowed = allowance(self._processes, self._chance())
        self.members[self._serial] = Member(self._serial, number, self._generation, allowed, now_s, now_s)
        self._orders.append(Start(self._serial, number, self._generation))

    def _retire(self, member: Member, now_s: float) -> None:
        member.phase = Phase.DRAINING
        member.kill_s = min(member.kill_s, now_s + self._drain_s + FAREWELL_S)
        self._orders.append(Send(member.serial, SIGTERM))

    def _end_reload(self) -> None:
        current = {m.seat for m in self._in_phase(Phase.READY) if m.generation == self._generation}
        if self.is_reloading and current >= self._seats.keys():
            self.is_reloading = False
            self._orders.append(Event(Kind.RELOADED, amount=self.size))

    def _in_phase(self, *phases: Phase) -> Iterator[Member]:
        return (member for member in list(self.members.values()) if member.phase in phases)

    def _of_seat(self, number: int, *phases: Phase) -> Iterator[Member]:
        return (member for member in self._in_phase(*phases) if member.seat == number)
