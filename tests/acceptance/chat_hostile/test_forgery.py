"""Numbers and tokens that are somebody else's, or were somebody's: nothing is told, and nothing is done."""

import json
import re
import socket
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from tests.acceptance.chat_hostile.hostile_stage import Chat, Somebody
from websockets.exceptions import InvalidStatus

SECRET = "geheimnis4711"
FOREIGN = "https://evil.example"


class Room(NamedTuple):
    """A private room of two, with a message and a file in it; and somebody who has nothing to do with it."""

    conversation: int
    seq: int
    file: int
    owner: int
    owners_token: str
    stranger: int
    strangers_token: str


@pytest.fixture
def room(chat: Chat) -> Room:
    """Make one."""
    owner, owners_token = chat.person("user", "Owner")
    friend, _ = chat.person("user", "Friend")
    stranger, strangers_token = chat.person("user", "Stranger")
    with chat.socket(owners_token) as somebody, chat.http(owners_token) as http:
        conversation = somebody.ask("room.make", title=SECRET)["c"]
        assert somebody.ask("room.invite", c=conversation, person=friend)["t"] == "ok"
        sent = http.post(f"/api/files?name={SECRET}.txt", content=SECRET.encode())
        file = sent.json()["id"]
        seq = somebody.say(conversation, "", b={"text": SECRET, "files": [file]})["s"]
    return Room(conversation, seq, file, owner, owners_token, stranger, strangers_token)


def codes(answers: list[dict[str, Any]]) -> set[str]:
    return {str(answer.get("code", answer["t"])) for answer in answers}


def test_a_conversation_of_others_can_be_named_and_not_had(chat: Chat, room: Room) -> None:
    with chat.socket(room.strangers_token) as stranger:
        c = {"c": room.conversation}
        answers = [stranger.get(room.conversation, after=0), stranger.get(room.conversation, before=99)]
        answers += [stranger.ask(op, **c) for op in ("room.members", "room.leave", "export", "desk.transcript")]
        answers += [stranger.ask("room.join", **c), stranger.ask("room.title", **c, title="mine")]
        answers += [stranger.ask("room.invite", **c, person=room.stranger), stranger.ask("mute", **c, on=True)]
        answers += [stranger.ask("room.remove", **c, person=room.owner)]
        answers += [stranger.say(room.conversation, "x"), stranger.say(room.conversation, "x", k="edit", ref=room.seq)]
        answers += [stranger.say(room.conversation, "x", k="del", ref=room.seq)]
        assert codes(answers) <= {"forbidden", "no_conversation", "no_case", "no_person"}
        assert stranger.ask("search", text=SECRET)["found"] == []
        assert not any(SECRET in text for text in stranger.received)
    assert chat.rows("SELECT title FROM conversation WHERE id = ?", room.conversation) == [(SECRET,)]


def test_a_file_of_others_can_be_named_and_not_had(chat: Chat, room: Room) -> None:
    with chat.socket(room.strangers_token) as stranger, chat.http(room.strangers_token) as http:
        own = stranger.ask("room.make", title="My own")["c"]
        # In a message of one's own, in which it does not count.
        assert stranger.say(own, "", b={"text": "look", "files": [room.file]})["t"] == "ack"
        assert stranger.ask("files.get", ids=[room.file])["files"] == {}
        link = http.post("/api/downloads", json={"files": [room.file]}).json()["links"][str(room.file)]
        forged = [link, link.replace(f"p={room.stranger}&", f"p={room.owner}&"), f"/files/{room.file}"]
        forged += [re.sub(r"e=\d+", "e=99999999999999", link), re.sub(r"k=\w+", "k=" + "0" * 64, link)]
        forged += [link.replace(f"/{room.file}?", f"/{room.file}%20?"), link + "&p=1", link.replace("k=", "k=%FF")]
        for address in forged:
            answer = http.get(address)
            assert answer.status_code in (403, 404), address
            assert SECRET not in answer.text
    with chat.http(room.owners_token) as http:
        own_link = http.post("/api/downloads", json={"files": [room.file]}).json()["links"][str(room.file)]
        assert http.get(own_link).text == SECRET
        # The address of one file is none of another.
        assert http.get(own_link.replace(f"/{room.file}?", f"/{room.file + 1}?")).status_code == 403


