"""Keep workers running: a command and sockets in, an exit code out.

    Supervisor.run
      signals.handled        stop, reload, resize
      _act                   fleet.decide -> orders -> _perform
        spawn                a worker's process; its channel is read by _hear
      _hear                  messages of a worker -> news for the fleet
      _reap                  SIGCHLD -> ended workers -> news for the fleet
      _tick                  deadlines, the watchdog

`fleet` decides, this file acts. The supervisor accepts no connection itself and loads no application, hence it has
nothing that could crash or hang. Its sockets stay open while workers come and go, so the kernel queues what arrives
between two of them. Whatever ends `run`, no worker process is left behind.
"""

import asyncio
import random
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from portico.errors import Refused
from portico.net.closing import refuse_new
from portico.net.listening import close
from portico.server.samples import Ledger, sample
from portico.settings import Processes
from portico.workers.channel import Message
from portico.workers.events import Event
from portico.workers.fleet import Fleet, Order, Phase, Send, Start
from portico.workers.notify import Notifier
from portico.workers.process import WorkerProcess, spawn
from portico.workers.signals import handled, is_hung_up

TICK_S: Final = 0.25
INTERRUPTED_CODE: Final = 130  # 128 and SIGINT, as shells say it


class WorkerState(NamedTuple):
    """One worker as the operator sees it. age_s: since its start; memory: resident bytes; stats: its own figures."""

    number: int
    pid: int
    phase: Phase
    generation: int
    age_s: float
    memory: int
    stats: Mapping[str, Any]


