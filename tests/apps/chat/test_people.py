"""People, and the devices they are known by."""

import pytest
from tests.apps.chat.ledger import Ledger

from portico.apps.chat import people
from portico.apps.chat.events import Rejected


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def code_of(caught: "pytest.ExceptionInfo[Rejected]") -> str:
    return caught.value.code


def test_a_person_is_known_by_the_token_of_a_device(ledger: Ledger) -> None:
    number = ledger.person("Ann")
    token = people.add_device(ledger.change, number, "phone")
    known = people.recognise(ledger.db, token, 2_000)
    assert (known.person.id, known.person.name, known.person.login, known.person.kind) == (number, "Ann", "ann", "user")
    assert token not in "".join(map(str, ledger.db.execute("SELECT * FROM device").fetchall()))
    assert people.add_device(ledger.change, number, "other") != token


@pytest.mark.parametrize("end", ["revoked", "over", "disabled", "forged"])
def test_a_token_ends(ledger: Ledger, end: str) -> None:
    number = ledger.person("ann")
    token = people.add_device(ledger.change, number, "phone", ends_ms=5_000)
    device = people.recognise(ledger.db, token, 4_999).device
    if end == "revoked":
        assert people.revoke(ledger.change, number, device)
        assert not people.revoke(ledger.change, number, device)
    elif end == "disabled":
        ledger.db.execute("UPDATE person SET is_disabled = 1")
    with pytest.raises(Rejected) as caught:
        people.recognise(ledger.db, "forged" if end == "forged" else token, 5_000 if end == "over" else 4_000)
    assert code_of(caught) == "auth"


def test_nobody_revokes_somebody_elses_device(ledger: Ledger) -> None:
    one, other = ledger.person("a"), ledger.person("b")
    device = people.recognise(ledger.db, people.add_device(ledger.change, one, "x"), 0).device
    assert not people.revoke(ledger.change, other, device)


def test_a_login_is_one_persons(ledger: Ledger) -> None:
    people.add_person(ledger.change, "user", "Ann", login="Ann@Office", password="hash")
    with pytest.raises(Rejected) as caught:
        people.add_person(ledger.change, "user", "Bob", login="ann@office")
    assert code_of(caught) == "taken"
    found = people.person_by_login(ledger.db, " ANN@office ")
    assert found is not None
    assert (found[0].name, found[1]) == ("Ann", "hash")
    assert people.person_by_login(ledger.db, "nobody") is None
    assert people.add_person(ledger.change, "visitor", "Guest") != people.add_person(ledger.change, "visitor", "Guest")


@pytest.mark.parametrize("name", ["", "  ", "x" * 41, "a\x1b[1m", "a\u202eb"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(Rejected) as caught:
        people.check_name(name)
    assert code_of(caught) == "bad_name"


@pytest.mark.parametrize("login", ["", "a b", "x" * 41, "a/b", "a\0"])
def test_logins_that_are_none(login: str) -> None:
    with pytest.raises(Rejected) as caught:
        people.check_login(login)
    assert code_of(caught) == "bad_login"


def test_names_are_tidied_and_languages_noted(ledger: Ledger) -> None:
    assert people.check_name("  金   老板 ") == "金 老板"
    number = ledger.person("a")
    people.set_language(ledger.change, number, "zh")
    assert people.person(ledger.db, number).language == "zh"
    with pytest.raises(Rejected) as caught:
        people.person(ledger.db, 99)
    assert code_of(caught) == "no_person"
