"""How fast people talk who are not to be asked to slow down: see the rates of `apps.chat.limits`."""

import asyncio


class Pace:
    """Has somebody speak no faster than the server takes it, and a little slower.

    per_s, burst: how many a second, and at once, somebody may say.
    """

    def __init__(self, per_s: float, burst: int) -> None:
        self._burst = burst * 0.8
        self._per_s = per_s * 0.95
        self._said = 0
        self._began_s = 0.0

    async def turn(self) -> None:
        """Wait for one's turn."""
        now_s = asyncio.get_running_loop().time()
        self._began_s = self._began_s or now_s
        self._said += 1
        await asyncio.sleep(max(0.0, self._began_s + (self._said - self._burst) / self._per_s - now_s))


def guest() -> Pace:
    """Return how fast a visitor talks."""
    return Pace(5, 20)


def member() -> Pace:
    """Return how fast somebody with an account talks."""
    return Pace(20, 60)
