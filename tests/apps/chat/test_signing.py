"""Addresses of files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.apps.chat.events import Rejected
from portico.apps.chat.signing import LIFE_S, Signer

NOW_S = 1_800_000_000
SIGNER = Signer("a secret")
NUMBERS = st.integers(1, (1 << 49) - 1)


def read(address: str, now_s: int = NOW_S, signer: Signer = SIGNER) -> tuple[int, int]:
    path, _, query = address.partition("?")
    return signer.read(path, query, now_s)


@given(NUMBERS, NUMBERS)
def test_an_address_says_what_and_for_whom(file: int, person: int) -> None:
    assert read(SIGNER.sign(file, person, NOW_S)) == (file, person)


def test_an_address_is_good_for_minutes() -> None:
    address = SIGNER.sign(12, 3, NOW_S)
    assert read(address, NOW_S + LIFE_S - 1) == (12, 3)
    with pytest.raises(Rejected, match="too old") as caught:
        read(address, NOW_S + LIFE_S)
    assert caught.value.code == "forbidden"


ADDRESS = SIGNER.sign(12, 3, NOW_S)
KEY = ADDRESS.rpartition("=")[2]
END = NOW_S + LIFE_S
FORGED = {
    "another file": ADDRESS.replace("/12?", "/13?"),
    "another person": ADDRESS.replace("p=3", "p=1"),
    "another time": ADDRESS.replace(f"e={END}", f"e={END + 1}"),
    "another key": ADDRESS[:-1] + ("0" if ADDRESS[-1] != "0" else "1"),
    "half a key": ADDRESS[:-10],
    "no key": ADDRESS.partition("&k=")[0],
    "no query": "/files/12",
    "no file": "/files/?" + ADDRESS.partition("?")[2],
    "a name": "/files/../chat.db?" + ADDRESS.partition("?")[2],
    "digits that are none": ADDRESS.replace("/12?", "/1²?"),
    "very many digits": ADDRESS.replace("/12?", f"/{'1' * 5000}?"),
    "a sign": ADDRESS.replace("/12?", "/+12?"),
    "numbers that run together": f"/files/1?p=23&e={END}&k={KEY}",
    "very many fields": ADDRESS + "&a=1" * 50,
    "a key that is no ASCII": ADDRESS.replace(KEY, "%E4%BD%A0"),
}


@pytest.mark.parametrize("address", FORGED.values(), ids=FORGED)
def test_a_forged_address_is_refused(address: str) -> None:
    with pytest.raises(Rejected, match="no address of a file"):
        read(address)


def test_another_database_has_other_addresses() -> None:
    with pytest.raises(Rejected):
        read(ADDRESS, signer=Signer("another secret"))


def test_no_query_at_all() -> None:
    with pytest.raises(Rejected):
        SIGNER.read("/files/12", None, NOW_S)
