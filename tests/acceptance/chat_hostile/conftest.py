"""The chat that the tests of a module attack together."""

from collections.abc import Iterator

import pytest
from tests.acceptance.chat_hostile.hostile_stage import Chat


@pytest.fixture(scope="module")
def shared_chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chat]:
    """Serve a chat for a module; when it stops, its log is looked through."""
    with Chat(tmp_path_factory.mktemp("hostile") / "data") as chat:
        yield chat


@pytest.fixture
def chat(shared_chat: Chat) -> Iterator[Chat]:
    """Return the chat of the module; whatever a test has done to it, nothing has gone wrong in it."""
    yield shared_chat
    shared_chat.check()
