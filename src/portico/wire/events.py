"""The vocabulary of `wire/`: what a codec says after it was fed bytes. Past tense, one tuple each.

A message is `HeadReceived BodyReceived* MessageEnded`; at any point `PeerFaulted` or `InputEnded` may end it.
"""

from typing import NamedTuple

from portico.http.message import Field, Request


class StatusHead(NamedTuple):
    """The head of a response as a client receives it (RFC 9112 section 4).

    status: 100 to 599. reason: as sent, often empty. version: 10 or 11.
    fields: all field lines in order. values: lower-case name to value, repeated lines joined with ", ".
    body_length: a number, or None where only the body itself tells (chunked, or until the connection closes).
    keep_alive: the connection may carry another exchange.
    """

    status: int
    reason: str
    version: int
    fields: tuple[Field, ...]
    values: dict[str, str]
    body_length: int | None
    keep_alive: bool


class HeadReceived(NamedTuple):
    """A whole, valid request head has arrived."""

    request: Request


class StatusReceived(NamedTuple):
    """A whole, valid response head has arrived; after a 1xx another one follows."""

    head: StatusHead


class BodyReceived(NamedTuple):
    """A non-empty piece of the message's body, without its framing."""

    data: bytes


class MessageEnded(NamedTuple):
    """The message is complete. trailers: the fields after a chunked body, usually none."""

    trailers: tuple[Field, ...] = ()


class PeerFaulted(NamedTuple):
    """The peer broke the protocol; no further input is read.

    status: what to answer (a client ignores it). reason: one line, safe to show and to log.
    """

    status: int
    reason: str


class InputEnded(NamedTuple):
    """The peer has closed its side between two messages, as it may."""


Event = HeadReceived | StatusReceived | BodyReceived | MessageEnded | PeerFaulted | InputEnded

ENDED = MessageEnded()