def test_a_message_of_another_is_not_changed_by_its_number(chat: Chat, room: Room) -> None:
    with chat.socket(room.owners_token) as owner:
        assert owner.ask("room.invite", c=room.conversation, person=room.stranger)["t"] == "ok"
    with chat.socket(room.strangers_token) as stranger:
        answers = [stranger.say(room.conversation, "x", k=kind, ref=room.seq) for kind in ("edit", "del")]
        assert codes(answers) == {"not_yours"}
        answers = [stranger.say(room.conversation, "x", k="edit", ref=ref) for ref in (1, 99, 1 << 52)]
        assert codes(answers) == {"bad_ref"}
        for ref in (0, -1, 1.0, True, "1", None):
            assert stranger.say(room.conversation, "x", k="edit", ref=ref)["code"] == "bad_ref"
        assert codes([stranger.ask("room.remove", c=room.conversation, person=room.owner)]) == {"forbidden"}
    assert chat.rows(
        "SELECT json_extract(body, '$.text') FROM event WHERE conversation = ? AND seq = ?", *room[:2]
    ) == [(SECRET,)]


def test_an_id_of_a_message_names_one_message_for_ever(chat: Chat, room: Room) -> None:
    with chat.socket(room.owners_token) as owner:
        frame = {"t": "send", "cid": "one", "c": room.conversation, "b": {"text": "first"}}
        for text, kind, code in (("first", "ack", None), ("first", "ack", None), ("second", "nack", "cid_reuse")):
            owner.send({**frame, "b": {"text": text}})
            answer = owner.heard(lambda found: found.get("cid") == "one")
            assert (answer["t"], answer.get("code")) == (kind, code)
    count = chat.rows("SELECT count(*) FROM event WHERE cid = 'one' AND sender = ?", room.owner)
    assert count == [(1,)]


# Power


FOR_STAFF = (
    *("room.make", "room.invite", "room.remove", "room.title", "direct", "people.find", "contacts.list"),
    *("desk.list", "desk.take", "desk.accept", "desk.decline", "desk.transfer", "desk.note", "desk.available"),
    *("desk.agents", "desk.stats", "desk.canned.list", "desk.canned.set", "desk.canned.remove", "desk.queues.list"),
    *("desk.queues.set", "desk.hours.get", "desk.hours.set", "admin.people.list", "admin.people.add"),
    *("admin.people.set", "admin.people.remove", "admin.link", "admin.blocks.list", "admin.blocks.add"),
    *("admin.blocks.remove", "admin.settings.get", "admin.settings.set", "admin.audit"),
)


@pytest.fixture
def case(chat: Chat) -> tuple[int, int, str]:
    """A visitor who waits at the desk: conversation, number, token."""
    number, token = chat.person("visitor", "Vic")
    with chat.socket(token) as visitor:
        return int(visitor.ask("desk.start")["c"]), number, token


@pytest.mark.parametrize("op", FOR_STAFF)
def test_what_is_for_the_staff_is_not_for_visitors(chat: Chat, case: tuple[int, int, str], op: str) -> None:
    conversation, number, token = case
    arguments = {
        **{"c": conversation, "rev": 1, "person": number, "to": number, "text": "x", "title": "x", "name": "x"},
        **{"kind": "admin", "values": {"signup": True}, "value": "10.0.0.1", "block": 1, "short": "x", "canned": 1},
        **{"state": "available", "hours": {}, "tab": "all"},
    }
    if op == "admin.blocks.add":
        arguments["kind"] = "address"
    with chat.socket(token) as visitor:
        answer = visitor.ask(op, **arguments)
        assert (answer["t"], answer["code"]) in (("err", "forbidden"), ("err", "no_case"), ("err", "not_here")), answer
    kind, name = chat.rows("SELECT kind, name FROM person WHERE id = ?", number)[0]
    assert (kind, name) == ("visitor", "Vic")