class Supervisor:
    """Start workers, replace them, stop them.

    command: what a worker is started with, such as `own_command()`. sockets: listening ones. They are closed when the
    end begins, so that nobody waits in a queue that nobody serves; the caller may close them again.
    drain_s: how long a worker may finish what it has begun. on_event: is told what happens, must not raise.
    """

    def __init__(
        self,
        command: Sequence[str],
        sockets: Sequence[socket.socket],
        *,
        processes: Processes,
        drain_s: float,
        on_event: Callable[[Event], None],
    ) -> None:
        self._command = list(command)
        self._sockets = list(sockets)
        self._on_event = on_event
        self._fleet = Fleet(processes, drain_s, chance=random.random)
        self._processes: dict[int, WorkerProcess] = {}
        self._ledger = Ledger()
        self._notifier = Notifier.from_environment()
        self._loop: asyncio.AbstractEventLoop
        self._done: asyncio.Future[int]
        self._is_stopping = False
        # A terminal that hangs up sends the same SIGHUP as an operator who wants a reload.
        self._has_terminal = not is_hung_up(0)

    # for the operator's pages

    @property
    def is_ready(self) -> bool:
        """Whether requests are taken, by one worker at least, and not about to end."""
        return self._fleet.ready_count > 0 and not self._is_stopping

    def states(self) -> list[WorkerState]:
        """Return all workers, by seat and age."""
        now_s = time.monotonic()
        return [
            WorkerState(m.seat, m.pid, m.phase, m.generation, now_s - m.born_s, m.memory, m.stats)
            for m in sorted(self._fleet.members.values(), key=lambda member: (member.seat, member.serial))
        ]

    def snapshot(self) -> dict[str, float]:
        """Return the figures of all workers together, those that have ended included, and how many there are."""
        phases = [member.phase for member in self._fleet.members.values()]
        counts = {sample("portico_workers", state=p.value): float(phases.count(p)) for p in Phase}
        return self._ledger.snapshot() | counts

    # wishes

    def reload(self, reason: str) -> None:
        """Start every worker anew, one by one. reason: a few words for the log. Does nothing while stopping."""
        if not self._is_stopping:
            self._fleet.reload(time.monotonic(), reason)
            self._act()

    def stop(self) -> None:
        """Drain all workers and let `run` return. Nobody new is let in; who is in the kernel's queue is served."""
        if not self._is_stopping:
            self._is_stopping = True
            # Until then the workers accept those whose handshake had begun.
            self._loop.call_later(refuse_new(self._sockets), self._stop_workers)

    def _stop_workers(self) -> None:
        if not self._done.done():
            # From here on the sockets are the workers' alone; with the last of them the queue is gone too.
            close(self._sockets)
            self._fleet.stop(time.monotonic())
            self._act()

    async def run(self, greet: Callable[[], None] = lambda: None) -> int:
        """Keep the workers running until told to stop, in the main thread. Returns the exit code.

        greet: called once signals are heeded, before the first worker starts.
        0 after an orderly end, 3 where no worker could start, 130 after an interrupt while stopping.
        """
        self._loop = asyncio.get_running_loop()
        self._done = self._loop.create_future()
        actions = {
            "stop": self.stop,
            "interrupt": self._interrupt,
            "cut": self._cut,
            "reload": self._hang_up,
            "grow": lambda: self._resize(1),
            "shrink": lambda: self._resize(-1),
            "reap": self._reap,
        }
        try:
            with handled(actions):
                greet()
                self._tick()
                return await self._done
        finally:
            for process in self._processes.values():
                self._loop.remove_reader(process.fileno())
                process.close()
            self._processes.clear()
            self._notifier.close()

    def _interrupt(self) -> None:
        if self._is_stopping:
            self._cut(INTERRUPTED_CODE)
        else:
            self.stop()

    def _cut(self, code: int = 0) -> None:
        self._is_stopping = True
        self._fleet.cut(time.monotonic(), code)
        self._act()

    def _hang_up(self) -> None:
        if self._has_terminal and is_hung_up(0):
            self.stop()
        else:
            self.reload("SIGHUP")

    def _resize(self, by: int) -> None:
        if not self._is_stopping:
            self._fleet.resize(by, time.monotonic())
            self._act()

    # acting

    def _tick(self) -> None:
        if not self._done.done():
            self._act()
            self._notifier.beat(time.monotonic())
            self._loop.call_later(TICK_S, self._tick)

    def _act(self) -> None:
        # What is performed may be news itself: a process that cannot be started has ended.
        while orders := self._fleet.decide(time.monotonic()):
            for order in orders:
                self._perform(order)
            if self._done.done():
                return

    def _perform(self, order: Order) -> None:
        if isinstance(order, Start):
            self._start(order)
        elif isinstance(order, Send):
            if order.serial in self._processes:
                self._processes[order.serial].send(order.signal)
        elif isinstance(order, Event):
            self._tell(order)
        elif not self._done.done():
            self._done.set_result(order.code)

    def _start(self, order: Start) -> None:
        try:
            process = spawn(self._command, self._sockets, number=order.seat, generation=order.generation)
        except OSError as exc:
            self._fleet.ended(order.serial, time.monotonic(), f"{self._command[0]}: {exc.strerror}")
            return
        self._processes[order.serial] = process
        self._fleet.started(order.serial, process.pid)
        self._loop.add_reader(process.fileno(), self._hear, order.serial)

    def _tell(self, event: Event) -> None:
        self._on_event(event)
        self._notifier.tell(event.kind, self._fleet.ready_count)

    # news

    def _hear(self, serial: int) -> None:
        process = self._processes[serial]
        try:
            messages = process.receive()
        except Refused as exc:
            self._fleet.failing(serial, f"its control channel is broken: {exc}")
            process.send(signal.SIGKILL)
            messages = None
        if messages is None:
            self._loop.remove_reader(process.fileno())
            return
        for message in messages:
            self._note(serial, message)
        self._act()

    def _note(self, serial: int, message: Message) -> None:
        fleet, now_s, kind = self._fleet, time.monotonic(), message["is"]
        if kind == "beat":
            fleet.heard(serial, now_s, memory=message["memory"], stats=message["stats"])
            self._ledger.report(serial, message["stats"].get("samples", {}))
        elif kind == "ready":
            fleet.ready(serial, now_s)
        elif kind == "draining":
            fleet.draining(serial, now_s)
        elif kind == "failed":
            fleet.failing(serial, message["reason"])
        elif kind == "finished":
            fleet.finished(serial, message["cut"])

    def _reap(self) -> None:
        for serial, process in list(self._processes.items()):
            reason = process.poll()
            if reason is not None:
                self._loop.remove_reader(process.fileno())
                for message in process.last_words():
                    self._note(serial, message)
                process.close()
                del self._processes[serial]
                self._ledger.retire(serial)
                self._fleet.ended(serial, time.monotonic(), reason)
        self._act()
