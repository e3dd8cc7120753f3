"""One operation on the wire: a row of the table that both ends read."""

from __future__ import annotations

from typing import Final, Generic, Literal, TypeVar

from attrs import field, frozen

from caucus.errors import (
    CaucusError,
    InvalidChannelName,
    OutcomeUnknown,
    StorageUnavailable,
    UnknownChannel,
)
from caucus.wire.answers import Codec
from caucus.wire.jsontext import MAX_BODY
from caucus.wire.paths import path

T = TypeVar("T")
CHANNEL_ERRORS: Final = (InvalidChannelName, UnknownChannel)
STORAGE_ERRORS: Final = (StorageUnavailable, OutcomeUnknown)

BodyKind = Literal["json", "object", "object or nothing", "message", "claim", "bytes", "rpc", "unread"]
"""What a request's body is: any JSON or nothing, which the operation judges; a JSON object; one, or
nothing; a message, or a claim that is asked for, and nothing else; bytes as they are; a call in a protocol
of its own; or what nobody reads."""

Authority = Literal["anybody", "reader", "writer", "admin", "writer or admin"]
"""Who may: anybody; whoever reads, which is anybody unless the server asks for tokens there, too; who
has a write token; who has the admin token, over a local listener; who has either."""


@frozen(kw_only=True, eq=False)
class Operation(Generic[T]):
    """One operation on the wire.

    :param name: as `caucus.interfaces.IBackbone` calls it, where it is one of its.
    :param at: the path; a variable segment stands in braces.
    :param takes: a sketch of the body for people.
    :param request: the body's name in the OpenAPI description.
    :param answer: what a success says; its status is ``status``.
    :param live: what whoever accepts a stream of events is answered with instead.
    :param most_bytes: of a JSON body.
    :param others: further statuses of success.
    :param errors: what it refuses beyond what any request can be refused with, or roots of that.
    :param writes: it goes on when its peer leaves, and a client must not repeat it without an
        idempotency key. Where a write token is needed, it takes one.
    """

    name: str
    method: str
    at: str
    summary: str
    body: BodyKind = "json"
    takes: str = ""
    request: str = ""
    answer: Codec[T]
    live: Codec[bytes] | None = None
    status: int = 200
    most_bytes: int = MAX_BODY
    others: tuple[int, ...] = ()
    authority: Authority = "reader"
    errors: tuple[type[CaucusError], ...] = ()
    writes: bool = False
    segments: tuple[str, ...] = field(init=False)
    is_of_channel: bool = field(init=False)

    @segments.default
    def _split(self) -> tuple[str, ...]:
        return tuple(one for one in self.at.split("/") if one)

    @is_of_channel.default
    def _names_channel(self) -> bool:
        return self.at.startswith("/channels/{channel}")

    def target(self, *arguments: str) -> str:
        """The request target, with these in place of the variable segments."""
        given = iter(arguments)
        return path(*(next(given) if one.startswith("{") else one for one in self.segments))

    @property
    def successes(self) -> tuple[int, ...]:
        """Every status of success."""
        return (self.status, *self.others)

    @property
    def is_repeatable(self) -> bool:
        """Whether it takes an idempotency key."""
        return self.writes and self.authority in ("writer", "writer or admin")
