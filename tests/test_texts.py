"""What a refusal says: the texts that clients compare, and where a text breaks its rule."""

from __future__ import annotations

import json
from typing import Any

import pytest

from caucus.errors import Detail, InvalidJson, InvalidMessage
from caucus.wire.refusals import decode_error
from tests.raw import Answer, Edge, make_edge

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
NOTE = {"type": "note", "msg_id": ULID, "body": "text"}
CLAIM = {**NOTE, "type": "claim", "target": "t"}
NAMES = {'a"b': 'a"b', "a\x1b[0mb": "a[0mb", "\r\n": "", "x" * 121: "x" * 120 + "…"}


@pytest.fixture
def edge() -> Edge:
    opened = make_edge(max_messages_per_channel=1, max_channel_creates_per_minute=1)
    opened.make_room()
    return opened


def append(edge: Edge, **fields: object) -> Answer:
    return edge.ask("POST", "/channels/room/append", {**NOTE, **fields}, "tok-alice")


def claim(edge: Edge, **fields: object) -> Answer:
    return edge.ask("POST", "/channels/room/claim", {**CLAIM, **fields}, "tok-alice")


def issues(answer: Answer) -> list[str]:
    assert answer.code == "invalid_message"
    return list(answer.json["error"]["issues"])


def test_a_401_says_no_more_than_that_it_is_one(edge: Edge) -> None:
    for token in (None, "wrong"):
        answer = edge.ask("POST", "/channels/room/append", NOTE, token)
        assert (answer.status, answer.json["error"]["message"]) == (401, "missing or invalid token")


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_field_is_named_without_its_control_characters(edge: Edge, name: str) -> None:
    assert issues(append(edge, **{name: 1})) == [f'unknown field "{NAMES[name]}"']


def test_control_characters_are_refused_in_the_words_that_are_known(edge: Edge) -> None:
    assert issues(append(edge, body="a\r\n")) == [
        "body must not contain control characters (tab and newline are allowed)"
    ]
    assert issues(append(edge, artifact="a\x1b")) == ["artifact must not contain control characters"]
    assert issues(append(edge, to=["a", "\x7f"])) == ["to entries must not contain control characters"]
    assert issues(claim(edge, target="a\x00b")) == ["target must not contain control characters"]
    assignee = {"agent_id": "a\n", "owner": "\x85"}
    answer = edge.ask("POST", "/channels/room/reassign", {**CLAIM, "assignee": assignee}, "tok-alice")
    assert issues(answer) == [
        "assignee.agent_id must not contain control characters",
        "assignee.owner must not contain control characters",
    ]


def test_too_many_recipients_are_counted(edge: Edge) -> None:
    assert issues(append(edge, to=["a"] * 33)) == ["to[] has more than 32 recipients (33)"]


def test_one_message_is_a_message(edge: Edge) -> None:
    assert append(edge).status == 201
    full = append(edge, body="other").json["error"]["message"]
    assert full == 'The channel "room" is full: it holds at most 1 message.'


def test_the_create_throttle_says_whose_it_is(edge: Edge) -> None:
    message = edge.ask("POST", "/channels", {"channel": "more"}, "tok-bob").json["error"]["message"]
    assert message == "Slow down: at most 1 channel creates/min per owner. Wait ~60s."


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_channel_name_is_quoted_with_its_pattern(edge: Edge, name: str) -> None:
    answer = edge.ask("POST", "/channels", {"channel": name}, "tok-bob")
    quoted = json.dumps(NAMES[name], ensure_ascii=False)
    assert answer.json["error"] == {
        "code": "invalid_channel_name",
        "message": f"The channel name {quoted} must match ^[a-z0-9][a-z0-9-]{{0,63}}$",
    }


@pytest.mark.parametrize(
    ("segment", "shown"), [("%zz", "%zz"), ("a%1", "a%1"), ("%" + "x" * 200, "%" + "x" * 119 + "…")]
)
def test_a_bad_percent_escape_is_shown_in_its_segment(edge: Edge, segment: str, shown: str) -> None:
    answer = edge.ask("GET", f"/channels/{segment}/x")
    assert answer.code == "invalid_request"
    assert answer.json["error"]["message"].endswith(f": {shown}")


