"""Cases: what a message must be, and what is stored of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from caucus import errors
from caucus.model.fields import TYPES
from caucus.model.messages import Message
from caucus.testing.kit import Kit, fails_with_issues, refused, same

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def _appending(kit: Kit, fields: dict[str, object]) -> Callable[[], Any]:
    return lambda: kit.alice.wait(kit.alice.backbone.append("room", fields))


async def a_post_is_stored_as_it_was_sent(kit: Kit) -> None:
    await kit.open_room()
    sent = kit.alice.message(
        "question",
        "since when? ✓ é 漢字 🎉",
        thread=ULID,
        reply_to=ULID,
        to=("bob", "carol c"),
        status="needs-response",
        artifact="https://example.org/x",
    )
    appended = await kit.alice.wait(kit.alice.backbone.append("room", sent))
    stored = appended.message
    same(appended.cursor, 1)
    same((stored.v, bool(stored.ts)), (1, True))
    for name in (
        "type",
        "body",
        "msg_id",
        "agent_id",
        "owner",
        "thread",
        "reply_to",
        "to",
        "status",
        "artifact",
    ):
        same(getattr(stored, name), getattr(sent, name))
    same((await kit.bob.read()).messages, [stored])


async def the_server_says_v_and_ts(kit: Kit) -> None:
    await kit.open_room()
    fields = kit.alice.fields(v=99, ts="client")
    stored = (await _appending(kit, fields)()).message
    same(stored.v, 1)
    same(stored.ts == "client", False)


async def stamps_rise_strictly(kit: Kit) -> None:
    await kit.open_room()
    stamps = [(await kit.alice.post(f"{number}")).message.ts for number in range(12)]
    stamps.append((await kit.bob.create("other")).created_ts)
    same(stamps, sorted(set(stamps)))


async def what_a_caller_does_later_changes_nothing(kit: Kit) -> None:
    await kit.open_room()
    recipients = ["bob"]
    fields = kit.alice.fields(to=recipients)
    appended = await _appending(kit, fields)()
    recipients.append("mallory")
    fields["body"] = "forged"
    stored = (await kit.bob.read()).messages[0]
    same((stored.body, stored.to), ("text", ("bob",)))
    same(stored, appended.message)


async def a_field_that_is_none_is_absent(kit: Kit) -> None:
    await kit.open_room()
    stored = (await _appending(kit, kit.alice.fields(to=None, thread=None, status=None))()).message
    same((stored.to, stored.thread, stored.status), (None, None, None))


async def every_type_but_claim_is_appended(kit: Kit) -> None:
    await kit.open_room()
    for kind in sorted(TYPES - {"claim"}):
        same((await kit.alice.post("text", kind=kind)).message.type, kind)
    error = await refused(kit.alice.post("text", kind="claim", target="t"), errors.InvalidMessage)
    same(len(error.issues), 1)


async def each_wrong_value_gives_one_issue(kit: Kit) -> None:
    await kit.open_room()
    wrong: list[Any] = [
        *({"type": value} for value in ("Finding", "", 7, ["note"])),
        *(
            {"msg_id": value}
            for value in ("", 7, ULID.lower(), ULID[:-1], ULID + "0", ULID[:-1] + "U", "٠" * 26)
        ),
        *({"body": value} for value in ("", 7, ["x"], "cr\r", "\x07", "\x7f", "\x85", "\x00", "half \udfff")),
        *({name: value} for name in ("thread", "reply_to") for value in ("no", 7, "")),
        *({"to": value} for value in ([], "a", ["a", ""], ["a"] * 33, ["e\x1b"], [7], {"a": 1})),
        *({"status": value} for value in ("done", "", 7, ["fyi"])),
        *({"artifact": value} for value in ("", "x" * 1025, "a\nb", 7)),
        *({"ts": value} for value in ("", 7)),
        *({name: 1} for name in ("target", "lease_ttl", "heartbeat", "foo")),
    ]
    await fails_with_issues(1, *(_appending(kit, kit.alice.fields(**fields)) for fields in wrong))
    same(await kit.alice.head(), 0)


async def missing_fields_are_reported_together(kit: Kit) -> None:
    await kit.open_room()
    good = kit.alice.fields()
    bare = {name: good[name] for name in ("agent_id", "owner")}
    await fails_with_issues(3, _appending(kit, bare))
    await fails_with_issues(4, _appending(kit, {**bare, "nope": 1}))


async def ten_unknown_fields_are_named_and_the_rest_counted(kit: Kit) -> None:
    await kit.open_room()
    many = {f"k{number:02}": number for number in range(31)}
    error = await refused(_appending(kit, kit.alice.fields(**many))(), errors.InvalidMessage)
    same(len(error.issues), 11)
    same(sum("k0" in issue for issue in error.issues), 10)
    same("21" in error.issues[-1], True)


async def lengths_are_looked_at_when_nothing_else_is_wrong(kit: Kit) -> None:
    await kit.open_room()
    long_body, long_name = "x" * 16_001, "n" * 1025
    await fails_with_issues(
        1,
        _appending(kit, kit.alice.fields(body=long_body)),
        _appending(kit, kit.alice.fields(to=["a", long_name])),
        _appending(kit, kit.alice.fields(body=long_body, to=[long_name])),
        _appending(kit, kit.alice.fields(body=long_body, to=[long_name], foo=1)),
    )
    await _appending(kit, kit.alice.fields(body="🎉" * 16_000, to=["n" * 1024] * 32))()


async def an_error_quotes_little_and_nothing_harmful(kit: Kit) -> None:
    await kit.open_room()
    error = await refused(
        _appending(kit, kit.alice.fields(**{"\x1b[31m" + "y" * 500: 1}))(), errors.InvalidMessage
    )
    same("\x1b" in str(error), False)
    same("y" * 130 in str(error), False)


async def any_crockford_letter_may_begin_a_ulid(kit: Kit) -> None:
    await kit.open_room()
    same((await kit.alice.post("text", msg_id="Z" * 26)).message.msg_id, "Z" * 26)


async def a_made_message_has_a_fresh_msg_id(kit: Kit) -> None:
    await kit.open_room()
    first, second = Message("note", "one"), Message("note", "two")
    same(first.msg_id == second.msg_id, False)
    same((await kit.alice.post("one")).message.msg_id == first.msg_id, False)


CASES = [
    a_post_is_stored_as_it_was_sent,
    the_server_says_v_and_ts,
    stamps_rise_strictly,
    what_a_caller_does_later_changes_nothing,
    a_field_that_is_none_is_absent,
    every_type_but_claim_is_appended,
    each_wrong_value_gives_one_issue,
    missing_fields_are_reported_together,
    ten_unknown_fields_are_named_and_the_rest_counted,
    lengths_are_looked_at_when_nothing_else_is_wrong,
    an_error_quotes_little_and_nothing_harmful,
    any_crockford_letter_may_begin_a_ulid,
    a_made_message_has_a_fresh_msg_id,
]