def test_a_session_that_was_an_admins_is_nobodys_when_the_admin_is_none_any_more(chat: Chat) -> None:
    _, roots_token = chat.person("admin", "Root")
    was, token = chat.person("admin", "Was one")
    with chat.socket(roots_token) as root, chat.socket(token) as other:
        assert root.ask("admin.people.set", person=was, kind="user")["t"] == "ok"
        assert other.end()[0] == 4003
    with chat.socket(token) as other:
        assert other.ask("admin.people.list")["code"] == "forbidden"


# Tokens


def is_known(chat: Chat, token: str) -> set[bool]:
    """Tell whether a token still counts, by each way in."""
    found = set()
    with chat.bare_socket() as connection:
        somebody = Somebody(connection)
        somebody.send({"t": "hello", "v": 1, "tok": token})
        first = somebody.heard(lambda frame: True)
        found.add(first["t"] == "welcome")
    with chat.netcat() as netcat:
        netcat.type(f"/token {token}")
        netcat.until("Welcome")
        found.add(b"You are" in netcat.until("***"))
    with chat.http(token) as http:
        found.add(http.post("/api/downloads", json={"files": []}).status_code == 200)
    with chat.sender() as sender:
        found.add(sender.ask(f"/token {token}").startswith(b"*** You are"))
    return found


def revoked(chat: Chat) -> Iterator[tuple[str, str]]:
    """Yield tokens that were somebody's, with what happened to each."""
    _, signed_out = chat.person("user", "Out")
    with chat.http(signed_out) as http:
        assert http.post("/api/signout", json={}).status_code == 200
    yield "signed out", signed_out
    number, expired = chat.person("visitor", "Old")
    with chat.database() as db:
        db.execute("UPDATE device SET ends_ms = 1 WHERE person = ?", (number,))
    yield "expired", expired
    _, roots_token = chat.person("admin", "Root")
    with chat.socket(roots_token) as root:
        number, disabled = chat.person("user", "Closed")
        assert root.ask("admin.people.set", person=number, disabled=True)["t"] == "ok"
        yield "disabled", disabled
        number, erased = chat.person("user", "Forgotten")
        assert root.ask("admin.people.remove", person=number)["t"] == "ok"
        yield "erased", erased
        number, changed = chat.person("user", "Changed", login="changed")
        assert root.ask("admin.people.set", person=number, password="another password")["t"] == "ok"
        yield "password changed", changed
    _, lost = chat.person("user", "Lost")
    with chat.socket(lost) as somebody:
        device = somebody.ask("devices.list")["devices"][0]["device"]
        somebody.send({"t": "ask", "id": 9, "op": "devices.revoke", "device": device})
        assert somebody.end()[0] == 4003
    yield "revoked", lost
    for wrong in ("", "x", "x" * 200, "\0", "' OR 1=1 --", "字" * 40):
        yield "nobody's", wrong


def test_a_token_that_counts_no_more_counts_nowhere(chat: Chat) -> None:
    _, good = chat.person("user", "Here")
    assert is_known(chat, good) == {True}
    for why, token in revoked(chat):
        if token.isascii() and token.isprintable() and token:
            assert is_known(chat, token) == {False}, why
        else:
            with chat.bare_socket() as connection:
                somebody = Somebody(connection)
                somebody.send({"t": "hello", "v": 1, "tok": token})
                assert somebody.end()[0] == 4001


def test_whoever_is_signed_out_does_nothing_more_however_slow_the_wire_is(chat: Chat) -> None:
    number, token = chat.person("user", "Slow")
    with chat.netcat() as netcat, chat.http(token) as http:
        netcat.type("/json on", json.dumps({"t": "hello", "v": 1, "tok": token}))
        netcat.until('"welcome"')
        assert http.post("/api/signout", json={}).status_code == 200
        netcat.type(json.dumps({"t": "ask", "id": 1, "op": "room.make", "title": "Too late"}))
        netcat.rest()
    assert b'"ok"' not in netcat.received
    assert chat.rows("SELECT 1 FROM member WHERE person = ?", number) == []


