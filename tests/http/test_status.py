"""Status codes against the standard library's own table and the classes that RFC 9110 gives."""

from http import HTTPStatus

import pytest

from portico.http.status import REASONS, forbids_body, reason_phrase

# Where the library's phrases are older than RFC 9110, and what it lists though the registry does not.
RENAMED = {413: "Content Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable", 422: "Unprocessable Content"}
UNREGISTERED = {418}


@pytest.mark.parametrize("status", [status for status in HTTPStatus if status not in UNREGISTERED])
def test_every_code_of_the_standard_library_has_its_phrase(status: HTTPStatus) -> None:
    assert reason_phrase(status) == RENAMED.get(status, status.phrase)


def test_the_table_is_in_order_and_within_the_classes() -> None:
    assert list(REASONS) == sorted(REASONS)
    assert all(100 <= status <= 511 and phrase.isascii() for status, phrase in REASONS.items())


@pytest.mark.parametrize("status", [0, 99, 104, 299, 306, 418, 599, 600, -1])
def test_unregistered_codes_have_no_phrase(status: int) -> None:
    assert reason_phrase(status) == ""


@pytest.mark.parametrize(
    ("status", "is_forbidden"),
    [(100, True), (101, True), (103, True), (199, True), (200, False), (204, True), (205, False), (304, True)]
    + [(status, False) for status in (206, 301, 305, 400, 404, 416, 500)],
)
def test_which_statuses_have_no_body(status: int, is_forbidden: bool) -> None:
    assert forbids_body(status) is is_forbidden
