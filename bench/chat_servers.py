"""The chat, and what it is measured beside: a row each, and how their clients get in."""

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial

from bench.rooms import MEMBERS, RATE, ROOMS, USERS, Seat
from bench.servers import BIN, Place, Server
from bench.service_servers import VERSION
from portico.apps.chat.soak_plan import Wanted, populate
from portico.apps.chat.websocket import SUBPROTOCOL

_IN_ONE = 2  # rooms that each person is in; it speaks in the first


def portico(place: Place) -> list[str]:
    words = ["--data", str(place.work), "-b", f"127.0.0.1:{place.port}", "--quiet", "--no-lines", "--no-datagrams"]
    return [str(BIN / "portico"), "chat", "serve", *words, "--max-connections-per-address", str(USERS)]


def members(place: Place) -> Sequence[Seat]:
    """Make the people and rooms of the chat, in its folder; it does not run yet."""
    accounts = asyncio.run(populate(place.work, Wanted(USERS, 0, RATE, MEMBERS)))
    hellos = (json.dumps({"t": "hello", "v": 1, "tok": account.token}) for account in accounts)
    fields = f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n"
    return [
        Seat("/ws", partial(write, account.rooms[0]), fields, hello, b'"t":"sync"', _IN_ONE)
        for account, hello in zip(accounts, hellos, strict=True)
    ]


def write(room: int, number: int, text: str) -> str:
    return json.dumps({"t": "send", "c": room, "cid": f"bench-{number:012}", "b": {"text": text}}, ensure_ascii=False)


def guests(place: Place) -> Sequence[Seat]:
    """Return who comes to a server that knows nobody."""
    return [Seat(f"/{room}", lambda number, text: text) for room in range(ROOMS) for _ in range(MEMBERS)]


CHATS = (
    Server("portico", "portico", portico, VERSION, remark="`portico chat serve`: each message on disk first"),
    Server(
        "websockets",
        "python",
        lambda place: [sys.executable, "rooms.py", str(place.port)],
        VERSION,
        remark="bench/apps/rooms.py: broadcast(), on uvloop; keeps nothing, acknowledges nothing",
        package="websockets",
    ),
)
SEATS: dict[str, Callable[[Place], Sequence[Seat]]] = {"portico": members, "websockets": guests}
