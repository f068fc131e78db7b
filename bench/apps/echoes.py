"""TCP services in as few lines as they take: `echoes.py protocol PORT`, or `streams`, or `greeting`. All on uvloop."""

import asyncio
import sys

import uvloop

TEXT = "欢迎使用 Portico\n".encode()


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


class Greeting(asyncio.Protocol):
    def connection_made(self, transport):
        transport.write(TEXT)
        transport.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def serve(way: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    if way == "streams":
        await asyncio.start_server(echo, "127.0.0.1", port, backlog=4096)
    else:
        kind = {"protocol": Echo, "greeting": Greeting}[way]
        await loop.create_server(kind, "127.0.0.1", port, backlog=4096)
    await asyncio.Event().wait()


uvloop.run(serve(sys.argv[1], int(sys.argv[2])))
