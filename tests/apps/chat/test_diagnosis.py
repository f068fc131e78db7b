"""What admins are told of the server, and what a bundle has."""

import json

from tests.apps.chat.asking import Asking, asked, refusal

from portico.apps.chat import diagnosis

CANARY = "canary4711"


def offer(house: Asking) -> None:
    """Have the house offer what is tested."""
    table = {**house.house.operations, **diagnosis.operations(house.folder)}
    house.house = house.house._replace(operations=table)


@asked
async def test_who_is_connected_and_how_far_behind(house: Asking) -> None:
    offer(house)
    root, li = await house.person("admin", "Root"), await house.person("user", "Li")
    c = (await li.ask("room.make", title="Hall"))["c"]
    await li.heard(lambda frame: frame["t"] == "sync" and frame["c"] == c)
    found = await root.ask("admin.connections")
    assert (found["count"], found["behind"], found["slow"]) == (2, 0, 0)
    li.wire.has_room = False
    for text in ("one", "two"):
        await li.send(c, text)
    found = await root.ask("admin.connections")
    first, other = found["connections"]
    assert (first["name"], first["kind"], first["via"]) == ("Li", "user", ["ws"])
    assert (first["slow"], first["behind"]) == (True, 2)
    assert (other["name"], other["slow"], other["behind"]) == ("Root", False, 0)
    assert (found["behind"], found["slow"]) == (1, 1)
    assert await refusal(li.ask("admin.connections")) == "forbidden"
    assert await refusal(li.ask("admin.bundle")) == "forbidden"


@asked
async def test_a_bundle_has_nobodys_name_text_or_address(house: Asking) -> None:
    offer(house)
    root = await house.person("admin", f"Root {CANARY}", login=CANARY)
    c = (await root.ask("room.make", title=CANARY))["c"]
    await root.send(c, CANARY)
    await root.ask("admin.settings.set", values={"title": CANARY, "origins": f"https://{CANARY}.example"})
    bundle = (await root.ask("admin.bundle"))["bundle"]
    assert CANARY not in json.dumps(bundle)
    assert bundle["counts"]["people"] == {"admin": 1}
    assert bundle["counts"]["conversations"] == {"room": 1}
    assert bundle["settings"]["max_file_mib"] == 25
    assert {"good"} <= {one["level"] for one in bundle["findings"]}
    assert bundle["connections"][0]["person"] == root.id
    assert (await root.ask("admin.audit"))["acts"][0]["act"] == "bundle.make"
