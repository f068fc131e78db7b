"""A greeting for connections: who are you, and welcome.

portico run greeting:greet --app-dir examples/services --bind tcp://:9000
nc localhost 9000
"""

from portico import stream_service


@stream_service
async def greet(stream):
    """Ask for a name; the greeting comes in the charset that the name was in."""
    await stream.send("Your name?\n")
    name = await stream.read_line()
    await stream.send(f"Welcome, {name}! 欢迎！\n")
