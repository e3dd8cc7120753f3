"""What the operations of `HTTPBackbone` are asked with, and what is made of some answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from msgspec.structs import asdict
from twisted.python.failure import Failure

from caucus.client.exchange import TIMEOUT_SECONDS
from caucus.errors import HttpError, InvalidMessage, InvalidRequest, NotFound
from caucus.model.evidence import address_of
from caucus.model.messages import MessageFields, fields_of
from caucus.model.wanted import Wanted
from caucus.wire.jsontext import encode_json


def json_of(message: MessageFields, identities: Mapping[str, object]) -> bytes:
    """A body: a message's fields, and identities under their names. Raises `InvalidMessage`."""
    fields = fields_of(message)
    for name, one in identities.items():
        fields[name] = {part: getattr(one, part, None) for part in ("agent_id", "owner")}
    try:
        return encode_json(fields)
    except (TypeError, ValueError, RecursionError):
        raise InvalidMessage(("it holds something that JSON in UTF-8 cannot say",)) from None


def fields_of_claim(wanted: object) -> dict[str, object]:
    """The fields of a claim that is asked for. Raises `InvalidMessage` for what is none."""
    if not isinstance(wanted, Wanted):
        raise InvalidMessage(("it must be a mapping of its fields",))
    return asdict(wanted)


def query_of(pairs: Sequence[tuple[str, str]]) -> str:
    """A query. Raises `InvalidRequest` for what cannot be told in UTF-8."""
    try:
        return urlencode(pairs)
    except (TypeError, UnicodeEncodeError):
        raise InvalidRequest("it holds something that UTF-8 cannot say") from None


def patience(wait: object) -> float:
    """For how many seconds an answer may be waited for; what cannot be waited is for the server to refuse."""
    return float(wait) if isinstance(wait, int | float) and 0 < wait < TIMEOUT_SECONDS * 2 else 0.0


def segment(sha256: object) -> str:
    """An address, or what is none and no other route's."""
    return sha256 if isinstance(sha256, str) and sha256.strip(".") else "-"


def verified(data: bytes, sha256: str) -> bytes:
    """The bytes, which must be those of an address. Raises `HttpError`."""
    if address_of(data) != sha256:
        raise HttpError(200)  # it is something else's page
    return data


def nothing_there(failure: Failure) -> None:
    """That nothing was found is an answer."""
    failure.trap(NotFound)
