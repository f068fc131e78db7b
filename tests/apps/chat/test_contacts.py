import pytest
from tests.apps.chat.asking import Asking, asked, refusal

from portico.apps.chat.contacts import MAX_CONTACTS, check_address
from portico.apps.chat.events import Rejected


@asked
async def test_a_book_of_ones_own(house: Asking) -> None:
    li, wang = await house.person("user", "Li"), await house.person("user", "Wang")
    await li.ask("contacts.add", name="金老板", address="udp://192.168.1.8:8081")
    await li.ask("contacts.add", name="Wang", person=wang.id)
    assert (await li.ask("contacts.list"))["contacts"] == [
        {"name": "Wang", "person": wang.id},
        {"name": "金老板", "address": "udp://192.168.1.8:8081"},
    ]
    assert (await wang.ask("contacts.list"))["contacts"] == []
    await li.ask("contacts.add", name=" 金老板 ", person=wang.id)
    await li.ask("contacts.remove", name="Wang")
    assert (await li.ask("contacts.list"))["contacts"] == [{"name": "金老板", "person": wang.id}]
    assert await refusal(li.ask("contacts.remove", name="Wang")) == "no_contact"
    assert await refusal(wang.ask("contacts.remove", name="金老板")) == "no_contact"


@asked
async def test_mistakes(house: Asking) -> None:
    li, guest = await house.person(), await house.person("visitor")
    assert await refusal(li.ask("contacts.add", name="A")) == "proto"
    assert await refusal(li.ask("contacts.add", name="A", person=1, address="tcp://a:1")) == "proto"
    assert await refusal(li.ask("contacts.add", name="A", person=99)) == "no_person"
    assert await refusal(li.ask("contacts.add", name="\x1b[2J", person=1)) == "bad_name"
    assert await refusal(guest.ask("contacts.list")) == "forbidden"


@asked
async def test_a_book_has_an_end(house: Asking) -> None:
    li = await house.person()
    for number in range(MAX_CONTACTS):
        await house.write("INSERT INTO contact (owner, name, person) VALUES (?, ?, ?)", li.id, f"n{number}", li.id)
    assert await refusal(li.ask("contacts.add", name="one more", person=li.id)) == "full"
    await li.ask("contacts.add", name="n7", address="tcp://10.0.0.1:80")


@pytest.mark.parametrize(
    "address", ["udp://192.168.1.8:8081", "tcp://[::1]:23", "ws://shop.example/ws", "https://shop.example:8443/"]
)
def test_addresses(address: str) -> None:
    assert check_address(address) == address


@pytest.mark.parametrize(
    "address",
    ["", "192.168.1.8:8081", "udp://192.168.1.8", "javascript:alert(1)", "javascript://x", "file:///etc/passwd",
     "http://", "udp://a b:1", "tcp://h:99999", "ws://a b/"],
)  # fmt: skip
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(Rejected) as caught:
        check_address(address)
    assert caught.value.code == "bad_address"