def test_a_link_is_good_once_and_a_newer_one_voids_it(chat: Chat) -> None:
    _, roots_token = chat.person("admin", "Root")
    number, _ = chat.person("user", "New")
    with chat.socket(roots_token) as root:
        void, good = (root.ask("admin.link", person=number)["token"] for _ in range(2))
        late, _ = chat.person("user", "Late")
        old = root.ask("admin.link", person=late)["token"]
    with chat.database() as db:
        db.execute("UPDATE link SET ends_ms = 1 WHERE person = ?", (late,))
    with chat.http() as http:
        statuses = [
            http.post("/api/link", json={"token": link}).status_code
            for link in (void, good, good, old, "", "x" * 201, "'; --", "\0")
        ]
    assert statuses == [401, 200, 401, 401, 401, 400, 401, 401]
    assert "Traceback" not in chat.log


# Origin and Host


PATHS = ("/api/signin", "/api/link", "/api/signup", "/api/visitor", "/api/signout", "/api/files", "/api/downloads")


@pytest.mark.parametrize("origin", [FOREIGN, "null", "http://127.0.0.1:1", "http://127.0.0.1.evil.example", "x", "*"])
def test_pages_of_other_sites_may_nothing(chat: Chat, origin: str) -> None:
    _, token = chat.person("user", "Here")
    with chat.http(token) as http:
        for path in PATHS:
            for method in ("POST", "OPTIONS"):
                answer = http.request(method, path, headers={"Origin": origin}, json={} if method == "POST" else None)
                assert (answer.status_code, answer.json()["code"]) == (403, "origin"), (method, path)
                assert not [name for name in answer.headers if name.startswith("access-control")]
        assert http.get("/api/public", headers={"Origin": origin}).status_code == 403
    with pytest.raises(InvalidStatus) as caught, chat.bare_socket(Origin=origin):
        pass
    assert caught.value.response.status_code == 403


def test_a_site_that_was_named_gets_as_far_as_visitors_do(chat: Chat) -> None:
    _, token = chat.person("admin", "Root")
    with chat.socket(token) as root, chat.http() as http:
        root.ask("admin.settings.set", values={"origins": "https://shop.example"})
        fields = {"Origin": "https://shop.example"}
        answer = http.post("/api/visitor", json={}, headers=fields)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, fields["Origin"])
        assert "access-control-allow-credentials" not in answer.headers
        for path in ("/api/signin", "/api/link", "/api/signup"):
            assert http.post(path, json={}, headers=fields).status_code == 403
        assert (
            http.post("/api/visitor", json={}, headers={"Origin": "https://shop.example.evil.example"}).status_code
            == 403
        )
        root.ask("admin.settings.set", values={"origins": ""})
        assert http.post("/api/visitor", json={}, headers=fields).status_code == 403


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ("Host: evil.example\r\n", 200),
        ('Host: "><script>alert(1)</script>\r\n', 400),
        ("Host: a b\r\n", 400),
        ("Host: a\r\nHost: b\r\n", 400),
        ("", 400),
        ("Host: localhost\r\nX-Forwarded-Host: evil.example\r\nForwarded: host=evil.example\r\n", 200),
        ("Host: localhost\r\nX-Forwarded-For: 203.0.113.7\r\n", 200),
    ],
)
def test_the_name_that_a_request_is_sent_to_is_in_no_answer(chat: Chat, fields: str, status: int) -> None:
    with socket.create_connection(("127.0.0.1", chat.port), 20) as sock, sock.makefile("rb") as answer:
        sock.sendall(f"GET /desk HTTP/1.1\r\n{fields}Connection: close\r\n\r\n".encode())
        found = answer.read()
    assert found.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"evil.example" not in found
    # What is refused may be shown to whoever sent it, as text.
    assert (
        b"alert(1)" not in found
        or b"Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff" in found
    )


def test_a_page_that_says_it_is_its_own_by_a_false_name_is_what_it_says_and_has_no_token(chat: Chat) -> None:
    """DNS rebinding: the page's own name leads here. It gets in as a visitor, as anybody; tokens are in no cookie."""
    with chat.http() as http:
        fields = {"Host": "evil.example", "Origin": "http://evil.example"}
        assert http.post("/api/downloads", json={"files": []}, headers=fields).status_code == 401
        answer = http.post("/api/visitor", json={}, headers=fields)
        assert "set-cookie" not in answer.headers
