"""The queue: order, choice, places, estimates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.apps.chat.queue import Agent, Offer, Waiting, estimate_s, in_order, positions, route


def wait(number: int, *, at: int = 0, queue: int = 1, first: bool = False, previous: int | None = None) -> Waiting:
    return Waiting(number, queue, first, at, previous)


def agent(person: int, *, load: int = 0, room: int = 2, served: int = 0, queues: tuple[int, ...] = (1,)) -> Agent:
    return Agent(person, dict.fromkeys(queues, room), load, served)


CASES = [
    ("nobody waits", [], [agent(5)], []),
    ("nobody is there", [wait(1)], [], []),
    ("one and one", [wait(1)], [agent(5)], [(1, 5)]),
    ("who has waited longest is first", [wait(1, at=9), wait(2, at=3)], [agent(5, room=1)], [(2, 5)]),
    ("at the same moment the older conversation", [wait(2), wait(1)], [agent(5, room=1)], [(1, 5)]),
    ("a returned visitor is in front", [wait(1, at=3), wait(2, at=9, first=True)], [agent(5, room=1)], [(2, 5)]),
    (
        "what matters more, before everybody",
        [wait(1, first=True), wait(2, at=9)._replace(priority=1), wait(3)._replace(priority=-1)],
        [agent(5), agent(6)],
        [(2, 5), (1, 6)],
    ),
    ("the least loaded", [wait(1)], [agent(5, load=1), agent(6)], [(1, 6)]),
    ("load is a share of the capacity", [wait(1)], [agent(5, load=1, room=2), agent(6, load=2, room=8)], [(1, 6)]),
    ("the longest idle", [wait(1)], [agent(5, served=9), agent(6, served=4)], [(1, 6)]),
    ("the smallest number", [wait(1)], [agent(6), agent(5)], [(1, 5)]),
    ("who had the visitor before", [wait(1, previous=6)], [agent(5), agent(6, load=1, served=9)], [(1, 6)]),
    ("... but not where there is no room", [wait(1, previous=6)], [agent(5), agent(6, load=2)], [(1, 5)]),
    ("... or who is not there", [wait(1, previous=7)], [agent(5)], [(1, 5)]),
    ("one visitor at a time", [wait(1), wait(2), wait(3)], [agent(5, room=4)], [(1, 5)]),
    ("nobody is asked who has an offer to answer", [wait(1)], [agent(5)._replace(is_asked=True)], []),
    ("... others are asked meanwhile", [wait(1, previous=5)], [agent(5)._replace(is_asked=True), agent(6)], [(1, 6)]),
    ("offers are spread", [wait(1), wait(2)], [agent(5), agent(6)], [(1, 5), (2, 6)]),
    ("nobody is asked again so soon", [wait(1)._replace(refused=frozenset({5}))], [agent(5)], []),
    ("... others are", [wait(1)._replace(refused=frozenset({5}))], [agent(5), agent(6, load=1)], [(1, 6)]),
    ("an agent of another queue", [wait(1, queue=2)], [agent(5)], []),
    ("one who cannot be served holds up nobody", [wait(1, queue=2), wait(2, at=5)], [agent(5)], [(2, 5)]),
    ("capacity counts all queues", [wait(1, queue=2)], [agent(5, load=2, queues=(1, 2))], []),
]


@pytest.mark.parametrize(("name", "waiting", "agents", "offers"), CASES, ids=[case[0] for case in CASES])
def test_route(name: str, waiting: list[Waiting], agents: list[Agent], offers: list[tuple[int, int]]) -> None:
    assert route(waiting, agents) == [Offer(*offer) for offer in offers]


WAITING = st.builds(
    Waiting,
    conversation=st.integers(1, 30),
    queue=st.integers(1, 3),
    is_first=st.booleans(),
    queued_ms=st.integers(0, 5),
    previous=st.none() | st.integers(100, 104),
    priority=st.integers(-1, 2),
    refused=st.frozensets(st.integers(100, 104)),
)
AGENT = st.builds(
    Agent,
    person=st.integers(100, 104),
    capacities=st.dictionaries(st.integers(1, 3), st.integers(1, 4)),
    load=st.integers(0, 4),
    served_ms=st.integers(0, 5),
    is_asked=st.booleans(),
)


@given(
    st.lists(WAITING, unique_by=lambda one: one.conversation),
    st.lists(AGENT, unique_by=lambda one: one.person),
)
def test_each_agent_is_asked_once_within_the_room_and_nobody_is_left_who_could_be_asked_for(
    waiting: list[Waiting], agents: list[Agent]
) -> None:
    offers = dict(route(waiting, agents))
    assert len(set(offers.values())) == len(offers)
    by_conversation, by_person = {one.conversation: one for one in waiting}, {one.person: one for one in agents}
    for conversation, person in offers.items():
        one, asked = by_conversation[conversation], by_person[person]
        assert person not in one.refused
        assert not asked.is_asked
        assert asked.load < asked.capacities[one.queue]
    idle = [other for other in agents if not other.is_asked and other.person not in offers.values()]
    for one in waiting:
        free = {other.person for other in idle if other.load < other.capacities.get(one.queue, 0)}
        assert one.conversation in offers or free <= one.refused


@given(st.permutations([wait(1), wait(2, at=4), wait(3, at=4), wait(4, at=8, first=True), wait(5, queue=2)]))
def test_the_answer_does_not_depend_on_the_order_of_the_rows(waiting: list[Waiting]) -> None:
    assert [one.conversation for one in in_order(waiting)] == [4, 1, 5, 2, 3]
    assert positions(waiting) == {4: 1, 1: 2, 5: 1, 2: 3, 3: 4}


@pytest.mark.parametrize(
    ("position", "handled_ms", "agents", "seconds"),
    [
        (1, [], 1, None),
        (1, [60_000], 0, None),
        (1, [60_000], 1, 60),
        (3, [60_000, 120_000, 999_000], 2, 180),
        (1, [1_000], 5, 10),
        (2, [61_000], 1, 120),
    ],
)
def test_estimate(position: int, handled_ms: list[int], agents: int, seconds: int | None) -> None:
    assert estimate_s(position, handled_ms, agents) == seconds
