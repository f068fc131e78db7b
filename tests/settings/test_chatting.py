"""The options of the chat: their defaults serve, and each has its line of help in both languages."""

import pytest

from portico.settings import options_of
from portico.settings.chatting import Chat, Soak


@pytest.mark.parametrize("group", [Chat, Soak])
def test_every_option_is_explained_in_both_languages(group: type) -> None:
    for row in options_of(group):
        assert row.en, row.name
        assert row.zh, row.name
        assert row.en.isascii(), row.name
        assert not row.zh.isascii(), row.name


@pytest.mark.parametrize("group", [Chat, Soak])
def test_defaults_are_within_their_bounds(group: type) -> None:
    for row in options_of(group):
        if row.default is not None and row.low is not None and row.high is not None:
            assert row.low <= row.default <= row.high, row.name
