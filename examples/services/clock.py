"""A clock for connections: the time, every second, until the peer has gone.

    portico run clock:clock --app-dir examples/services --bind tcp://:9000
    nc localhost 9000

It is a plain function that waits, so each connection has a thread.
"""

import time

from portico import stream_service


@stream_service
def clock(stream):
    """Send the time again and again; `send` ends the function once nobody is there."""
    while True:
        stream.send(time.strftime("%X\n"))
        time.sleep(1)
