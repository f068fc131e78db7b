"""The same loop with Portico's codec in it: a blocking socket outside, RFC 9112 inside.

    python examples/steps/codec.py 8000

`ServerCodec` never touches the socket. It is fed what came, says what that means, and hands out what to send.
"""

import socket
import sys
import time

from portico.http.dates import format_date
from portico.settings import Limits
from portico.wire.answer import WholeAnswer
from portico.wire.events import HeadReceived, PeerFaulted
from portico.wire.head import HeadMemo
from portico.wire.http1 import ServerCodec

TEXT = [("Content-Type", "text/plain; charset=utf-8")]
limits, memo = Limits(), HeadMemo()


def answer(codec: ServerCodec, data: bytes) -> None:
    """Feed one piece of what the peer sent, and queue an answer to every request that is complete."""
    date_line = f"Date: {format_date(int(time.time()))}\r\n".encode()
    events = codec.feed(data)
    while events:
        for event in events:
            print(event)
            if isinstance(event, HeadReceived):
                codec.send_answer(WholeAnswer(200, TEXT, f"you asked for {event.request.path}\n".encode()), date_line)
            elif isinstance(event, PeerFaulted):
                codec.send_answer(WholeAnswer(event.status, TEXT, f"{event.reason}\n".encode()), date_line)
        events = codec.feed(b"")


def main() -> None:
    """Serve one connection after the other."""
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    while True:
        connection, _ = listener.accept()
        codec = ServerCodec(limits, memo)
        while not codec.closing and (data := connection.recv(65536)):
            answer(codec, data)
            connection.sendall(b"".join(codec.outgoing()))
        connection.close()


if __name__ == "__main__":
    main()
