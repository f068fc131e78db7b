import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.apps.chat.asking import Asking, asked, refusal
from tests.apps.chat.web_stage import WebStage, acted

from portico.apps.chat.events import Entry, dump
from portico.apps.chat.files import MAX_NAME, ORPHAN_MS, Files, clean_name, find, may_have, sniff, unused
from portico.apps.chat.log import put
from portico.apps.chat.rooms import direct
from portico.apps.chat.site import Services

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


# Names and types


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\li\\图片.png", "图片.png"),
        ("a\x00b\x1b[2J.txt", "a_b_[2J.txt"),
        ("..", "file"),
        ("", "file"),
        (".htaccess", "htaccess"),
        ("invoice\u202efdp.exe", "invoice_fdp.exe"),
        ('a"b<c>.txt', "a_b_c_.txt"),
        ("x" * 300 + ".tar.gz", "x" * (MAX_NAME - 3) + ".gz"),
        ("x" * 300, "x" * MAX_NAME),
        ("name. ", "name"),
        ("e\u0301.txt", "\u00e9.txt"),
    ],
)
def test_names_are_made_harmless(name: str, found: str) -> None:
    assert clean_name(name) == found


@given(st.text(max_size=400))
def test_no_name_is_a_path_or_has_controls(name: str) -> None:
    found = clean_name(name)
    assert 0 < len(found) <= MAX_NAME
    assert found.isprintable()
    assert not set(found) & set('/\\:*?"<>|')
    assert found not in (".", "..")
    assert clean_name(found) == found


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a...", "image/gif"),
        (b"RIFF1234WEBPVP8 ", "image/webp"),
        (b"%PDF-1.7", "application/pdf"),
        (b"PK\x03\x04", "application/zip"),
        ("你好".encode(), "text/plain; charset=utf-8"),
        ("好".encode() * 170 + b"\xe5\xa5", "text/plain; charset=utf-8"),
        (b"<script>alert(1)</script>", "text/plain; charset=utf-8"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "text/plain; charset=utf-8"),
        ("你好，世界，打印机".encode("gb18030"), "application/octet-stream"),
        (b"MZ\x90\x00", "application/octet-stream"),
        (b"\x00\x01", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_what_a_file_is_its_bytes_tell(head: bytes, found: str) -> None:
    assert sniff(head) == found


# Who may have what


async def upload_row(house: Asking, person: int, digest: str = "d" * 64) -> int:
    """Make a file without bytes."""
    await house.write(
        "INSERT INTO file (digest, name, type, size, uploader, made_ms) VALUES (?, 'a.txt', 'text/plain', 3, ?, ?)",
        digest,
        person,
        house.now_ms,
    )
    return int((await house.rows("SELECT max(id) FROM file"))[0][0])


async def has(house: Asking, person: int, file: int) -> bool:
    found = await house.store.read(lambda db: find(db, file))
    return found is not None and await house.store.read(lambda db: may_have(db, person, found))


@asked
async def test_a_file_is_for_those_who_can_read_a_message_with_it(house: Asking) -> None:
    li, wang, zhao = [await house.person("user", name) for name in ("Li", "Wang", "Zhao")]
    file = await upload_row(house, li.id)
    assert [await has(house, one.id, file) for one in (li, wang)] == [True, False]
    talk = (await li.ask("direct", person=wang.id))["c"]
    seq = await li.send(talk, "", files=[file])
    assert [await has(house, one.id, file) for one in (li, wang, zhao)] == [True, True, False]
    assert (await wang.ask("files.get", ids=[file, 99]))["files"] == {
        str(file): {"name": "a.txt", "type": "text/plain", "size": 3}
    }
    assert (await zhao.ask("files.get", ids=[file]))["files"] == {}
    await li.send(talk, "", kind="del", ref=seq)
    assert [await has(house, one.id, file) for one in (li, wang)] == [True, False]


@asked
async def test_who_writes_anothers_file_into_a_message_gains_nothing(house: Asking) -> None:
    li, thief, friend = [await house.person("user", name) for name in ("Li", "Thief", "Friend")]
    file = await upload_row(house, li.id)
    talk = (await thief.ask("direct", person=friend.id))["c"]
    await thief.send(talk, "look", files=[file, 2, 3])
    assert [await has(house, one.id, file) for one in (thief, friend)] == [False, False]


@asked
async def test_who_has_left_keeps_what_was_said_until_then(house: Asking) -> None:
    li, wang = await house.person("user", "Li"), await house.person("user", "Wang")
    room = (await li.ask("room.make", title="Hall", public=True))["c"]
    await wang.ask("room.join", c=room)
    before, behind = await upload_row(house, li.id), await upload_row(house, li.id)
    await li.send(room, "", files=[before])
    await wang.ask("room.leave", c=room)
    await li.send(room, "", files=[behind])
    assert [await has(house, wang.id, one) for one in (before, behind)] == [True, False]


# Uploads and downloads, over HTTP


class Stored:
    """A stage with files: an uploader and a friend who talk with each other."""

    def __init__(self, stage: WebStage) -> None:
        self.stage = stage
        stage.services = Services(
            receive=lambda exchange, me: self.files.receive(exchange, me),
            give=lambda exchange, person, file: self.files.give(exchange, person, file),
        )

    async def open(self) -> "Stored":
        stage = self.stage
        await stage.open()
        self.files = Files(stage.store, stage.folder, stage.limits)
        self.li, self.wang = await stage.person("user", "Li"), await stage.person("user", "Wang")
        self.token, self.others = await stage.device(self.li), await stage.device(self.wang)
        self.talk = await stage.store.write(lambda change: direct(change, self.li, self.wang))
        return self

    async def upload(self, content: Any, name: str = "a.txt", **fields: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"} | fields
        return await self.stage.http.post("/api/files", params={"name": name}, content=content, headers=headers)

    async def say(self, file: int) -> None:
        """Put a file into a message."""
        entry = Entry(self.talk, self.li, "msg", dump({"text": "", "files": [file]}))
        await self.stage.store.write(lambda change: put(change, entry))

    async def download(self, file: int, token: str) -> httpx.Response:
        answer = await self.stage.post("/api/downloads", {"files": [file]}, token=token)
        return await self.stage.http.get(answer.json()["links"][str(file)])

    def on_disk(self) -> list[Path]:
        return [path for path in (self.stage.folder / "files").rglob("*") if path.is_file()]


def stored(play: Callable[[Stored], Coroutine[Any, Any, None]]) -> Any:
    """Make a test of a coroutine function that is given a stage with files."""

    async def whole(stage: WebStage) -> None:
        await play(await Stored(stage).open())

    whole.__name__ = play.__name__
    return acted(is_open=False)(whole)


@stored
async def test_a_picture_goes_to_the_other_and_is_shown(house: Stored) -> None:
    answer = await house.upload(PNG, "../猫.png")
    assert answer.json() == {"id": 1, "name": "猫.png", "type": "image/png", "size": len(PNG)}
    assert (await house.download(1, house.others)).status_code == 404
    await house.say(1)
    got = await house.download(1, house.others)
    assert got.content == PNG
    assert got.headers["content-type"] == "image/png"
    assert got.headers["content-length"] == str(len(PNG))
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert got.headers["content-disposition"] == "inline; filename=\"_.png\"; filename*=UTF-8''%E7%8C%AB.png"


@stored
async def test_markup_is_for_saving_whatever_its_sender_says(house: Stored) -> None:
    page = b"<html><script>alert(1)</script>"
    assert (
        (await house.upload(page, "cat.png", **{"Content-Type": "image/png"})).json()["type"].startswith("text/plain")
    )
    got = await house.download(1, house.token)
    assert got.headers["content-disposition"].startswith('attachment; filename="cat.png"')
    assert got.headers["content-type"] == "text/plain; charset=utf-8"


@stored
async def test_a_large_file_in_pieces_is_stored_once(house: Stored) -> None:

    async def pieces() -> Any:
        for number in range(40):
            yield bytes([number]) * 65_536

    for number in (1, 2):
        answer = await house.upload(pieces(), "big.bin")
        assert answer.json() == {
            "id": number,
            "name": "big.bin",
            "type": "application/octet-stream",
            "size": 40 * 65_536,
        }
    (path,) = house.on_disk()
    assert path.read_bytes() == b"".join(bytes([number]) * 65_536 for number in range(40))
    assert path.name[:2] == path.parent.name
    assert (await house.download(2, house.token)).content == path.read_bytes()


@stored
async def test_too_large_and_empty(house: Stored) -> None:
    await house.stage.write("INSERT INTO setting (key, value) VALUES ('max_file_mib', '1')")

    async def pieces() -> Any:
        for _ in range(20):
            yield bytes(65_536)

    for content, refused in ((b"", (400, "empty")), (pieces(), (413, "too_big")), (bytes(1_048_577), (413, "too_big"))):
        answer = await house.upload(content)
        assert (answer.status_code, answer.json()["code"]) == refused
    assert house.on_disk() == []


@stored
async def test_a_sender_who_goes_leaves_nothing(house: Stored) -> None:
    _, writer = await asyncio.open_connection(*house.stage.place.split(":"))
    head = f"POST /api/files?name=a HTTP/1.1\r\nHost: {house.stage.place}\r\nAuthorization: Bearer {house.token}\r\n"
    writer.write(f"{head}Content-Length: 1000\r\n\r\nhalf".encode())
    await house.stage.until(house.on_disk)
    writer.close()
    await house.stage.until(lambda: not house.on_disk())


@stored
async def test_a_flood_of_uploads_waits(house: Stored) -> None:
    answers = [(await house.upload(b"x")).status_code for _ in range(21)]
    assert answers == [200] * 20 + [429]


@stored
async def test_a_file_that_went_from_the_disk(house: Stored) -> None:
    await house.upload(b"abc")
    (path,) = house.on_disk()
    path.unlink()
    got = await house.download(1, house.token)
    assert (got.status_code, got.json()["code"]) == (404, "no_file")


@stored
async def test_a_closed_account_downloads_nothing(house: Stored) -> None:
    await house.upload(b"abc")
    link = (await house.stage.post("/api/downloads", {"files": [1]}, token=house.token)).json()["links"]["1"]
    assert (await house.stage.http.get(link)).status_code == 200
    await house.stage.write("UPDATE person SET is_disabled = 1 WHERE id = ?", house.li)
    assert (await house.stage.http.get(link)).status_code == 404


@stored
async def test_a_folder_that_takes_nothing(house: Stored) -> None:
    (house.stage.folder / "files").write_text("a file where a folder should be")
    answer = await house.upload(b"abc")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


@stored
async def test_a_name_in_too_many_fields(house: Stored) -> None:
    answer = await house.stage.http.post(
        "/api/files?name=a&name=b&x=1&y=2&z=3", content=b"x", headers={"Authorization": f"Bearer {house.token}"}
    )
    assert answer.json()["name"] == "file"


# Sweeping


@stored
async def test_what_is_in_no_message_goes_after_a_day(house: Stored) -> None:
    for content in (b"said", b"unsaid", b"said"):
        await house.upload(content)
    await house.say(1)
    house.stage.now_ms += ORPHAN_MS
    assert await house.files.sweep() == 0
    house.stage.now_ms += 1
    assert await house.files.sweep() == 1
    (path,) = house.on_disk()
    assert path.read_bytes() == b"said"
    assert await house.files.sweep() == 0


@asked
async def test_a_file_that_somebody_else_has_as_well_stays(house: Asking) -> None:
    li = await house.person()
    file = await upload_row(house, li.id)
    place = house.folder / "files" / "dd" / ("d" * 64)
    place.parent.mkdir(parents=True)
    place.write_bytes(b"abc")
    await house.files.remove(["d" * 64])
    assert place.exists()
    await house.write("DELETE FROM file WHERE id = ?", file)
    assert await house.store.read(lambda db: unused(db, {"d" * 64})) == ["d" * 64]
    await house.files.remove(["d" * 64])
    assert not place.exists()


@asked
async def test_there_is_no_such_file(house: Asking) -> None:
    assert await house.store.read(lambda db: find(db, 7)) is None
    li = await house.person()
    assert await refusal(li.ask("files.get", ids="1")) == "proto"
