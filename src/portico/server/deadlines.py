"""The deadlines of a connection: what is due, and what happens then.

    Wheel.turn -> HttpConnection.check -> check
      exchange under way      the peer reads and sends at the least rate, or is cut; the handler begins its answer
                              in time, or the peer gets a 503
      between exchanges       a first byte, a whole head, a next request in time; 408 for a head that is not whole

In: a connection and the time. Out: when to ask again. No timer belongs to a connection.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portico.server.connection import HttpConnection

_AGAIN_S = 2.0
MAX_WAITING = 64 * 1024  # bytes of a body, or of requests behind the current one, that wait here


def check(connection: "HttpConnection", now_s: float) -> float | None:
    """Act on the deadline that applies; return when to ask again, None for never."""
    if connection.exchange is not None or connection.is_paused or connection.transport.is_closing():
        return _check_handler(connection, now_s) or _check_rate(connection, now_s)
    connection.mark = -1
    due_s, act = _idle_deadline(connection)
    if now_s < due_s:
        # Before that a request may come, and the idleness behind it has a limit of its own.
        return min(due_s, now_s + connection.server.limits.keep_alive_timeout)
    act()
    return now_s + _AGAIN_S


def _idle_deadline(connection: "HttpConnection") -> tuple[float, Callable[[], None]]:
    """Return until when the peer has to ask something, and what to do if it does not."""
    limits = connection.server.limits
    if connection.head_s:
        reason = f"the request head was not complete within {limits.head_timeout:g} s"
        return connection.head_s + limits.head_timeout, lambda: connection.refuse(408, reason)
    wait_s = limits.first_byte_timeout if connection.is_fresh else limits.keep_alive_timeout
    return connection.began_s + wait_s, connection.transport.close


def _check_handler(connection: "HttpConnection", now_s: float) -> float | None:
    """Answer 503 for a handler that is too late. Returns when to ask again if that was so."""
    exchange = connection.exchange
    limits = connection.server.limits
    if exchange is None or exchange.status or now_s < connection.asked_s + limits.answer_timeout:
        return None
    connection.fail(503, f"the application gave no answer within {limits.answer_timeout:g} s")
    exchange.stop()
    return now_s + _AGAIN_S


def _check_rate(connection: "HttpConnection", now_s: float) -> float | None:
    """Cut a peer that neither reads nor sends at the least rate while we wait for it."""
    limits = connection.server.limits
    moved = connection.moved - connection.transport.get_write_buffer_size()
    if not is_waiting_for_peer(connection):
        connection.mark = -1
    elif connection.mark < 0 or now_s >= connection.mark_s + limits.rate_window:
        if 0 <= connection.mark and moved - connection.mark < limits.min_rate * limits.rate_window:
            return _stop_slow(connection, now_s)
        connection.mark = moved
        connection.mark_s = now_s
    # Asked at least so often that idleness, once it begins, does not outlast its limit.
    next_s = now_s + min(limits.rate_window, limits.keep_alive_timeout)
    is_unanswered = connection.exchange is not None and not connection.exchange.status
    return min(next_s, connection.asked_s + limits.answer_timeout) if is_unanswered else next_s


def is_waiting_for_peer(connection: "HttpConnection") -> bool:
    """Tell whether it is the peer's turn: to read, or to send a body that may come."""
    transfer = connection.transfer
    if connection.is_paused or connection.transport.is_closing() or (transfer is not None and transfer.is_waiting):
        return True
    exchange = connection.exchange
    if exchange is None or exchange.inbox is None or connection.codec.reader is None:
        return False
    is_held_back = exchange.request.expects_continue and exchange.inbox.is_untouched
    return not is_held_back and exchange.inbox.waiting_bytes <= MAX_WAITING


def _stop_slow(connection: "HttpConnection", now_s: float) -> float | None:
    """Answer 408 where no answer has begun, else cut."""
    exchange = connection.exchange
    if exchange is not None and not exchange.status:
        connection.fail(408, f"the body came slower than {connection.server.limits.min_rate} bytes a second")
        return now_s + _AGAIN_S
    if exchange is not None:
        exchange.note = exchange.note or "too slow"
    connection.transport.abort()
    return None
