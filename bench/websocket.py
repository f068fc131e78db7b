"""WebSocket clients on bare sockets, their frames made once, so that the server is what is measured (RFC 6455).

No extension is offered: nothing is compressed.
"""

import select
import time
from contextlib import ExitStack
from dataclasses import replace
from socket import socket

from bench.cases import Case
from bench.process import CLIENT_CORES, Running, on_cores
from bench.sample import Answered, NotServed
from bench.talk import BUFFER, Talker, dial, talk

TEXT, BINARY = 1, 2  # opcodes
MASK = bytes.fromhex("37fa213d")  # RFC 6455 5.7
UNDER_WAY = 4  # messages that are on their way to everyone at once: the server always has the next one


def length_field(size: int, mask_bit: int) -> bytes:
    """Return the second byte of a frame and what follows it (RFC 6455 5.2)."""
    if size < 126:
        return bytes([mask_bit | size])
    if size < 1 << 16:
        return bytes([mask_bit | 126]) + size.to_bytes(2, "big")
    return bytes([mask_bit | 127]) + size.to_bytes(8, "big")


def masked(payload: bytes) -> bytes:
    """Return the payload as a client sends it (RFC 6455 5.3)."""
    key = MASK * (len(payload) // 4 + 1)
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(key[: len(payload)], "big")
    return mixed.to_bytes(len(payload), "big")


def frame_from_client(payload: bytes, opcode: int = BINARY) -> bytes:
    return bytes([0x80 | opcode]) + length_field(len(payload), 0x80) + MASK + masked(payload)


def frame_from_server(payload: bytes) -> bytes:
    return b"\x82" + length_field(len(payload), 0) + payload


def payload_of(case: Case) -> bytes:
    return (bytes(range(256)) * (case.size // 256 + 1))[: case.size]


def open_websocket(case: Case, running: Running, number: int) -> socket:
    """Connect and shake hands. Raises NotServed when the server does not switch protocols."""
    connection = dial(running.port, number)
    shake_hands(connection, case.path, running.port)
    return connection


def shake_hands(connection: socket, path: str, port: int, fields: str = "") -> None:
    """Ask for a WebSocket. fields: more of the head. Closes the connection and raises NotServed when there is none."""
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{fields}"
    key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    connection.sendall((head + key).encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        piece = connection.recv(4096)
        answer += piece
        if not piece or not answer.startswith(b"HTTP/1.1 101 "):
            connection.close()
            raise NotServed(f"no WebSocket: {answer!r:.60}")


def probe(case: Case, running: Running) -> None:
    """Send one message and check that the same comes back, in one frame. Raises NotServed otherwise."""
    payload = payload_of(case)
    expected = frame_from_server(payload)
    with open_websocket(case, running, 0) as connection:
        connection.sendall(frame_from_client(payload))
        answer = b""
        while len(answer) < len(expected):
            piece = connection.recv(BUFFER)
            if not piece:
                break
            answer += piece
    if answer != expected:
        raise NotServed(f"{len(answer)} bytes {answer!r:.40} came back for a message of {case.size}")


def echo(case: Case, running: Running, seconds: float) -> Answered:
    """Every connection sends a message, waits for it to come back, and sends it again."""
    payload = payload_of(case)
    block, answer_bytes = frame_from_client(payload), len(frame_from_server(payload))
    with ExitStack() as stack:
        connections = [stack.enter_context(open_websocket(case, running, n)) for n in range(case.connections)]
        answered = talk(running, (Talker(connection, block, answer_bytes) for connection in connections), seconds)
    return replace(answered, body=round(answered.requests * case.size))


def fan_out(case: Case, running: Running, seconds: float) -> Answered:
    """One of the connections sends, all of them receive; counted is what is received."""
    payload = payload_of(case)
    block, each = frame_from_client(payload), len(frame_from_server(payload))
    buffer = memoryview(bytearray(BUFFER))
    with ExitStack() as stack:
        connections = [stack.enter_context(open_websocket(case, running, n)) for n in range(case.connections)]
        poll = stack.enter_context(select.epoll())
        receives = {}
        for connection in connections:
            receives[connection.fileno()] = connection.recv_into
            poll.register(connection, select.EPOLLIN)
        stack.enter_context(on_cores(CLIENT_CORES))
        before = running.cpu_s()
        begin = now = time.monotonic()
        received, due = 0, -UNDER_WAY * each * case.connections
        while now < begin + seconds:
            while received > due:
                connections[0].sendall(block)
                due += each * case.connections
            for number, _ in poll.poll(10):
                received += receives[number](buffer)
            now = time.monotonic()
        used = running.cpu_s() - before
    messages = received / each
    if not messages:
        raise NotServed("no message arrived")
    return Answered(messages, now - begin, round(messages * case.size), used)
