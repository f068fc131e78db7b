"""The vocabulary: what those who match on events rely on."""

from portico.http.message import Request
from portico.wire.events import (
    ENDED,
    BodyReceived,
    HeadReceived,
    InputEnded,
    MessageEnded,
    PeerFaulted,
    StatusHead,
    StatusReceived,
)


def test_a_message_usually_ends_without_trailers() -> None:
    assert ENDED == MessageEnded(())
    assert ENDED.trailers == ()


def test_events_name_what_they_carry() -> None:
    request = Request()
    head = StatusHead(200, "OK", 11, (), {}, 0, True)
    assert HeadReceived(request).request is request
    assert StatusReceived(head).head is head
    assert BodyReceived(b"x").data == b"x"
    assert (PeerFaulted(400, "why").status, PeerFaulted(400, "why").reason) == (400, "why")
    assert InputEnded() == ()


def test_a_status_head_lists_its_parts_in_this_order() -> None:
    status, reason, version, fields, values, body_length, keep_alive = StatusHead(204, "", 10, (), {"a": "b"}, 0, False)
    assert (status, reason, version, fields) == (204, "", 10, ())
    assert (values, body_length, keep_alive) == ({"a": "b"}, 0, False)
