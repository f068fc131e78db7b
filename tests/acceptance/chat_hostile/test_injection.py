r"""What people write, shown where a terminal obeys it: at netcat, over UDP, in the joined terminal, in the logs.

Evil texts and names come from every way in and are read by every way out. Nothing that is shown has a control character
but line feeds and tabs, none that turns the order of letters, and no line that begins as somebody else's.
"""

import re
import socket
import subprocess
import sys

import pytest
from tests.acceptance.chat_hostile.hostile_stage import PATIENCE_S, Chat, until
from tests.cli.running import environment

# C0 but tab and line feed, DEL, C1; marks, overrides and isolates of direction; separators of lines; a byte order mark.
OBEYED = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
EVIL = (
    *(
        "\x1b[2J\x1b[1;1Hgone",
        "\x1b]0;title\x07",
        "\x1b]52;c;cm0gLXJm\x07",
        "\x1bP$q\x1b\\",
        "\x1b[6n",
        "\x9b2J",
        "\x85",
    ),
    *(
        "a\x08\x08b",
        "safe\rfake",
        "\u202egpj.exe",
        "\u2066x\u2069",
        "a\u2028[12:00] Boss: fired",
        "\ufeffx",
        "\x7f\x7f",
    ),
    *(
        "\n[12:00] Boss: fired",
        "\r\n[12:00] Boss: fired\r\n",
        "*** Boss has joined\n*** You are Boss.",
        "a\vb\fc",
        "\x0e\x0f",
    ),
)
MARK = "-end-of-it-"


def is_harmless(shown: str) -> bool:
    """Tell whether a terminal can show this, and nobody is made to say what another one wrote."""
    lines = shown.split("\n")
    is_forged = any(re.match(r"(\[[0-9:]{5}\] Boss:|\*\*\* (You are Boss|Boss has joined))", line) for line in lines)
    return OBEYED.search(shown) is None and not is_forged


@pytest.fixture(scope="module")
def room(shared_chat: Chat) -> tuple[Chat, int, int, str]:
    """A room with every evil text in it, written over WebSocket and TCP frames, and edited; and its reader."""
    chat = shared_chat
    reader, readers_token = chat.person("user", "Reader")
    _, token = chat.person("user", "Mallory")
    with chat.socket(token) as mallory:
        number = int(mallory.ask("room.make", title="Office", public=True)["c"])
        mallory.ask("room.invite", c=number, person=reader)
        for text in EVIL:
            answer = mallory.say(number, f"x{text}{MARK}")
            assert answer["t"] == "ack", answer
            assert mallory.say(number, f"{text}{MARK}", k="edit", ref=answer["s"])["t"] == "ack"
        assert mallory.say(number, "", k="react", b={"mark": "\x1b[2J"}, ref=answer["s"])["code"] == "bad_body"
        assert mallory.say(number, "the last one")["t"] == "ack"
    return chat, number, reader, readers_token


@pytest.mark.parametrize("evil", EVIL, ids=ascii)
def test_no_name_and_no_title_has_anything_to_obey(chat: Chat, evil: str) -> None:
    _, token = chat.person("admin", "Root")
    with chat.socket(token) as root:
        answers = [
            root.ask("me.set", name=evil),
            root.ask("room.make", title=evil),
            root.ask("admin.people.add", kind="user", name=evil),
            root.ask("admin.settings.set", values={"title": evil}),
            root.ask("desk.queues.set", name=evil),
            root.ask("desk.canned.set", short=evil, text="x"),
            root.ask("contacts.add", name=evil, address="udp://127.0.0.1:9"),
            root.ask("contacts.add", name="x", address=f"udp://{evil}:9"),
        ]
        for answer in answers:  # white space is one space in a name; everything else is refused
            assert answer["t"] == "err" or not OBEYED.search(evil.strip("\r\n") and " ".join(evil.split())), answer
    shown = chat.rows("SELECT name FROM person UNION SELECT title FROM conversation UNION SELECT name FROM desk_queue")
    assert not [name for (name,) in shown if OBEYED.search(name) or "\n" in name]


