"""Channels: made, listed, described, and asked for their heads."""

from __future__ import annotations

from caucus.edge.request import Request
from caucus.edge.response import Response
from caucus.web.operation import answered
from caucus.web.routes.serving import Serving, serves
from caucus.wire.jsontext import NULL
from caucus.wire.operations import CREATE_CHANNEL, DESCRIBE_CHANNEL, LIST_CHANNELS, SUBSCRIBE


@serves(CREATE_CHANNEL)
async def create_channel(on: Serving, request: Request) -> Response:
    fields = request.value
    verbosity = fields.get("verbosity")
    descriptor = await on.once(
        request,
        CREATE_CHANNEL,
        fields.get("channel", NULL),
        purpose=fields.get("purpose"),
        created_by=None if request.principal is None else request.principal.owner,
        verbosity=None if verbosity is NULL else verbosity,
        render_budget_chars=fields.get("renderBudgetChars"),
    )
    return answered(CREATE_CHANNEL, descriptor)


@serves(LIST_CHANNELS)
async def list_channels(on: Serving, request: Request) -> Response:  # noqa: ARG001
    return answered(LIST_CHANNELS, await on.backbone.list_channels())


@serves(DESCRIBE_CHANNEL)
async def describe_channel(on: Serving, request: Request, channel: str) -> Response:  # noqa: ARG001
    return answered(DESCRIBE_CHANNEL, await on.backbone.describe_channel(channel))


@serves(SUBSCRIBE)
async def subscribe(on: Serving, request: Request, channel: str) -> Response:  # noqa: ARG001
    return answered(SUBSCRIBE, await on.backbone.subscribe(channel))