# Where it is


DETAILS: list[tuple[dict[str, object], list[dict[str, Any]]]] = [
    (
        {"body": "one\r\ntwo\r\n\x1b[31mred"},
        [{"field": "body", "code_point": "U+000D", "index": 3, "count": 3}],
    ),
    ({"body": "\U0001f600\x9f"}, [{"field": "body", "code_point": "U+009F", "index": 1, "count": 1}]),
    ({"body": "x" * 16_001}, [{"field": "body", "length": 16_001, "limit": 16_000}]),
    ({"artifact": "x" * 1025}, [{"field": "artifact", "length": 1025, "limit": 1024}]),
    ({"to": ["a", "b\tc"]}, [{"field": "to[1]", "code_point": "U+0009", "index": 1, "count": 1}]),
    ({"to": ["a", "b" * 1025]}, [{"field": "to[1]", "length": 1025, "limit": 1024}]),
    ({"to": ["a"] * 40}, [{"field": "to", "length": 40, "limit": 32}]),
    (
        {"body": "\x00", "artifact": "\x01", "thread": "no", "to": []},
        [
            {"field": "body", "code_point": "U+0000", "index": 0, "count": 1},
            {"field": "artifact", "code_point": "U+0001", "index": 0, "count": 1},
        ],
    ),
    ({"status": "done"}, []),
]


@pytest.mark.parametrize(("fields", "details"), DETAILS)
def test_details_say_what_is_wrong_and_where(
    edge: Edge, fields: dict[str, object], details: list[dict[str, Any]]
) -> None:
    answer = append(edge, **fields)
    assert answer.json["error"].get("details", []) == details
    rebuilt = decode_error(answer.status, answer.body)
    assert isinstance(rebuilt, InvalidMessage)
    assert rebuilt.details == tuple(Detail(**one) for one in details)


def test_details_of_a_new_channels_fields(edge: Edge) -> None:
    answer = edge.ask("POST", "/channels", {"channel": "new", "purpose": "a\r"}, "tok-bob")
    assert answer.json["error"]["details"] == [
        {"field": "purpose", "code_point": "U+000D", "index": 1, "count": 1}
    ]
    answer = edge.ask("POST", "/channels", {"channel": "new", "purpose": "a" * 1025}, "tok-bob")
    assert answer.json["error"]["details"] == [{"field": "purpose", "length": 1025, "limit": 1024}]


async def test_in_process_a_lone_surrogate_is_found_too(edge: Edge) -> None:
    message = {**NOTE, "body": "a\ud800", "agent_id": "a", "owner": "o"}
    with pytest.raises(InvalidMessage) as caught:
        await edge.backbone.append("room", message)
    assert caught.value.issues == ("body must not contain unpaired surrogates",)
    assert caught.value.details == (Detail(field="body", code_point="U+D800", index=1, count=1),)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"body": tru}', {"offset": 9}),
        (b'{"body": ', {"offset": 9}),
        ('{"body": "\u00fc\x1b"}'.encode(), {"offset": 12}),
        (b'{"body": "\xff"}', {"offset": 10}),
        (b'{"body": "\\ud83d\\ude00 \\ud800"}', {"offset": 23, "code_point": "U+D800"}),
        (b'{"n": 1e999, "body": "\\udfff"}', {"offset": 22, "code_point": "U+DFFF"}),
        (b'{"body": NaN}', {"offset": 9}),
    ],
)
def test_json_that_does_not_parse_says_at_which_byte(edge: Edge, body: bytes, detail: dict[str, Any]) -> None:
    answer = edge.ask("POST", "/channels/room/append", body, "tok-alice")
    assert (answer.code, answer.json["error"]["details"]) == ("invalid_json", [detail])
    rebuilt = decode_error(answer.status, answer.body)
    assert isinstance(rebuilt, InvalidJson)
    assert rebuilt.detail == Detail(**detail)
