"""The server of a stream service: what all connections to it share.

StreamServer.open -> (kernel) -> Conversation or Replies -> the service
"""

import logging
from typing import TYPE_CHECKING

from portico.gateway.pool import Pool
from portico.server.accepting import GRACE_S, Acceptor
from portico.server.clock import Clock
from portico.server.conversation import Conversation
from portico.server.peer import Peer
from portico.server.replies import Replies
from portico.settings import App, Limits, Service
from portico.wire.charset import find_charset

if TYPE_CHECKING:
    from portico.server.service import StreamService
    from portico.server.service_log import ServiceLog

_SECOND_S = 1.0


class StreamServer(Acceptor["ServiceLog"]):
    """Serve one stream service on any number of listening sockets.

    settings: how it speaks. log: None for none. pool: threads for a plain function; None for some of its own.
    received_bytes: since the start. Raises UsageError for an encoding that is none.
    """

    def __init__(
        self,
        service: "StreamService",
        limits: Limits,
        settings: Service,
        log: "ServiceLog | None" = None,
        *,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(limits, min(settings.idle_timeout, limits.rate_window), log, clock)
        self.service = service
        self.settings = settings
        self.encoding = find_charset(service.encoding or settings.encoding)
        self.received_bytes = 0
        self.protocol = (lambda: Replies(self)) if service.is_quick else (lambda: Conversation(self))
        self.pool: Pool | None = None
        self._owns_pool = False

    async def drain(self, timeout_s: float, grace_s: float = GRACE_S) -> int:
        """Come to an end, see `Acceptor.drain`; so do threads of its own, those that are at work when they are done."""
        cut = await super().drain(timeout_s, grace_s)
        if self.pool is not None and self._owns_pool:
            self.pool.close()
        return cut

    def threads(self) -> Pool:
        """Return the threads for a plain function."""
        if self.pool is None:
            self.pool = Pool(App().threads, App().max_threads)
            self._owns_pool = True
        return self.pool

    def report(self, exc: BaseException, peer: Peer) -> None:
        """Write a service's failure to the error log, with its traceback."""
        logging.getLogger("portico").error("the service %s failed on %s", self.service.name, peer, exc_info=exc)

    def _flush_log(self) -> None:
        super()._flush_log()
        if (
            self.log is not None and self.log.is_pending
        ):  # it tells how many lines had no room when their second is over
            self._flushing = self.loop.call_later(_SECOND_S, self._flush_log)
