"""The table of operations: each is a row, which both ends of the wire read, and so do their descriptions."""

from __future__ import annotations

from typing import Final

from caucus import errors
from caucus.wire import answers
from caucus.wire.agents import AGENTS
from caucus.wire.following import FOLLOWING
from caucus.wire.operation import (
    CHANNEL_ERRORS as _CHANNEL,
    STORAGE_ERRORS as _STORAGE,
    Operation,
)
from caucus.wire.page import PAGES

EVERYWHERE: Final = (
    errors.BadRequest,
    errors.InvalidJson,
    errors.InvalidRequest,
    errors.ForbiddenOrigin,
    errors.RequestTimeout,
    errors.PayloadTooLarge,
    errors.MisdirectedRequest,
    errors.HeadersTooLarge,
    errors.InternalError,
    errors.Overloaded,
)
"""What any request can be refused with."""
_LEASE: Final = (
    *_CHANNEL,
    errors.InvalidMessage,
    errors.UnknownClaim,
    errors.PlainClaim,
    errors.Forbidden,
    *_STORAGE,
)
_CLAIM: Final = (
    *_CHANNEL,
    errors.InvalidMessage,
    errors.RateLimited,
    errors.ChannelFull,
    *_STORAGE,
)

HEALTHZ: Final = Operation(
    name="healthz",
    method="GET",
    at="/healthz",
    summary="Whether it answers.",
    answer=answers.HEALTHY,
    authority="anybody",
)
READYZ: Final = Operation(
    name="readyz",
    method="GET",
    at="/readyz",
    summary="Whether it takes writes.",
    answer=answers.READY,
    authority="anybody",
    errors=(errors.StorageUnavailable,),
)
OPENAPI: Final = Operation(
    name="openapi",
    method="GET",
    at="/openapi.json",
    summary="This description.",
    answer=answers.DESCRIPTION,
    authority="anybody",
)
METRICS: Final = Operation(
    name="metrics",
    method="GET",
    at="/metrics",
    summary="What is counted, in the Prometheus text format; on the listeners that show it.",
    answer=answers.METRICS,
    authority="anybody",
    errors=(errors.NotFound,),
)
CREATE_CHANNEL: Final = Operation(
    name="create_channel",
    method="POST",
    at="/channels",
    summary="Create a channel.",
    body="object",
    takes="`{channel, purpose?, verbosity?, renderBudgetChars?}`",
    request="NewChannel",
    answer=answers.CHANNEL,
    status=201,
    authority="writer",
    errors=(
        errors.InvalidChannelName,
        errors.ChannelExists,
        errors.InvalidMessage,
        errors.ChannelLimit,
        errors.RateLimited,
        *_STORAGE,
    ),
    writes=True,
)
LIST_CHANNELS: Final = Operation(
    name="list_channels",
    method="GET",
    at="/channels",
    summary="Every channel, oldest first.",
    answer=answers.CHANNELS,
)
DESCRIBE_CHANNEL: Final = Operation(
    name="describe_channel",
    method="GET",
    at="/channels/{channel}",
    summary="A channel and its head.",
    answer=answers.CHANNEL,
    errors=_CHANNEL,
)
SUBSCRIBE: Final = Operation(
    name="subscribe",
    method="POST",
    at="/channels/{channel}/subscribe",
    summary="The head, as a cursor.",
    answer=answers.CURSOR,
    errors=_CHANNEL,
)
APPEND: Final = Operation(
    name="append",
    method="POST",
    at="/channels/{channel}/append",
    summary="Append a message.",
    body="message",
    takes="message",
    request="Post",
    answer=answers.APPENDED,
    status=201,
    authority="writer",
    errors=(
        *_CHANNEL,
        errors.InvalidMessage,
        errors.RateLimited,
        errors.PostRefused,
        *_STORAGE,
    ),
    writes=True,
)
READ_SINCE: Final = Operation(
    name="read_since",
    method="POST",
    at="/channels/{channel}/read",
    summary="The messages after a cursor.",
    body="object or nothing",
    takes="`{cursor, limit?, wait?}`",
    request="Read",
    answer=answers.PAGE,
    errors=(*_CHANNEL, errors.InvalidCursor),
)
CLAIM: Final = Operation(
    name="claim",
    method="POST",
    at="/channels/{channel}/claim",
    summary="Take a target, first write wins.",
    body="message",
    takes="message",
    request="Claim",
    answer=answers.CLAIM,
    authority="writer",
    errors=_CLAIM,
    writes=True,
)
REASSIGN_CLAIM: Final = Operation(
    name="reassign_claim",
    method="POST",
    at="/channels/{channel}/reassign",
    summary="Give a target to somebody.",
    body="object",
    takes="message, and `assignee: {agent_id, owner}`",
    request="Reassignment",
    answer=answers.CLAIM,
    authority="writer",
    errors=_CLAIM,
    writes=True,
)
MARK_CLAIM_DONE: Final = Operation(
    name="mark_claim_done",
    method="POST",
    at="/channels/{channel}/done",
    summary="Give a target free.",
    body="message",
    takes="message",
    request="Done",
    answer=answers.CLAIM,
    authority="writer",
    errors=_CLAIM,
    writes=True,
)
LIST_CLAIMS: Final = Operation(
    name="list_claims",
    method="GET",
    at="/channels/{channel}/claims",
    summary="Who holds what: the channel's claims, or those that the query asks for.",
    answer=answers.CLAIMS,
    errors=_CHANNEL,
)
GET_CLAIM: Final = Operation(
    name="get_claim",
    method="GET",
    at="/channels/{channel}/claims/{claim}",
    summary="A claim, by its number, at once or when it does not wait any more.",
    answer=answers.ONE_CLAIM,
    errors=(*_CHANNEL, errors.UnknownClaim, errors.ClaimLost, *_STORAGE),
)
TAKE_CLAIM: Final = Operation(
    name="take_claim",
    method="POST",
    at="/channels/{channel}/claims",
    summary="Take targets with a lease, all or none, or wait for them in line.",
    body="claim",
    takes="`{targets, note, mode?, lease_ttl?, renewal?, wait?, takeover?, msg_id?, thread?, artifact?}`",
    request="WantedClaim",
    answer=answers.TAKEN,
    status=201,
    others=(200, 202),
    authority="writer",
    errors=(*_CLAIM, errors.Deadlock, errors.ClaimLimit),
    writes=True,
)
RENEW_CLAIM: Final = Operation(
    name="renew_claim",
    method="POST",
    at="/channels/{channel}/claims/{claim}/renew",
    summary="Go on with a claim.",
    body="object or nothing",
    takes="`{lease_ttl?}`",
    request="Renewing",
    answer=answers.ONE_CLAIM,
    authority="writer",
    errors=_LEASE,
    writes=True,
)
RELEASE_CLAIM: Final = Operation(
    name="release_claim",
    method="POST",
    at="/channels/{channel}/claims/{claim}/release",
    summary="Give a claim back, or a place in line.",
    body="object or nothing",
    takes="`{note?, done?}`",
    request="Releasing",
    answer=answers.RELEASED,
    authority="writer",
    errors=_LEASE,
    writes=True,
)
OFFER_CLAIM: Final = Operation(
    name="offer_claim",
    method="POST",
    at="/channels/{channel}/claims/{claim}/offer",
    summary="Ask somebody to take over a claim.",
    body="object",
    takes="`{to: {agent_id?, owner}, note?, expires_in?}`",
    request="Offering",
    answer=answers.ONE_CLAIM,
    authority="writer",
    errors=(*_LEASE, errors.RateLimited, errors.ChannelFull),
    writes=True,
)
ACCEPT_CLAIM: Final = Operation(
    name="accept_claim",
    method="POST",
    at="/channels/{channel}/claims/{claim}/accept",
    summary="Take over a claim that is offered.",
    body="object or nothing",
    takes="`{note?}`",
    request="Answering",
    answer=answers.ONE_CLAIM,
    authority="writer",
    errors=(*_LEASE, errors.RateLimited, errors.ChannelFull, errors.ClaimLimit),
    writes=True,
)
DECLINE_CLAIM: Final = Operation(
    name="decline_claim",
    method="POST",
    at="/channels/{channel}/claims/{claim}/decline",
    summary="Do not take over a claim that is offered.",
    body="object or nothing",
    takes="`{note?}`",
    request="Answering",
    answer=answers.ONE_CLAIM,
    authority="writer",
    errors=_LEASE,
    writes=True,
)
REVOKE_CLAIM: Final = Operation(
    name="revoke_claim",
    method="POST",
    at="/channels/{channel}/claims/{claim}/revoke",
    summary="End somebody's claim, for a reason.",
    body="object",
    takes="`{reason}`",
    request="Reason",
    answer=answers.RELEASED,
    authority="writer or admin",
    errors=(*_CHANNEL, errors.InvalidMessage, errors.UnknownClaim, errors.Forbidden, *_STORAGE),
    writes=True,
)
PUT_ARTIFACT: Final = Operation(
    name="put_artifact",
    method="PUT",
    at="/channels/{channel}/artifacts/{sha256}",
    summary="Keep bytes under their SHA-256.",
    body="bytes",
    takes="bytes",
    answer=answers.ARTIFACT,
    status=201,
    others=(200,),
    authority="writer",
    errors=(
        *_CHANNEL,
        errors.ArtifactIntegrity,
        errors.ArtifactTooLarge,
        errors.ArtifactLimit,
        *_STORAGE,
    ),
    writes=True,
)
GET_ARTIFACT: Final = Operation(
    name="get_artifact",
    method="GET",
    at="/channels/{channel}/artifacts/{sha256}",
    summary="The bytes at an address.",
    body="unread",
    answer=answers.BYTES,
    errors=(*_CHANNEL, errors.NotFound),
)
STREAM: Final = Operation(
    name="stream",
    method="GET",
    at="/channels/{channel}/stream",
    summary="Each message as a server-sent event, as it is appended. The id is the cursor after it.",
    body="unread",
    answer=answers.EVENTS,
    errors=(*_CHANNEL, errors.InvalidCursor, errors.StreamCapacity),
)
MINT: Final = Operation(
    name="mint",
    method="POST",
    at="/admin/tokens",
    summary="Make a token, shown once.",
    takes="`{agent_id, owner}`",
    request="Identity",
    answer=answers.MINTED,
    status=201,
    authority="admin",
    errors=(errors.TokenLimit, *_STORAGE),
    writes=True,
)
REVOKE: Final = Operation(
    name="revoke",
    method="POST",
    at="/admin/tokens/revoke",
    summary="Remove minted tokens.",
    takes="`{agent_id}` or `{digest}`",
    request="Target",
    answer=answers.REVOKED,
    authority="admin",
    errors=_STORAGE,
    writes=True,
)
ROTATE: Final = Operation(
    name="rotate",
    method="POST",
    at="/admin/tokens/rotate",
    summary="Replace minted tokens.",
    takes="`{agent_id, owner, digest?}`",
    request="Identity",
    answer=answers.MINTED,
    status=201,
    authority="admin",
    errors=(errors.TokenLimit, *_STORAGE),
    writes=True,
)

OPERATIONS: Final = (
    *(one for one in dict(globals()).values() if isinstance(one, Operation)),
    *FOLLOWING,
    *AGENTS,
    *PAGES,
)
"""Every row: those above, in their order, of what follows from them, and the two doors."""

ACTIONS: Final = (("channels", "{channel}", "{action}"), ("admin", "tokens", "{action}"))
"""Paths where any method but POST is 405, also where nothing is: those that another service has so."""
