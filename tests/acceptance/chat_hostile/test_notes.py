"""What the staff notes never reaches a visitor, whichever way the visitor asks (acceptance list, item 9).

Each test ends by looking for the canary in every byte that the visitor has got. Limits count by person, so a visitor
who has asked enough is followed by another one, who has an agent with notes too.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest
from tests.acceptance.chat_hostile.hostile_stage import Chat, Netcat, Sender, Somebody

CANARY = "kanarienvogel7"
CANARIES = (CANARY, "机密金丝雀")
PER_VISITOR = 40


class Case(NamedTuple):
    """A visitor whom an agent serves, who has written notes: text, an edited one, and a file."""

    conversation: int
    staff: int
    file: int
    seq: int
    visitor: int
    token: str


def noted(chat: Chat, name: str = "Ann") -> Case:
    """Make a case."""
    visitor, token = chat.person("visitor", name)
    with chat.socket(token) as ann:
        conversation = int(ann.ask("desk.start")["c"])
    case = Case(conversation, 0, 0, 0, visitor, token)
    return take_notes(chat, case)


def take_notes(chat: Chat, case: Case) -> Case:
    """Have an agent serve a visitor who waits, and write about the visitor."""
    _, agents_token = chat.person("agent", "Bo")
    with chat.socket(agents_token) as bo, chat.http(agents_token) as http:
        item = next(one for one in bo.ask("desk.list", tab="all")["items"] if one["c"] == case.conversation)
        if bo.ask("desk.take", c=item["c"], rev=item["rev"])["t"] != "ok":
            assert bo.ask("desk.accept", c=item["c"])["t"] == "ok"  # was offered meanwhile
        seq = bo.ask("desk.note", c=item["c"], text=f"{CANARY} does not pay, 机密金丝雀")["s"]
        sent = http.post(f"/api/files?name={CANARY}.txt", content=f"{CANARY} {case.conversation}".encode())
        file = int(sent.json()["id"])
        body = {"text": f"{CANARY} again", "files": [file]}
        assert bo.say(item["staff"], "", b=body)["t"] == "ack"
        assert bo.say(item["staff"], f"{CANARY} edited", k="edit", ref=seq)["t"] == "ack"
        assert bo.say(item["c"], "How can I help?")["t"] == "ack"
        assert any(CANARY in text for text in bo.received)
    return case._replace(staff=int(item["staff"]), file=file, seq=int(seq))


def is_clean(received: list[str]) -> bool:
    return not any(canary in text for canary in CANARIES for text in received)


@pytest.fixture(scope="module")
def names(shared_chat: Chat) -> list[str]:
    """The names of all operations, which an admin is told."""
    _, token = shared_chat.person("admin", "Root")
    with shared_chat.socket(token) as root:
        known = list(root.ask("me")["op"])
    assert {"search", "export", "files.get", "desk.transcript", "room.members", "desk.note"} <= set(known)
    return known


def arguments_of(case: Case) -> Iterator[dict[str, Any]]:
    """Yield arguments that name the notes in the ways that operations can be told of them."""
    for conversation in (case.staff, case.conversation):
        common = {"c": conversation, "rev": 2, "person": case.visitor, "tab": "all", "queue": 1, "on": True}
        yield {**common, "text": "pay", "form": "json", "title": "x", "ids": [case.file], "state": "available"}
        yield {**common, "text": "机密", "form": "text", "score": 5, "ids": [1, 2, 3, case.visitor], "to": case.visitor}
    yield {"text": "金丝雀", "form": "html", "c": case.staff, "short": "x", "canned": 1, "tab": "closed", "values": {}}
    yield {"ids": [case.file, case.staff, case.seq], "before": 1 << 50, "after": 0, "kind": "", "person": 1}


def test_no_operation_tells_of_a_note(chat: Chat, names: list[str]) -> None:
    # What ends the conversation, or signs out, comes last.
    ending = ("desk.close", "desk.reopen", "desk.rate", "devices.revoke")
    wanted = [(op, index) for op in sorted(names, key=lambda op: op in ending) for index in range(6)]
    received: list[str] = []
    for start in range(0, len(wanted), PER_VISITOR):
        case = noted(chat)
        with chat.socket(case.token) as ann:
            for op, index in wanted[start : start + PER_VISITOR]:
                answer = ann.ask(op, **list(arguments_of(case))[index])
                assert answer["t"] == "ok" or answer["code"] not in ("rate", "failed"), (op, answer)
            ann.settle()
            received += ann.received
    assert any("How can I help?" in text for text in received)
    assert is_clean(received)


def test_no_part_of_the_log_of_notes_can_be_had(chat: Chat) -> None:
    case = noted(chat)
    with chat.socket(case.token) as ann:
        for bounds in ({"after": 0}, {"before": 99}, {"after": case.seq - 1, "limit": 1}):
            answer = ann.get(case.staff, **bounds)
            assert (answer["t"], answer["code"]) == ("err", "forbidden")
        for kind, body in (("msg", {"text": "x"}), ("edit", {"text": "x"}), ("del", {}), ("react", {"mark": "x"})):
            answer = ann.say(case.staff, "", k=kind, b=body, ref=case.seq)
            assert (answer["t"], answer["code"]) == ("nack", "forbidden")
        ann.send({"t": "mark", "c": case.staff, "read": 1})
        ann.send({"t": "typ", "c": case.staff})
        assert ann.get(case.conversation, after=0)["ev"]
        # A reply to the note, or to its file, by numbers.
        assert ann.say(case.conversation, "", b={"text": "x", "files": [case.file]})["t"] == "ack"
        ann.ask("files.get", ids=[case.file])
        assert ann.ask("search", text="pay")["found"] == []
        ann.settle()
        assert is_clean(ann.received)
    assert chat.rows("SELECT 1 FROM event WHERE conversation = ? AND sender = ?", case.staff, case.visitor) == []


def test_a_client_that_claims_to_have_the_log_of_notes_is_not_sent_it(chat: Chat) -> None:
    case = noted(chat)
    with chat.bare_socket() as connection:
        ann = Somebody(connection)
        have = {str(case.staff): 0, str(case.conversation): 0}
        (epoch,) = chat.rows("SELECT value FROM meta WHERE key = 'epoch'")[0]
        ann.send({"t": "hello", "v": 1, "tok": case.token, "epoch": epoch, "have": have})
        ann.heard(lambda frame: frame["t"] == "sync" and frame["c"] == case.conversation)
        # What is written now is not pushed either.
        take_notes(chat, noted(chat)._replace(conversation=waiting(chat)))
        ann.settle()
        assert is_clean(ann.received)


def waiting(chat: Chat) -> int:
    """Have somebody wait; return the conversation."""
    _, token = chat.person("visitor", "Cy")
    with chat.socket(token) as visitor:
        return int(visitor.ask("desk.start")["c"])


def test_no_address_of_the_site_tells_of_a_note(chat: Chat) -> None:
    case = noted(chat)
    received: list[str] = []
    with chat.http(case.token) as http:
        links = http.post("/api/downloads", json={"files": [case.file, 1, 2, 3]}).json()["links"]
        paths = [*links.values(), *(link.replace(f"&p={case.visitor}", "&p=1") for link in links.values())]
        paths += [f"/files/{case.file}", "/", "/desk", "/admin", "/widget", "/ws", "/api/public", "/chat.db", "/files/"]
        paths += ["/files/..%2fchat.db", f"/files/{case.file}?p=1&e=99999999999&k=0", "/page/../chat.db", "/api/files"]
        for path in paths:
            for method in ("GET", "POST", "HEAD", "OPTIONS"):
                answer = http.request(method, path)
                assert answer.status_code < 500, (method, path, answer.text)
                received += [answer.text, str(answer.headers)]
        assert http.get(links[str(case.file)]).json()["code"] == "no_file"
    assert is_clean(received)


def commands(case: Case) -> list[str]:
    """Return every command with the notes in it, as somebody at netcat types them."""
    words = (
        "who",
        "list",
        "join",
        "leave",
        "room",
        "msg",
        "to",
        "history",
        "queue",
        "take",
        "transfer",
        "note",
        "close",
    )
    more = ("canned", "rate", "nick", "help", "lang", "encoding", "login", "token")
    rests = ("", f"#{case.staff}", f"{case.staff} {CANARY[:4]}", "notes on Ann", "Ann x")
    return [f"/{word} {rest}".strip() for word in (*words, *more) for rest in rests]


def test_no_command_at_netcat_tells_of_a_note(chat: Chat) -> None:
    with ExitStack() as stack:
        netcat = stack.enter_context(chat.netcat())
        case = noted_at_netcat(chat, netcat)
        netcat.type(f"/token {case.token}")
        for number, line in enumerate(commands(case)):
            if number and number % PER_VISITOR == 0:
                assert is_clean([netcat.received.decode(errors="replace")])
                netcat = stack.enter_context(chat.netcat())
                case = noted_at_netcat(chat, netcat)
            netcat.type(line)
        netcat.rest()
    assert b"How can I help?" in netcat.received
    assert is_clean([netcat.received.decode(errors="replace")])


def noted_at_netcat(chat: Chat, netcat: Netcat) -> Case:
    """Have somebody at netcat talk with an agent who takes notes."""
    netcat.type("hello")
    netcat.until("/token ")
    token = netcat.received.decode().rpartition("/token ")[2].strip()
    netcat.until("✓")
    visitor, conversation = chat.rows("SELECT visitor, conversation FROM desk_case ORDER BY conversation DESC LIMIT 1")[
        0
    ]
    case = take_notes(chat, Case(int(conversation), 0, 0, 0, int(visitor), token))
    netcat.until("How can I help?")
    return case


def test_no_frame_over_tcp_tells_of_a_note(chat: Chat, names: list[str]) -> None:
    case = noted(chat)
    with chat.netcat() as netcat:
        netcat.type("/json on", json.dumps({"t": "hello", "v": 1, "tok": case.token, "have": {str(case.staff): 0}}))
        for number, op in enumerate(names[:PER_VISITOR]):
            netcat.type(json.dumps({"t": "ask", "id": number + 1, "op": op, "c": case.staff, "text": CANARY[:6]}))
        netcat.type(json.dumps({"t": "get", "id": 500, "c": case.staff, "after": 0}))
        netcat.rest()
    assert b"How can I help?" in netcat.received
    assert is_clean([netcat.received.decode()])


def test_no_datagram_tells_of_a_note(chat: Chat) -> None:
    with chat.sender() as sender:
        assert sender.ask("#1 hello").startswith(b"#1 ok ")
        visitor, conversation = chat.rows(
            "SELECT visitor, conversation FROM desk_case ORDER BY conversation DESC LIMIT 1"
        )[0]
        case = take_notes(chat, Case(int(conversation), 0, 0, 0, int(visitor), ""))
        hear_out(sender)
        for number, line in enumerate(commands(case)[:PER_VISITOR]):
            sender.sock.send(line.encode())
            sender.sock.send(f"#a{number} {line}".encode())
        for datagram in (f"#have {case.staff}:0", "#have 0", f"#s{case.staff}:1 ok", f"#s{case.seq} ok"):
            sender.sock.send(datagram.encode())
        hear_out(sender)
    assert is_clean([datagram.decode(errors="replace") for datagram in sender.received])


def hear_out(sender: Sender) -> None:
    """Acknowledge what comes, until the answer to a last question."""
    sender.sock.send(b"#have 999999:0")
    while not (datagram := sender.receive()).startswith(b"#have no"):
        if datagram.startswith(b"#s"):
            sender.sock.send(datagram.partition(b" ")[0] + b" ok")


def test_an_agent_who_is_none_any_more_reads_no_notes(chat: Chat) -> None:
    case = noted(chat)
    (agent,) = chat.rows("SELECT agent FROM desk_case WHERE conversation = ?", case.conversation)[0]
    _, token = chat.person("admin", "Root")
    with chat.socket(token) as root:
        assert root.ask("admin.people.set", person=agent, kind="user")["t"] == "ok"
        link = root.ask("admin.link", person=agent)["token"]
    with chat.http() as http:
        fresh = http.post("/api/link", json={"token": link}).json()["token"]
    with chat.socket(fresh) as bo:
        assert bo.get(case.staff, after=0)["t"] == "err"
        assert bo.ask("search", text="pay")["found"] == []
        bo.settle()
        assert is_clean(bo.received)
