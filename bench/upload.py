"""Send a body again and again, and read the short answer to it."""

from contextlib import ExitStack
from dataclasses import replace

from bench.cases import Case
from bench.download import content_length
from bench.process import Running
from bench.sample import Answered, NotServed
from bench.talk import Talker, dial, talk


def upload(case: Case, running: Running, seconds: float) -> Answered:
    """Load a server with bodies of `case.size` bytes over several connections at once."""
    block = request(case, running)
    answer_bytes = len(first_answer(case, running))
    with ExitStack() as stack:
        connections = [stack.enter_context(dial(running.port, number)) for number in range(case.connections)]
        answered = talk(running, (Talker(connection, block, answer_bytes) for connection in connections), seconds)
    return replace(answered, body=round(answered.requests * case.size))


def request(case: Case, running: Running) -> bytes:
    head = f"POST {case.path} HTTP/1.1\r\nHost: 127.0.0.1:{running.port}\r\nContent-Length: {case.size}\r\n\r\n"
    return head.encode() + bytes(case.size)


def first_answer(case: Case, running: Running) -> bytes:
    """Send one body; return the answer to it, head and body. Raises NotServed unless it tells the body's length."""
    with dial(running.port, 0) as connection:
        connection.sendall(request(case, running))
        answer = b""
        while b"\r\n\r\n" not in answer or len(answer) < whole(answer):
            piece = connection.recv(65536)
            if not piece:
                raise NotServed("hangs up during an upload")
            answer += piece
    if answer.split(b"\r\n\r\n")[1] != b"%d\n" % case.size:
        raise NotServed(f"answers {answer!r:.80} to a body of {case.size} bytes")
    return answer


def whole(answer: bytes) -> int:
    head = answer.partition(b"\r\n\r\n")[0]
    return len(head) + 4 + content_length(head)
