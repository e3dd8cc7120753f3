"""What each tool takes, and how that is told to a model, which pays for every word of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from caucus.agents.desk import BUDGET
from caucus.model.fields import MessageType, Status
from caucus.model.views import LONGEST_WAIT

Words = Annotated[int, Meta(description="most characters told")]
Targets = Annotated[
    tuple[str, ...],
    Meta(description="paths or names; a/ covers all in a, ** all", min_length=1, max_length=32),
]


class Fields(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every tool takes."""

    room: str = ""


class CatchUp(Fields, frozen=True):
    since: Annotated[str | None, Meta(description="as told last time")] = None
    budget: Words = BUDGET


class Read(Fields, frozen=True):
    cursor: Annotated[int | None, Meta(description="read what follows it; without: the latest")] = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 20
    offset: Annotated[int, Meta(ge=0, description="into the text of the first")] = 0
    budget: Words = BUDGET


class Wait(Fields, frozen=True):
    since: Annotated[str | None, Meta(description="as told last time")] = None
    seconds: Annotated[float, Meta(ge=0, le=LONGEST_WAIT)] = 45


class Post(Fields, frozen=True):
    body: str
    type: Annotated[MessageType | None, Meta(description="finding, or answer with reply_to")] = None
    to: Annotated[tuple[str, ...] | None, Meta(description="agents or owners")] = None
    reply_to: Annotated[str | None, Meta(description="id of a post")] = None
    status: Status | None = None
    artifact: Annotated[str | None, Meta(description="as `evidence` gave it")] = None


class TakeClaim(Fields, frozen=True):
    targets: Targets = ()
    note: Annotated[str, Meta(description="what you do there")] = ""
    wait: Annotated[bool, Meta(description="stand in line")] = False
    takeover: Annotated[bool, Meta(description="end your owner's own claims there")] = False
    mode: Literal["exclusive", "shared"] = "exclusive"
    lease_ttl: Annotated[int, Meta(description="seconds; any call of yours renews it")] = 900
    accept: Annotated[int | None, Meta(description="number of a claim offered to you")] = None


class Release(Fields, frozen=True):
    claim: Annotated[int, Meta(description="its number")]
    done: bool = True
    note: Annotated[str | None, Meta(description="result, or where you stopped")] = None
    to: Annotated[str | None, Meta(description="owner or owner/agent to hand it over to, who accepts")] = None


class Board(Fields, frozen=True):
    pass


class Evidence(Fields, frozen=True):
    sha256: Annotated[str | None, Meta(description="or its address: show a window of it")] = None
    offset: Annotated[int, Meta(ge=0)] = 0
    store: Annotated[str | None, Meta(description="text to keep")] = None


class Rooms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


def schema(takes: type[msgspec.Struct]) -> dict[str, Any]:
    """The fields as JSON Schema, without what no model needs: it pays for each word."""
    (_, components) = msgspec.json.schema_components([takes])
    whole = components[takes.__name__]
    properties = {name: _lean(one) for name, one in whole["properties"].items()}
    required = {"required": whole["required"]} if whole.get("required") else {}
    return {"type": "object", "properties": properties, **required}


def _lean(one: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" in one:
        one = {**one["anyOf"][0], **{key: one[key] for key in ("description",) if key in one}}
    kept: dict[str, Any] = {key: one[key] for key in ("type", "description", "enum", "maximum") if key in one}
    if "enum" in kept:
        kept.pop("type", None)
    if "items" in one:
        kept["items"] = {"type": "string"}
    return kept
