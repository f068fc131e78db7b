import sqlite3
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.apps.chat.asking import Asking, asked

from portico.apps.chat import audit
from portico.apps.chat.events import Rejected
from portico.apps.chat.log import Change


@asked
async def test_the_oldest_acts_go_where_there_are_very_many(house: Asking) -> None:
    await house.write("INSERT INTO audit (id, at_ms, actor, act, target, detail) VALUES (1, 1, 1, 'old', '', '')")
    await house.write("INSERT INTO audit (id, at_ms, actor, act, target, detail) VALUES (100000, 1, 1, 'new', '', '')")
    await house.store.write(lambda change: audit.note(change, 1, "newest"))
    assert [row.act for row in await house.store.read(audit.acts)] == ["newest", "new"]


@asked
async def test_an_act_is_noted_with_what_it_is_part_of_or_not_at_all(house: Asking) -> None:
    def fail(change: Change) -> None:
        audit.note(change, 1, "never")
        raise Rejected("forbidden", "no")

    try:
        await house.store.write(fail)
    except Rejected:
        pass
    assert await house.store.read(audit.acts) == []


def test_every_setting_has_a_default_that_can_be_set() -> None:
    for key, row in audit.SETTINGS.items():
        assert isinstance(row.default, (str, bool, int)), key
        if type(row.default) is int:
            assert row.least <= row.default <= row.most


@given(st.sampled_from(sorted(audit.SETTINGS)), st.one_of(st.booleans(), st.integers(), st.text(), st.none()))
def test_a_setting_is_stored_or_refused(key: str, value: object) -> None:
    db = sqlite3.connect(":memory:")
    db.executescript(
        "CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT);"
        "CREATE TABLE audit (id INTEGER PRIMARY KEY, at_ms, actor, act, target, detail);"
    )
    try:
        audit.set_setting(Change(db, 1, []), 1, key, value)
        is_set = True
    except Rejected:
        is_set = False
    found = audit.settings(db)[key]
    db.close()
    assert found == (value if is_set else audit.SETTINGS[key].default)
    assert type(found) is type(audit.SETTINGS[key].default)


@asked
async def test_other_sites_are_origins_or_refused(house: Asking) -> None:
    def allow(value: str) -> Callable[[Change], None]:
        return lambda change: audit.set_setting(change, 1, "origins", value)

    for good in ("", "*", "https://shop.example", "https://shop.example http://localhost:8080"):
        await house.store.write(allow(good))
        assert (await house.store.read(audit.settings))["origins"] == good
    for bad in ("shop.example", "https://shop.example/page", "https://a.example, https://b.example", "null"):
        with pytest.raises(Rejected, match="is no origin; write https://HOST") as caught:
            await house.store.write(allow(bad))
        assert caught.value.code == "bad_setting"
