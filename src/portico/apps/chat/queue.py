"""The queue: who is served next, and by whom. Pure decisions over a picture of the desk.

In: who waits and who could serve them. Out: offers to make; positions; how long it may take.

    order     what matters more first, then visitors who have come back to the queue (their agent went away, or had put
              them off until now), then who has waited longest
    choice    the agent who had the visitor before; else the least loaded for its capacity, then the longest without a
              new visitor, then the one with the smallest number, so that equal pictures give equal answers

Nobody is offered what they have refused a moment ago, and nobody is offered more than there is room for. An agent is
asked for one visitor at a time: several offers at once would all run out while the first is looked at. What one agent
cannot be asked now, another is.
"""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import NamedTuple


class Waiting(NamedTuple):
    """A visitor who waits and is not offered to anybody now.

    is_first: goes in front. previous: who had the visitor before. refused: agents who are not asked again yet.
    priority: as `cases.PRIORITIES` has them, the highest first.
    """

    conversation: int
    queue: int
    is_first: bool
    queued_ms: int
    previous: int | None = None
    refused: frozenset[int] = frozenset()
    priority: int = 0


class Agent(NamedTuple):
    """Somebody who is there and wants visitors. capacities: how many at once, for each queue that is served.

    load: visitors and offers now. served_ms: when the last one was got. is_asked: has an offer to answer.
    """

    person: int
    capacities: Mapping[int, int]
    load: int
    served_ms: int
    is_asked: bool = False


class Offer(NamedTuple):
    """A visitor who is to be offered to an agent."""

    conversation: int
    agent: int


def in_order(waiting: Iterable[Waiting]) -> list[Waiting]:
    """Return who waits in the order in which they are served."""
    return sorted(waiting, key=lambda one: (-one.priority, not one.is_first, one.queued_ms, one.conversation))


def route(waiting: Iterable[Waiting], agents: Iterable[Agent]) -> list[Offer]:
    """Return whom to offer to whom now; whoever is in none of the offers goes on waiting."""
    free = {agent.person: agent for agent in agents if not agent.is_asked}
    offers = []
    for one in in_order(waiting):
        chosen = _choose(one, free.values())
        if chosen is not None:
            offers.append(Offer(one.conversation, chosen.person))
            del free[chosen.person]
    return offers


def _choose(one: Waiting, agents: Iterable[Agent]) -> Agent | None:
    able = [agent for agent in agents if agent.load < agent.capacities.get(one.queue, 0)]
    willing = [agent for agent in able if agent.person not in one.refused]
    return min(willing, key=lambda agent: _distance(one, agent), default=None)


def _distance(one: Waiting, agent: Agent) -> tuple[bool, float, int, int]:
    share = agent.load / agent.capacities[one.queue]
    return agent.person != one.previous, share, agent.served_ms, agent.person


def positions(waiting: Iterable[Waiting]) -> dict[int, int]:
    """Return the place of each conversation in its queue, from 1."""
    counts: dict[int, int] = {}
    places = {}
    for one in in_order(waiting):
        counts[one.queue] = places[one.conversation] = counts.get(one.queue, 0) + 1
    return places


def estimate_s(position: int, handled_ms: Sequence[int], agents: int) -> int | None:
    """Return how many seconds it may take until somebody is served: a whole number of tens, at least 10.

    handled_ms: how long recent visitors took. agents: who are there now. None where nobody is there or nobody has been
    served yet: there is nothing to tell it from.
    """
    if not handled_ms or agents < 1:
        return None
    return max(10, round(position * median(handled_ms) / agents / 10_000) * 10)
