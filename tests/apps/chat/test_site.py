"""The chat on the web, as browsers and programs see it."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
import websockets
from tests.apps.chat.web_stage import WebStage, acted, hear, hello

from portico.apps.chat import audit
from portico.apps.chat.events import Rejected
from portico.apps.chat.session import Me
from portico.apps.chat.signing import LIFE_S
from portico.apps.chat.site import MAX_JSON, Services, Sign
from portico.apps.chat.websocket import SUBPROTOCOL
from portico.http.message import Response
from portico.server.exchange import Exchange

SHOP = "https://shop.example"


async def allow(stage: WebStage, origins: str) -> None:
    await stage.store.write(lambda change: audit.set_setting(change, 1, "origins", origins))


# Pages


@acted()
async def test_a_page(stage: WebStage) -> None:
    answer = await stage.http.get("/page/chat.js")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    again = await stage.http.get("/page/chat.js", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = await stage.http.head("/page/chat.js")
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
@acted()
async def test_a_page_is_read(stage: WebStage, method: str) -> None:
    answer = await stage.http.request(method, "/page/chat.js")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


OUTSIDE = [
    "/page/",
    "/page/../site.py",
    "/page/..%2fsite.py",
    "/page/%2e%2e/site.py",
    "/page/..\\site.py",
    "/page//chat.js",
    "/page/./chat.js",
    "/page/chat.js/",
    "/page/chat.js%00.png",
    "/page/chat%2ejs",
    "/page//etc/passwd",
    "/page/__pycache__",
    "/chat.db",
    "/api",
    "/api/",
    "/api/nothing",
    "/ws/",
    "/files",
]


@pytest.mark.parametrize("path", OUTSIDE)
@acted()
async def test_what_is_not_in_the_table_is_not_there(stage: WebStage, path: str) -> None:
    # As it is written: programs that know HTTP resolve the dots before they ask.
    host, _, port = stage.place.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert b"import" not in answer


@acted()
async def test_the_visitors_page_is_framed_by_those_who_are_named(stage: WebStage) -> None:
    async def ancestors(path: str) -> str:
        policy = str((await stage.http.get(path)).headers["content-security-policy"])
        return policy.rpartition("frame-ancestors ")[2]

    assert await ancestors("/widget") == "'self'"
    kept = json.dumps(f"{SHOP} nonsense")  # as older versions let one set it
    await stage.store.write(lambda change: change.db.execute("INSERT INTO setting VALUES ('origins', ?)", (kept,)))
    assert await ancestors("/widget") == f"'self' {SHOP}"
    assert await ancestors("/page/visitor.html") == f"'self' {SHOP}"
    assert await ancestors("/") == "'none'"
    assert await ancestors("/desk") == "'none'"


# Coming in


@acted()
async def test_what_is_told_to_everybody(stage: WebStage) -> None:
    found = (await stage.http.get("/api/public")).json()
    assert found["title"] == "Portico"
    assert found["languages"] == ["en", "zh"]
    assert (found["signup"], found["files"], found["max_text"]) == (False, False, 8192)
    assert "origins" not in found
    assert "open" not in found


@acted(is_open=False)
async def test_what_an_admin_has_set_is_told(stage: WebStage) -> None:
    async def tell_desk(queue: int | None) -> dict[str, Any]:
        return {"open": False, "greeting": f"queue {queue}"}

    stage.services = Services(tell_desk=tell_desk)
    stage.sign = Sign("Ours")
    await stage.open()
    found = (await stage.http.get("/api/public")).json()
    assert (found["title"], found["open"], found["greeting"]) == ("Ours", False, "queue None")
    assert (await stage.http.get("/api/public?a=b&queue=2")).json()["greeting"] == "queue 2"
    for wrong in ("", "two", "-1", "1234567890"):
        refused = await stage.http.get("/api/public", params={"queue": wrong})
        assert (refused.status_code, refused.json()["code"]) == (404, "no_queue")
    await stage.store.write(lambda change: audit.set_setting(change, 1, "title", "三班"))
    await stage.store.write(lambda change: audit.set_setting(change, 1, "signup", True))
    found = (await stage.http.get("/api/public")).json()
    assert (found["title"], found["signup"]) == ("三班", True)


@acted()
async def test_from_a_sign_up_to_a_sign_out(stage: WebStage) -> None:
    body = {"login": "li", "password": "correct horse", "name": "李雷"}
    assert (await stage.post("/api/signup", body)).json()["code"] == "not_offered"
    await stage.store.write(lambda change: audit.set_setting(change, 1, "signup", True))
    made = (await stage.post("/api/signup", body)).json()
    answer = await stage.post("/api/signin", body, User_Agent="Firefox/140")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    token = answer.json()["token"]
    async with stage.socket() as client:
        await client.send(hello(token))
        assert (await hear(client))[0]["me"] == made["me"]["id"]
    assert (await stage.post("/api/signout", {}, token=token)).json() == {}
    again = await stage.post("/api/signout", {}, token=token)
    assert (again.status_code, again.json()["code"]) == (401, "auth")


@acted()
async def test_a_link_and_a_visitor(stage: WebStage) -> None:
    assert (await stage.post("/api/link", {"token": "forged"})).status_code == 401
    answer = await stage.post("/api/visitor", {"lang": "zh"})
    assert answer.json()["me"]["kind"] == "visitor"


@acted(is_open=False)
async def test_what_comes_too_often_is_told_when_to_come_again(stage: WebStage) -> None:
    stage.gate_may = lambda who, what: 2.5 if what in ("visitor", "connect") else 0.0
    await stage.open()
    answer = await stage.post("/api/visitor", {})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
    assert answer.json() == {"code": "rate", "why": "too many attempts; wait a little", "retry": 2.5}
    with pytest.raises(websockets.InvalidStatus) as caught:
        async with stage.socket():
            pass
    assert caught.value.response.status_code == 429


@acted()
async def test_a_blocked_address_gets_nothing(stage: WebStage) -> None:
    stage.limits.keep_out("address", "127.0.0.0/8", None)
    assert (await stage.post("/api/visitor", {})).status_code == 403
    with pytest.raises(websockets.InvalidStatus) as caught:
        async with stage.socket():
            pass
    assert caught.value.response.status_code == 403


# What is no JSON

JSON = {"Content-Type": "application/json"}
BODIES: list[tuple[str, Mapping[str, str], bytes, int, str]] = [
    ("a form", {"Content-Type": "application/x-www-form-urlencoded"}, b"login=li", 415, "bad_type"),
    ("text, as a page of any site may send", {"Content-Type": "text/plain"}, b"{}", 415, "bad_type"),
    ("no type", {}, b"{}", 415, "bad_type"),
    ("nothing", JSON, b"", 400, "proto"),
    ("no JSON", JSON, b"{login}", 400, "proto"),
    ("no object", JSON, b"[]", 400, "proto"),
    ("no UTF-8", JSON, b'{"login":"\xff"}', 400, "proto"),
    ("half of a character", JSON, b'{"login":"\\ud800","password":"x"}', 400, "proto"),
    ("a deep one", JSON, b"[" * 10_000, 400, "proto"),
    ("a long one", JSON, b" " * (MAX_JSON + 1), 413, "too_big"),
    ("SQL", JSON, b'{"login":"\' OR 1=1 --","password":"x"}', 401, "auth"),
    ("a parameter of the type", {"Content-Type": "application/json; charset=utf-8"}, b"{}", 400, "proto"),
]


@pytest.mark.parametrize(("fields", "body", "status", "code"), [c[1:] for c in BODIES], ids=[c[0] for c in BODIES])
@acted()
async def test_a_body_that_is_refused(
    stage: WebStage, fields: Mapping[str, str], body: bytes, status: int, code: str
) -> None:
    answer = await stage.http.post("/api/signin", content=body, headers=fields)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@acted()
async def test_a_body_in_many_pieces_is_bounded_too(stage: WebStage) -> None:
    async def pieces() -> Any:
        for _ in range(MAX_JSON // 1024 + 1):
            yield b" " * 1024

    answer = await stage.http.post("/api/signin", content=pieces(), headers=JSON)
    assert answer.status_code == 413


@acted()
async def test_the_api_is_asked_as_it_says(stage: WebStage) -> None:
    answer = await stage.http.get("/api/signin")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


# Pages of other sites


@acted()
async def test_a_page_of_a_site_that_nobody_named_gets_nothing(stage: WebStage) -> None:
    for path in ("/api/visitor", "/api/signin"):
        answer = await stage.post(path, {}, Origin="https://evil.example")
        assert (answer.status_code, answer.json()["code"]) == (403, "origin")
        assert "access-control-allow-origin" not in answer.headers
    for origin in ("https://evil.example", "null"):
        with pytest.raises(websockets.InvalidStatus) as caught:
            async with stage.socket(origin=origin):
                pass
        assert caught.value.response.status_code == 403


@acted()
async def test_a_page_of_ours(stage: WebStage) -> None:
    own = f"http://{stage.place}"
    answer = await stage.post("/api/visitor", {}, Origin=own)
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers
    async with stage.socket(origin=own) as client:
        assert client.subprotocol == SUBPROTOCOL


@acted()
async def test_a_page_of_a_named_site_gets_as_far_as_visitors_do(stage: WebStage) -> None:
    await allow(stage, SHOP)
    asks = {"Origin": SHOP, "Access-Control-Request-Method": "POST"}
    before = await stage.http.options("/api/visitor", headers=asks)
    assert before.status_code == 204
    assert before.headers["access-control-allow-origin"] == SHOP
    assert before.headers["access-control-allow-headers"] == "authorization, content-type"
    answer = await stage.post("/api/visitor", {}, Origin=SHOP)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, SHOP)
    assert "access-control-allow-credentials" not in answer.headers
    async with stage.socket(origin=SHOP) as client:
        await client.send(hello(answer.json()["token"]))
        assert (await hear(client))[0]["t"] == "welcome"
    refused = await stage.post("/api/visitor", {"name": 1}, Origin=SHOP)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (400, SHOP)
    for path in ("/api/signin", "/api/link", "/api/signup"):
        answer = await stage.post(path, {}, Origin=SHOP)
        assert (answer.status_code, answer.json()["code"]) == (403, "origin")
        assert "access-control-allow-origin" not in answer.headers
    await allow(stage, "")
    assert (await stage.post("/api/visitor", {}, Origin=SHOP)).status_code == 403


# The handshake


@acted()
async def test_another_subprotocol_is_not_spoken(stage: WebStage) -> None:
    with pytest.raises(websockets.InvalidStatus) as caught:
        async with stage.socket(subprotocol="portico.chat.v2"):
            pass
    assert caught.value.response.status_code == 400


@acted()
async def test_what_is_no_handshake(stage: WebStage) -> None:
    answer = await stage.http.get("/ws")
    assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")


# Files


async def receive(exchange: Exchange, me: Me) -> Mapping[str, Any]:
    size = 0
    while piece := await exchange.read():
        size += len(piece)
    return {"id": 12, "size": size, "by": me.person}


async def give(exchange: Exchange, person: int, file: int) -> Response:
    if file != 12:
        raise Rejected("no_file", "there is no such file for you")
    return Response(200, [("Content-Type", "text/plain")], f"file {file} for {person}".encode())


@acted(is_open=False)
async def test_a_file_goes_up_and_comes_down(stage: WebStage) -> None:
    stage.services = Services(receive, give)
    await stage.open()
    person = await stage.person()
    token = await stage.device(person)
    bearer = {"Authorization": f"Bearer {token}"}
    assert (await stage.http.get("/api/public")).json()["files"] is True
    answer = await stage.http.post("/api/files?name=a.txt", content=b"x" * 100_000, headers=bearer)
    assert answer.json() == {"id": 12, "size": 100_000, "by": person}
    links = (await stage.post("/api/downloads", {"files": [12, 13]}, token=token)).json()["links"]
    assert (await stage.http.get(links["12"])).text == f"file 12 for {person}"
    assert (await stage.http.get(links["13"])).status_code == 404
    assert token not in links["12"]
    stage.now_ms += LIFE_S * 1000
    assert (await stage.http.get(links["12"])).status_code == 403


@pytest.mark.parametrize("fields", [{}, {"Authorization": "Basic bGk6bGk="}, {"Authorization": "Bearer forged"}])
@acted(is_open=False)
async def test_files_are_for_those_who_are_known(stage: WebStage, fields: dict[str, str]) -> None:
    stage.services = Services(receive, give)
    await stage.open()
    for path in ("/api/files", "/api/downloads"):
        answer = await stage.http.post(path, content=b"{}", headers={**JSON, **fields})
        assert (answer.status_code, answer.json()["code"]) == (401, "auth")
    assert (await stage.http.get("/files/12?p=1&e=9999999999&k=00")).status_code == 403


@pytest.mark.parametrize("files", [None, "12", {"12": 1}, [0], [True], [1.0], ["1"], [1 << 53], list(range(1, 202))])
@acted()
async def test_what_cannot_be_signed(stage: WebStage, files: object) -> None:
    token = await stage.device(await stage.person())
    answer = await stage.post("/api/downloads", {"files": files}, token=token)
    assert (answer.status_code, answer.json()["code"]) == (400, "proto")


@acted()
async def test_where_there_are_no_files(stage: WebStage) -> None:
    token = await stage.device(await stage.person())
    for answer in (await stage.post("/api/files", {}, token=token), await stage.http.get("/files/12")):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_offered")


@acted()
async def test_a_title_with_markup_is_text(stage: WebStage) -> None:
    await stage.store.write(lambda change: audit.set_setting(change, 1, "title", "<script>"))
    answer = await stage.http.get("/api/public")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert json.loads(answer.content)["title"] == "<script>"
