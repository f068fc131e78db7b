"""Figures of one or many processes: what they are called, how they add up, how Prometheus reads them. Pure.

A snapshot maps a sample to its value: `portico_requests_total{code="2xx"}` -> 17.0. It is plain, so it travels as JSON.

    merge(snapshots)     those of several workers become one
    Ledger               the same for workers that come and go: what is counted never falls
    render(snapshot)     text in the exposition format 0.0.4
"""

from collections.abc import Callable, Iterable, Mapping
from operator import add
from typing import Final, Literal, NamedTuple

Snapshot = Mapping[str, float]
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_SUFFIXES: Final = ("_bucket", "_sum", "_count")


class Family(NamedTuple):
    """Samples of one name. merge: what several processes come to."""

    kind: Literal["counter", "gauge", "histogram"]
    help: str
    merge: Callable[[float, float], float] = add


FAMILIES: Final = {
    "portico_requests_total": Family("counter", "Requests that ended, by class of status; cut: without an answer."),
    "portico_request_duration_seconds": Family("histogram", "From a request's head to the last byte of its answer."),
    "portico_requests_in_flight": Family("gauge", "Requests that wait for their application or for their peer."),
    "portico_requests_waiting": Family("gauge", "Requests that wait for their turn."),
    "portico_sent_body_bytes_total": Family("counter", "Bytes of answers' bodies."),
    "portico_drops_total": Family("counter", "Connections and requests that were refused or cut, by reason."),
    "portico_connections": Family("gauge", "Open connections, WebSockets among them."),
    "portico_websockets": Family("gauge", "Open WebSockets."),
    "portico_calls_in_flight": Family("gauge", "Calls of services that have not ended."),
    "portico_served_total": Family("counter", "Connections that ended, and datagrams."),
    "portico_sent_bytes_total": Family("counter", "Bytes that services have sent."),
    "portico_chat_people": Family("gauge", "People who are connected to the chat."),
    "portico_chat_unable": Family("gauge", "1 while the chat cannot store what people send, as on a full disk."),
    "portico_chat_waiting": Family("gauge", "Visitors who wait for somebody of the desk."),
    "portico_threads": Family("gauge", "Threads for WSGI applications."),
    "portico_threads_busy": Family("gauge", "Threads that are at work."),
    "portico_thread_jobs_waiting": Family("gauge", "Requests that no thread has taken yet."),
    "portico_thread_wait_seconds_total": Family("counter", "How long requests waited for a thread, together."),
    "portico_log_lines_lost_total": Family("counter", "Lines of the access log that could not be written."),
    "portico_workers": Family("gauge", "Worker processes, by state."),
    "process_cpu_seconds_total": Family("counter", "Processor time, user and system."),
    "process_start_time_seconds": Family("gauge", "When the first process started, seconds since 1970.", min),
    "portico_info": Family("gauge", "Always 1; the label says which version runs.", max),
}


def sample(name: str, **labels: str) -> str:
    """Name a sample. labels: their values may be any text."""
    pairs = ",".join(f'{label}="{_escaped(value)}"' for label, value in labels.items())
    return f"{name}{{{pairs}}}" if pairs else name


def merge(snapshots: Iterable[Snapshot]) -> dict[str, float]:
    """Return what several processes come to: sums, as a rule."""
    merged: dict[str, float] = {}
    for snapshot in snapshots:
        for name, value in snapshot.items():
            merged[name] = family_of(name)[1].merge(merged[name], value) if name in merged else value
    return merged


def render(snapshot: Snapshot) -> str:
    """Write a snapshot as Prometheus reads it; the families in the order of their table."""
    found: dict[str, list[str]] = {}
    for name, value in snapshot.items():
        found.setdefault(family_of(name)[0], []).append(f"{name} {_number(value)}\n")
    known = [name for name in FAMILIES if name in found]
    return "".join(
        f"# HELP {name} {FAMILIES[name].help}\n# TYPE {name} {FAMILIES[name].kind}\n{''.join(found[name])}"
        for name in known
    )


class Ledger:
    """The figures of workers that come and go. A counter keeps what a worker that has ended had counted."""

    def __init__(self) -> None:
        self._past: dict[str, float] = {}
        self._latest: dict[int, Snapshot] = {}

    def report(self, worker: int, snapshot: Snapshot) -> None:
        """Take the latest figures of a worker. worker: a number that no other worker ever has."""
        self._latest[worker] = snapshot

    def retire(self, worker: int) -> None:
        """Take note that a worker has ended."""
        last = self._latest.pop(worker, {})
        counted = {name: value for name, value in last.items() if family_of(name)[1].kind != "gauge"}
        self._past = merge([self._past, counted])

    def snapshot(self) -> dict[str, float]:
        """Return what all of them come to."""
        return merge([self._past, *self._latest.values()])


_UNKNOWN: Final = Family("gauge", "")


def family_of(name: str) -> tuple[str, Family]:
    """Return the family of a sample, and what it is called."""
    plain = name.partition("{")[0]
    if plain not in FAMILIES:
        for suffix in _SUFFIXES:
            plain = plain.removesuffix(suffix)
    return plain, FAMILIES.get(plain, _UNKNOWN)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
