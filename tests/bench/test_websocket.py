"""The frames that the load is made of, by the RFC's own examples."""

import pytest
from bench.websocket import frame_from_client, frame_from_server, length_field, masked
from hypothesis import given
from hypothesis import strategies as st


def test_masking_is_that_of_the_example() -> None:
    """RFC 6455 5.7: a single-frame masked text message."""
    assert masked(b"Hello") == bytes.fromhex("7f9f4d5158")


def test_frame_from_a_client_is_that_of_the_example_but_binary() -> None:
    assert frame_from_client(b"Hello") == bytes.fromhex("828537fa213d7f9f4d5158")


@given(st.binary(max_size=300))
def test_masking_twice_gives_the_payload_back(payload: bytes) -> None:
    assert masked(masked(payload)) == payload


@pytest.mark.parametrize(
    ("size", "field"),
    [
        (0, "00"),
        (125, "7d"),
        (126, "7e007e"),
        (256, "7e0100"),  # RFC 6455 5.7
        (65_535, "7effff"),
        (65_536, "7f0000000000010000"),  # RFC 6455 5.7
    ],
)
def test_length_field(size: int, field: str) -> None:
    assert length_field(size, 0) == bytes.fromhex(field)
    assert length_field(size, 0x80)[0] == bytes.fromhex(field)[0] | 0x80


def test_frame_from_a_server_is_not_masked() -> None:
    assert frame_from_server(b"Hello") == b"\x82\x05Hello"
