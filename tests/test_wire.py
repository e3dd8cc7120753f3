"""The wire: JSON, paths and refusals survive the way there and back."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import pytest
from attrs import asdict
from hypothesis import given, strategies as st
from msgspec.structs import replace

from caucus import errors
from caucus.errors import CaucusError, InvalidJson
from caucus.model.messages import Message
from caucus.model.records import (
    AlreadyClaimed,
    Appended,
    ClaimResult,
    Descriptor,
    Granted,
    Holder,
    Identity,
    NotHeld,
    Page,
    StoredArtifact,
)
from caucus.wire import answers
from caucus.wire.answers import Codec
from caucus.wire.jsontext import decode_json, encode_json
from caucus.wire.paths import path, segments
from caucus.wire.refusals import STATUS, decode_error, encode_error

T = TypeVar("T")
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_encoded_is_decoded(value: object) -> None:
    assert decode_json(encode_json(value)) == value


@given(st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode()[:-1]))
def test_what_is_no_json_is_refused_and_nothing_else_happens(data: bytes) -> None:
    try:
        expected: object = json.loads(data.decode(), parse_constant=lambda name: 1 / 0)
        json.dumps(expected, ensure_ascii=False).encode()
    except (ValueError, ZeroDivisionError):
        with pytest.raises(InvalidJson):
            decode_json(data)
    else:
        assert decode_json(data) == expected


@given(st.lists(TEXT.filter(bool), max_size=5))
def test_segments_come_back_from_their_path(parts: list[str]) -> None:
    assert segments(path(*parts).encode() + b"?query=%ZZ") == parts


@pytest.mark.parametrize("target", [b"*", b"http://host:1/a/b", b"/a//b/"])
def test_a_target_may_have_several_forms(target: bytes) -> None:
    assert segments(target) == (["*"] if target == b"*" else ["a", "b"])


REFUSALS: list[CaucusError] = [
    errors.InvalidJson(),
    errors.InvalidRequest("The body must be a JSON object."),
    errors.InvalidChannelName('a\ufffd"b'),
    errors.InvalidChannelName(None),
    errors.InvalidMessage(("type: x", "body: y")),
    errors.InvalidCursor("The limit must be a positive integer."),
    errors.ArtifactIntegrity(),
    errors.Unauthorized(),
    errors.NotFound(),
    errors.UnknownChannel("room"),
    errors.UnknownClaim(),
    errors.Forbidden(),
    errors.ClaimLost(),
    errors.PlainClaim(),
    errors.Deadlock((3, 1)),
    errors.ClaimLimit("waiting", 1000),
    errors.MethodNotAllowed(("GET", "POST")),
    errors.ChannelExists("room"),
    errors.DuplicatePost(),
    errors.ChannelFull("room", 10),
    errors.ChannelLimit(1000),
    errors.PayloadTooLarge(262_144),
    errors.ArtifactTooLarge(10, "artifact"),
    errors.ArtifactTooLarge(10, "channel"),
    errors.ArtifactTooLarge(10, "backbone"),
    errors.RateLimited(30, "channel", 7),
    errors.RateLimited(120, "all_channels", 60),
    errors.RateLimited(10, "channel_creates", 1),
    errors.InternalError(),
    errors.StorageUnavailable(),
    errors.StorageUnavailable("stalled", 7),
    errors.IdempotencyMismatch(),
    errors.OutcomeUnknown(),
    errors.BadRequest(),
    errors.RequestTimeout(),
    errors.HeadersTooLarge(),
    errors.StreamCapacity(32),
    errors.Overloaded(3),
    errors.TokenLimit(10_000),
    errors.ArtifactLimit(1),
    errors.MisdirectedRequest(),
    errors.ForbiddenOrigin(),
]


@pytest.mark.parametrize("error", REFUSALS, ids=repr)
def test_a_refusal_is_rebuilt_with_its_fields(error: CaucusError) -> None:
    status, headers, body = encode_error(error)
    rebuilt = decode_error(status, body, headers.get("Allow", ""))
    assert type(rebuilt) is type(error)
    assert asdict(rebuilt) == asdict(error)  # type: ignore[arg-type]
    assert json.loads(body)["error"]["code"] == error.code


def test_every_refusal_that_a_server_answers_is_in_the_table_above() -> None:
    assert {type(error) for error in REFUSALS} == set(STATUS)


def test_codes_are_the_class_names() -> None:
    for kind in STATUS:
        assert kind.__name__ == "".join(part.capitalize() for part in kind.code.split("_"))


@pytest.mark.parametrize(
    ("error", "fragments"),
    [
        (errors.RateLimited(30, "channel", 7), ["at most 30 posts/min", "Wait ~7s"]),
        (errors.RateLimited(120, "all_channels", 7), ["at most 120 posts/min", "across all channels"]),
        (errors.RateLimited(10, "channel_creates", 7), ["at most 10 channel creates/min", "Wait ~7s"]),
        (errors.ChannelFull("room", 9), ['"room"', "holds at most 9 messages"]),
        (errors.ChannelLimit(9), ["at most 9 channels"]),
        (errors.ArtifactTooLarge(9), ["capped at 9 bytes"]),
        (errors.ArtifactTooLarge(9, "channel"), ["capped at 9 bytes", "this channel's artifact store"]),
        (errors.ArtifactTooLarge(9, "backbone"), ["capped at 9 bytes", "the backbone's artifact store"]),
        (errors.UnknownChannel("room"), ['"room"']),
        (errors.ChannelExists("room"), ['"room"']),
        (errors.InvalidChannelName('"'), ['"\\""']),
    ],
)
def test_messages_hold_the_fragments_that_existing_clients_read(
    error: CaucusError, fragments: list[str]
) -> None:
    for fragment in fragments:
        assert fragment in str(error)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"error":"x"}',
        b'{"error":{"code":"brand_new","message":"x"}}',
        b'{"error":{"code":"rate_limited","message":"later"}}',
        b'{"error":{"code":"rate_limited","message":"at most 3 posts/min"}}',
        b'{"error":{"code":"unknown_channel","message":"no such"}}',
        b'{"error":{"code":7,"message":"x"}}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_what_is_no_envelope_is_an_http_error(body: bytes) -> None:
    error = decode_error(502, body)
    assert isinstance(error, errors.HttpError)
    assert error.status == 502


def test_a_refusal_without_its_figure_has_the_usual_one() -> None:
    error = decode_error(413, b'{"error":{"code":"payload_too_large","message":"too big"}}')
    assert error.limit == 262_144  # type: ignore[attr-defined]


STORED = encode_json({"type": "note", "body": "x", "msg_id": "id", "new_field": [1]})


PLAIN = Descriptor(
    channel="room",
    kind="ephemeral",
    verbosity="quiet",
    render_budget_chars=200,
    created_by="",
    created_ts="ts",
    head=0,
)


def back(codec: Codec[T], result: T, status: int = 200) -> T:
    return codec.decode(codec.encode(result), status)


def test_answers_come_back_as_the_results_they_were() -> None:
    full = replace(PLAIN, purpose="", created_by="bob", head=7)
    assert back(answers.CHANNEL, PLAIN) == PLAIN
    assert back(answers.CHANNELS, [PLAIN, full]) == [PLAIN, full]
    assert back(answers.PAGE, Page((STORED, STORED), 2)) == Page((STORED, STORED), 2)
    assert back(answers.APPENDED, Appended(STORED, 1)) == Appended(STORED, 1)
    results: tuple[ClaimResult, ...] = (
        Granted(STORED, 1), AlreadyClaimed(Holder("a", "o", "ts", "id")), NotHeld()
    )  # fmt: skip
    for result in results:
        assert back(answers.CLAIM, result) == result
    for status, deduplicated in ((201, False), (200, True)):
        stored = StoredArtifact("caucus://artifact/room/x", "x", 3, deduplicated)
        assert back(answers.ARTIFACT, stored, status) == stored
    assert back(answers.MINTED, ("tok", Identity("a", "o"))) == ("tok", Identity("a", "o"))
    assert back(answers.CURSOR, 7) == 7


@pytest.mark.parametrize("count", [0, 1, 3])
def test_an_answer_in_parts_is_the_answer_that_it_would_be_whole(count: int) -> None:
    page, channels = Page((STORED,) * count, count), [PLAIN] * count
    for codec, result in ((answers.PAGE, page), (answers.CHANNELS, channels)):
        untyped: Any = codec
        whole = b"".join(untyped.parts(result))
        assert (whole, untyped.length(result)) == (untyped.encode(result), len(whole))


def test_a_channel_of_another_server_may_have_another_verbosity() -> None:
    loud = replace(PLAIN, verbosity="loud")
    assert back(answers.CHANNELS, [loud]) == [loud]


def test_a_channel_without_a_purpose_shows_none() -> None:
    shown = json.loads(answers.CHANNEL.encode(PLAIN))
    assert list(shown) == [
        "channel",
        "kind",
        "verbosity",
        "renderBudgetChars",
        "created_by",
        "created_ts",
        "head",
    ]


@pytest.mark.parametrize("message", [b"{}", b"[]", b'{"type":"note"}', b'{"type":1,"body":"x","msg_id":"y"}'])
def test_what_is_no_stored_message_is_found_out_at_once(message: bytes) -> None:
    with pytest.raises(ValueError, match="not a stored message"):
        answers.APPENDED.decode(b'{"message":' + message + b',"cursor":1}', 201)


def test_a_message_keeps_what_it_knows_of_a_newer_one() -> None:
    stored = Message.from_json(b'{"type":"note","body":"x","msg_id":"id","to":["a"],"new_field":1}')
    assert (stored.type, stored.to) == ("note", ("a",))
    with pytest.raises(ValueError, match="not a stored message"):
        Message.from_json(b"nonsense")
