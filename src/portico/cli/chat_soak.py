"""`portico chat soak`: virtual users on a server of their own, and every log compared at the end.

In: how many, how long, what may break. Out: figures; exit code 0 where nothing was lost, repeated, reordered or
shown to the wrong one, 1 where something was.
"""

import asyncio
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from portico.cli.group import Example, PageCommand, words_of_environment
from portico.cli.options import collect, options_for
from portico.cli.screen import Screen
from portico.errors import ConfigError
from portico.net.addresses import Address, Kind
from portico.net.listening import address_of, close, listen
from portico.settings.chatting import Soak

if TYPE_CHECKING:
    from portico.apps.chat.soak import Report, Usage
    from portico.apps.chat.soak_ledger import Durations, Ledger
    from portico.apps.chat.soak_ways import Ports
    from portico.cli.words import Words

_FAILED_CODE: Final = 1
_START_S: Final = 20.0
_STOP_S: Final = 20.0
_SHOWN_FAULTS: Final = 20
_MIB: Final = 1 << 20
_HERTZ: Final = os.sysconf("SC_CLK_TCK")


class Process:
    """A `Keeper`: the server as a process of its own, on ports that stay the same."""

    def __init__(self, folder: Path, users: int) -> None:
        http, lines, datagrams = _free_ports("tcp", "tcp", "udp")
        self._process: asyncio.subprocess.Process | None = None
        self._words = [
            *("--data", str(folder), "-b", f"127.0.0.1:{http}", "--quiet"),
            *("--line-port", str(lines), "--udp-port", str(datagrams)),
            *("--max-connections-per-address", str(4 * users + 100)),
            *("--drain", "2"),
        ]
        self._ports = (http, lines, datagrams)

    @property
    def ports(self) -> "Ports":
        """Where the server is."""
        from portico.apps.chat.soak_ways import Ports

        return Ports(*self._ports)

    async def start(self) -> None:
        """Start the server; return when it takes connections. Raises ConfigError where it does not."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "portico", "chat", "serve", *self._words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=None,
        )
        end_s = asyncio.get_running_loop().time() + _START_S
        while asyncio.get_running_loop().time() < end_s and self._process.returncode is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self._ports[0])
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            return
        raise ConfigError(f"the server did not start within {_START_S:g} s")

    async def kill(self) -> None:
        """Kill it."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Have it end."""
        await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(number)
        try:
            async with asyncio.timeout(_STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    def usage(self) -> "Usage":
        """Look what it uses, as the kernel says it."""
        from portico.apps.chat.soak import Usage

        if self._process is None or self._process.returncode is not None:
            return Usage(0, 0.0)
        try:
            stat = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return Usage(0, 0.0)
        return Usage(int(stat[21]) * resource.getpagesize(), (int(stat[11]) + int(stat[12])) / _HERTZ)


def _free_ports(*kinds: Kind) -> list[int]:
    sockets = [sock for kind in kinds for sock in listen(Address(kind, host="127.0.0.1", port=0))]
    try:
        return [address_of(sock).port for sock in sockets]
    finally:
        close(sockets)


def _soak(**params: Any) -> int:
    from portico.apps.chat.soak import Soak as Run
    from portico.apps.chat.soak_plan import Shares, Wanted
    from portico.server.embedded import event_loop

    settings, words = collect(Soak, params), words_of_environment()
    screen = Screen(sys.stdout.fileno(), sys.stdout.encoding or "utf-8", os.environ)
    _raise_file_limit()
    wanted = Wanted(
        settings.users,
        settings.seconds,
        settings.rate,
        settings.room,
        Shares(settings.over_tcp, settings.over_lines, settings.over_udp),
        settings.pause if settings.chaos or settings.kills else 0.0,
        settings.kills,
        settings.seed,
        settings.stop,
    )

    def say(what: str, count: int) -> None:
        screen.line(f"  {words(f'soak-{what}', n=count)}")

    with _folder(settings.data) as folder, asyncio.Runner(loop_factory=event_loop) as runner:
        report = runner.run(Run(wanted, Process(folder, wanted.users), folder, say=say).run())
    screen.line("\n".join(_lines(report, words)))
    return 0 if report.is_good else _FAILED_CODE


@contextmanager
def _folder(given: str) -> Iterator[Path]:
    """Yield the folder of the data, which is new: one's own, or one that is gone afterwards."""
    if not given:
        with tempfile.TemporaryDirectory(prefix="portico-soak-") as name:
            yield Path(name)
        return
    folder = Path(given)
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{given} is not empty; a soak needs a folder of its own")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    yield folder


def _raise_file_limit() -> None:
    """Allow as many connections as the system lets this user have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _lines(report: "Report", words: "Words") -> list[str]:
    ledger, total, seconds = report.ledger, report.ledger.total, max(report.talked_s, 0.001)
    lines = [
        words("soak-sent", sent=total.sent, acked=total.acked, rate=f"{total.sent / seconds:.0f}"),
        words("soak-delivered", n=total.deliveries, rate=f"{total.arrivals.count / seconds:.0f}"),
        words("soak-acks", **_shares(total.acks)),
        words("soak-arrivals", **_shares(total.arrivals)),
    ]
    if len(ledger.ways) > 1:
        lines += [_way(words, name, ledger) for name in sorted(ledger.ways)]
    memory = [used // _MIB for used in report.memory if used] or [0]
    lines.append(words("soak-memory", first=memory[0], last=memory[-1], most=max(memory)))
    if not report.breaks:
        lines.append(words("soak-cpu", share=f"{100 * report.cpu_s / seconds:.0f}"))
    lines.append(words("soak-connections", n=total.connections, limited=ledger.limited))
    broken = words("comma").join(f"{name} {count}" for name, count in sorted(report.breaks.items()))
    lines += [words("soak-breaks", what=broken)] if broken else []
    lines += _stopped(report, words)
    failed = words("comma").join(f"{kind} {count}" for kind, count in sorted(ledger.failed.items()))
    lines.append(words("soak-failed", what=failed) if failed else words("soak-good"))
    lines += [f"  {fault.kind} {fault.user}: {fault.detail}" for fault in ledger.faults[:_SHOWN_FAULTS]]
    return [f"  {line}" for line in lines]


def _shares(durations: "Durations") -> dict[str, str]:
    return {f"p{share}": f"{1000 * durations.share_s(share / 100):.1f}" for share in (50, 95, 99)}


def _way(words: "Words", name: str, ledger: "Ledger") -> str:
    figures = ledger.of(name)
    counts = {"users": figures.users, "sent": figures.sent, "acked": figures.acked, "n": figures.deliveries}
    return words("soak-way", name=f"{name:<15}", again=figures.repeats, **counts, **_shares(figures.arrivals))


def _stopped(report: "Report", words: "Words") -> list[str]:
    """Say what a reader that was stopped has cost the others."""
    found = report.stopped
    if found is None:
        return []
    counts = {"times": found.times, "syncs": found.syncs, "n": found.connections}
    return [
        words("soak-stopped", **counts),
        words("soak-running-arrivals", **_shares(found.running)),
        words("soak-stopped-arrivals", **_shares(found.stopped)),
    ]


command = PageCommand(
    "chat-soak",
    params=list(options_for(Soak, "chat_soak")),
    arguments=[],
    examples=[
        Example("portico chat soak --chaos", "soak-example"),
        Example("portico chat soak --kills 100", "soak-example-kills"),
        Example("portico chat soak --users 1000 --room 1000 --rate 10 --stop 15", "soak-example-stop"),
        Example("portico chat soak --users 2000 --rate 500 --seconds 60", "soak-example-many"),
    ],
    callback=_soak,
)
