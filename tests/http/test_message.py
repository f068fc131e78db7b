"""Messages as values: what their constructors promise to those who match on them."""

from portico.http.message import Field, Request, Response, Span


class Bytes:
    """A source over bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)
        self.is_closed = False

    def read_into(self, buffer: memoryview, offset: int) -> int:
        piece = self._data[offset : offset + len(buffer)]
        buffer[: len(piece)] = piece
        return len(piece)

    def read_hot(self, buffer: memoryview, offset: int) -> int:
        return self.read_into(buffer, offset)

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        self.is_closed = True


def test_a_request_shows_its_method_and_target() -> None:
    request = Request()
    request.method = "GET"
    request.target = "/a?b"
    assert repr(request) == "<Request GET /a?b>"


def test_a_request_has_no_room_for_anything_else() -> None:
    assert not hasattr(Request(), "__dict__")


def test_a_response_is_empty_unless_told_otherwise() -> None:
    status, fields, body = Response(204)
    assert (status, tuple(fields), body) == (204, (), b"")


def test_a_field_is_a_tuple_of_its_four_spellings() -> None:
    field = Field("accept", "*/*", (b"accept", b"*/*"), "HTTP_ACCEPT")
    name, value, raw, environ_key = field
    assert (name, value, raw, environ_key) == ("accept", "*/*", (b"accept", b"*/*"), "HTTP_ACCEPT")


def test_a_span_names_bytes_of_any_source() -> None:
    source = Bytes(b"0123456789")
    response = Response(206, body=(b"--", Span(source, 2, 3)))
    assert isinstance(response.body, tuple)
    part = response.body[1]
    assert isinstance(part, Span)
    buffer = bytearray(part.length)
    assert part.source.read_into(memoryview(buffer), part.offset) == 3
    assert bytes(buffer) == b"234"
