"""When a healthy worker is replaced: settings and a die in, an allowance out; use in, a verdict out. Pure.

Workers that start together would be due together; each gets up to a tenth more than the setting says. Memory is not
varied: there the setting is a bound that somebody computed from what the machine has.
"""

from math import inf
from typing import Final, NamedTuple

from portico.settings import Processes

JITTER: Final = 0.1


class Allowance(NamedTuple):
    """What one worker may use before it is replaced; infinite where the settings set no bound.

    requests: answered. seconds: since it was ready. memory: resident bytes.
    """

    requests: float = inf
    seconds: float = inf
    memory: float = inf


def allowance(processes: Processes, chance: float) -> Allowance:
    """Return what one worker may use. chance: 0 to 1, another for each worker."""
    more = 1 + JITTER * chance
    requests, seconds, memory = processes.recycle_requests, processes.recycle_after, processes.recycle_memory
    return Allowance(
        inf if requests is None else requests * more,
        inf if seconds is None else seconds * more,
        inf if memory is None else memory,
    )


def overdrawn(allowed: Allowance, *, requests: int, seconds: float, memory: int) -> str:
    """Return why a worker that used so much is to be replaced, "" where it is not.

    A worker is due at its bound, for memory above it.
    """
    if requests >= allowed.requests:
        return f"{requests} requests"
    if seconds >= allowed.seconds:
        return f"{seconds:.0f} s"
    if memory > allowed.memory:
        return f"{memory >> 20} MiB"
    return ""
