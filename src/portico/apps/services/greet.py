"""The greeting: whoever connects gets one text, and is hung up on."""

from typing import TYPE_CHECKING

from portico.server.service import StreamService

if TYPE_CHECKING:
    from portico.server.stream import Stream


def greet(text: str, *, encoding: str = "") -> StreamService:
    """Make a service that sends a text to whoever connects, and ends the connection.

    text: one line or several; a line feed is added where it has none at its end.
    encoding: its charset, "" for what the settings say. The peer has not said anything yet, so "auto" is UTF-8.
    """
    line = text if text.endswith("\n") else text + "\n"

    async def send_greeting(stream: "Stream") -> None:
        await stream.send(line)

    return StreamService(send_greeting, "greet", encoding=encoding)
