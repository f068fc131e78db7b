"""Close frames: their codes and reasons, there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.errors import PeerError
from portico.wire.messages import MAX_REASON, NO_CODE, CloseReceived, is_close_code, read_close, write_close

SENDABLE = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
NOT_SENDABLE = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]


@pytest.mark.parametrize("code", SENDABLE)
def test_a_code_that_may_be_sent(code: int) -> None:
    assert is_close_code(code)
    assert read_close(write_close(code, "why")) == CloseReceived(code, "why")


@pytest.mark.parametrize("code", NOT_SENDABLE)
def test_a_code_that_may_not_be_sent(code: int) -> None:
    assert not is_close_code(code)
    with pytest.raises(PeerError) as caught:
        read_close(write_close(code, ""))
    assert caught.value.status == 1002


def test_a_close_frame_may_be_empty() -> None:
    assert read_close(b"") == CloseReceived(NO_CODE, "")


@pytest.mark.parametrize(
    ("payload", "code"), [(b"\x03", 1002), (b"\x03\xe8\xff", 1007), (b"\x03\xe8\xce\xba\xe1", 1007)]
)
def test_a_malformed_close_frame_is_refused(payload: bytes, code: int) -> None:
    with pytest.raises(PeerError) as caught:
        read_close(payload)
    assert caught.value.status == code


@given(st.sampled_from(SENDABLE), st.text(max_size=200))
def test_a_reason_that_is_too_long_is_cut_at_a_character(code: int, reason: str) -> None:
    payload = write_close(code, reason)
    assert len(payload) <= 2 + MAX_REASON
    assert reason.startswith(read_close(payload).reason)
