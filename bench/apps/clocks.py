"""A time service in as few lines as it takes: `clocks.py asyncio PORT`, or `uvloop`, or `blocking`."""

import asyncio
import socket
import sys
import time

import uvloop


def answer(datagram: bytes) -> bytes:
    return time.strftime(datagram.decode() or "%Y-%m-%d %X").encode()


class Clock(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, datagram, peer):
        self.transport.sendto(answer(datagram), peer)


async def serve(port: int) -> None:
    await asyncio.get_running_loop().create_datagram_endpoint(Clock, local_addr=("127.0.0.1", port))
    await asyncio.Event().wait()


def block(port: int) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as clock:
        clock.bind(("127.0.0.1", port))
        while True:
            datagram, peer = clock.recvfrom(65535)
            clock.sendto(answer(datagram), peer)


way, port = sys.argv[1], int(sys.argv[2])
if way == "blocking":
    block(port)
else:
    {"asyncio": asyncio.run, "uvloop": uvloop.run}[way](serve(port))
