"""Put one load on one running server, and say what came of it: a load generator for each kind of case."""

import http.client
from collections.abc import Callable
from pathlib import Path

from bench import datagrams, echo, websocket
from bench.cases import Case, Kind
from bench.download import download
from bench.process import Running
from bench.questions import Question, get, say_line, send_datagram
from bench.sample import Answered, NotServed, Sample
from bench.servers import Server
from bench.upload import first_answer, upload
from bench.wrk import run_wrk

# Those that wrk cannot do. Each: (case, running, seconds) -> Answered.
LOADS: dict[Kind, Callable[[Case, Running, float], Answered]] = {
    Kind.DOWNLOAD: download,
    Kind.UPLOAD: upload,
    Kind.ECHO: websocket.echo,
    Kind.FAN_OUT: websocket.fan_out,
    Kind.STREAM_ECHO: echo.echo,
    Kind.DATAGRAM: datagrams.ask,
    Kind.NEW_DATAGRAM: datagrams.ask,
}
PROBES: dict[Kind, Callable[[Case, Running], object]] = {
    Kind.UPLOAD: first_answer,
    Kind.ECHO: websocket.probe,
    Kind.FAN_OUT: websocket.probe,
    Kind.STREAM_ECHO: echo.probe,
    Kind.DATAGRAM: datagrams.probe,
    Kind.NEW_DATAGRAM: datagrams.probe,
}
# What shows that a server is there, where it does not speak HTTP.
QUESTIONS: dict[Kind, Question] = {
    Kind.STREAM_ECHO: say_line,
    Kind.DATAGRAM: send_datagram,
    Kind.NEW_DATAGRAM: send_datagram,
}


def first_question(case: Case, server: Server) -> Question:
    """Return what a server is asked until it is there."""
    return QUESTIONS.get(case.kind) or get(server.prefix + ("/" if case.app else "/1k.bin"))


def probe(case: Case, running: Running) -> str:
    """Check that the server does what the case asks for; return the entity tag of its answer, "" without one.

    Raises NotServed when it does something else.
    """
    check = PROBES.get(case.kind)
    if check is None:
        return entity_tag(case, running)
    check(case, running)
    return ""


def entity_tag(case: Case, running: Running) -> str:
    """Ask once and check the answer; return its entity tag. Raises NotServed when the server does something else."""
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
    try:
        connection.request("GET", running.server.prefix + case.path)
        answer = connection.getresponse()
        size = len(answer.read())
        tag = answer.headers.get("ETag", "")
        if answer.status != 200 or size < case.least_bytes:
            raise NotServed(f"status {answer.status}, {size} bytes")
        if case.kind is Kind.CONDITIONAL:
            if not tag:
                raise NotServed("no entity tags")
            connection.request("GET", running.server.prefix + case.path, headers={"If-None-Match": tag})
            again = connection.getresponse()
            again.read()
            if again.status != case.status:
                raise NotServed(f"status {again.status} to If-None-Match")
        return tag
    except (OSError, http.client.HTTPException) as exc:
        raise NotServed(f"{type(exc).__name__}: {str(exc)!a:.80}") from exc
    finally:
        connection.close()


def measure(case: Case, running: Running, seconds: float, tag: str, work: Path) -> Sample:
    """Load a server for some seconds; return what the client saw and what the server used for it."""
    load = LOADS.get(case.kind)
    answered = load(case, running, seconds) if load else run_wrk(case, running, seconds, tag, work)
    return Sample(answered, running.memory())
