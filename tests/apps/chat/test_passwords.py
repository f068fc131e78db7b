import asyncio

import pytest

from portico.apps.chat import passwords
from portico.apps.chat.events import Rejected
from portico.apps.chat.passwords import MAX_PASSWORD, check_password, hash_password, is_password


def test_a_password_fits_its_own_hash_and_no_other() -> None:
    async def play() -> None:
        first, second = await hash_password("打印机的密码是秘密"), await hash_password("打印机的密码是秘密")
        assert first != second
        assert await is_password(first, "打印机的密码是秘密")
        assert await is_password(second, "打印机的密码是秘密")
        assert not await is_password(first, "打印机的密码是秘密 ")
        assert not await is_password(first, "")

    asyncio.run(play())


def test_a_keyboard_that_writes_accents_apart_writes_the_same_password() -> None:
    async def play() -> None:
        assert await is_password(await hash_password("cafe\u0301 noir"), "caf\u00e9 noir")

    asyncio.run(play())


@pytest.mark.parametrize("stored", ["", "plain text", "$argon2id$v=19$broken", "$2b$12$abcdefghijklmnopqrstuv"])
def test_nothing_fits_what_is_no_hash(stored: str) -> None:
    for password in ("", "plain text", "x" * MAX_PASSWORD, "x" * (MAX_PASSWORD + 1), "\ud800 half a pair"):
        assert not asyncio.run(is_password(stored, password))


def test_looking_for_nobody_costs_what_looking_for_somebody_costs() -> None:
    """The hash that stands in is a real one, with the parameters of today."""
    assert not passwords._HASHER.check_needs_rehash(passwords._NOBODYS)
    assert asyncio.run(is_password(passwords._NOBODYS, "anything")) is False


@pytest.mark.parametrize("password", ["", "1234567", "x" * (MAX_PASSWORD + 1)])
def test_too_short_and_too_long(password: str) -> None:
    with pytest.raises(Rejected, match="8 to 200"):
        check_password(password)
    with pytest.raises(Rejected, match="8 to 200"):
        asyncio.run(hash_password(password))


def test_the_bounds_are_allowed() -> None:
    assert check_password("12345678") == "12345678"
    assert check_password("x" * MAX_PASSWORD)