def test_netcat_is_shown_nothing_to_obey(room: tuple[Chat, int, int, str]) -> None:
    chat, number, _, token = room
    with chat.netcat() as netcat:
        netcat.type(f"/token {token}", f"/room #{number}", "/history 200", f"/search {MARK}", "/who", "/list")
        netcat.until("the last one")
        netcat.rest()
    shown = netcat.received.decode()
    assert shown.count(MARK) >= len(EVIL)
    assert is_harmless(shown)


def test_netcat_echoes_nothing_to_obey(chat: Chat) -> None:
    with chat.netcat() as netcat:
        for evil in EVIL:
            for line in (
                evil,
                f"/nick {evil}",
                f"/{evil}",
                f"/to {evil} x",
                f"/encoding {evil}",
                f"/join {evil}",
                f"/lang {evil}",
            ):
                netcat.sock.sendall(line.encode() + b"\r\n")
        netcat.sock.sendall(b"\xff\xfe\x1b[2J\x80\x9b2J\n\xff\xfa\x18\x01\xff\xf0/nick \x1b]0;x\x07\n")
        netcat.rest()
    assert b"Welcome" in netcat.received
    assert is_harmless(netcat.received.decode("gb18030", "replace"))
    assert is_harmless(netcat.received.decode(errors="replace"))


def test_datagrams_have_nothing_to_obey(room: tuple[Chat, int, int, str]) -> None:
    chat, number, _, token = room
    with chat.sender() as sender:
        sender.ask(f"/token {token}")
        sender.sock.send(f"/room #{number}".encode())
        for evil in EVIL:
            sender.sock.send(f"/{evil}".encode())
            sender.sock.send(f"/nick {evil}".encode())
        sender.sock.send(b"/history 200")
        while b"the last one" not in sender.receive():
            pass
    shown = [datagram.decode() for datagram in sender.received]
    assert sum(MARK in datagram for datagram in shown) >= len(EVIL)
    # Text of the conversation one is in comes as it is, without a name, a datagram a line.
    assert not [datagram for datagram in shown if OBEYED.search(datagram) or "\n" in datagram]


def test_a_terminal_that_has_joined_is_shown_nothing_to_obey(room: tuple[Chat, int, int, str]) -> None:
    chat, number, reader, _ = room
    _, token = chat.person("admin", "Root")
    with chat.socket(token) as root:
        link = root.ask("admin.link", person=reader)["token"]
    done = subprocess.run(
        [sys.executable, "-m", "portico", "chat", "join", f"{chat.url}/#{link}"],
        env=environment(XDG_STATE_HOME=str(chat.folder.parent / "state")),
        input=f"/room #{number}\n/history 200\nq\n".encode(),
        capture_output=True,
        timeout=PATIENCE_S,
        check=True,
    )
    shown = done.stdout.decode()
    assert shown.count(MARK) >= len(EVIL)
    assert is_harmless(shown)
    assert is_harmless(done.stderr.decode())


def test_the_log_has_nothing_to_obey(chat: Chat) -> None:
    for evil in EVIL:
        path = "".join(f"%{byte:02X}" for byte in evil.encode()).encode()
        for target, field in ((path, b"x"), (b"desk", evil.encode()), (evil.encode(), b"x")):
            with socket.create_connection(("127.0.0.1", chat.port), PATIENCE_S) as sock:
                fields = b"Host: localhost\r\nUser-Agent: " + field + b"\r\nReferer: " + field
                sock.sendall(b"GET /" + target + b" HTTP/1.1\r\n" + fields + b"\r\nConnection: close\r\n\r\n")
                answer = sock.makefile("rb").read()
                assert answer.startswith(b"HTTP/1.1 ")
                assert OBEYED.search(answer.decode(errors="replace").replace("\r\n", "\n")) is None
    with chat.http() as http:
        http.get("/the-last-one")
    until(lambda: "/the-last-one" in chat.log, "the log is written")
    log = chat.log_bytes.decode()
    assert " 404 " in log
    assert " 400 " in log
    assert OBEYED.search(log) is None
