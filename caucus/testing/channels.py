"""Cases: channels, their descriptors, and who may make how many."""

from __future__ import annotations

from msgspec.structs import replace

from caucus import errors
from caucus.testing.kit import Kit, fails_with_issues, issues_of, refused, same

BAD_NAMES = ("", "A", "-a", "a_b", "a.b", "a b", "é", "a" * 65, "a\n", "..", "a/b", "n" * 8000)


async def a_new_channel_has_the_defaults(kit: Kit) -> None:
    await kit.open()
    made = await kit.bob.create("room")
    same((made.channel, made.kind, made.head), ("room", "ephemeral", 0))
    same((made.verbosity, made.render_budget_chars, made.created_by), ("quiet", 200, "bob"))
    same(made.purpose in (None, ""), True)


async def a_channel_keeps_what_it_was_made_with(kit: Kit) -> None:
    await kit.open()
    fields = {"purpose": "tab\tand\nline", "verbosity": "chatty", "render_budget_chars": 8000}
    made = await kit.bob.create("room", **fields)
    same((made.purpose, made.verbosity, made.render_budget_chars), tuple(fields.values()))
    same(await kit.alice.wait(kit.alice.backbone.describe_channel("room")), made)


async def none_means_the_default(kit: Kit) -> None:
    await kit.open()
    made = await kit.bob.create("room", verbosity=None, render_budget_chars=None)
    same((made.verbosity, made.render_budget_chars), ("quiet", 200))


async def a_descriptor_shows_the_live_head(kit: Kit) -> None:
    await kit.open()
    made = await kit.bob.create("room")
    await kit.alice.post("one")
    shown = await kit.alice.wait(kit.alice.backbone.describe_channel("room"))
    same(shown, replace(made, head=1))


async def channels_are_listed_in_order_of_creation(kit: Kit) -> None:
    await kit.open()
    made = [await kit.bob.create(name) for name in ("zebra", "apple", "mango")]
    same(await kit.alice.wait(kit.alice.backbone.list_channels()), made)


async def names_at_the_edge_of_the_rule_are_taken(kit: Kit) -> None:
    await kit.open()
    for name in ("0", "a-", "a--b", "a" * 64):
        same((await kit.bob.create(name)).channel, name)


async def a_bad_name_is_refused_everywhere(kit: Kit) -> None:
    await kit.open()
    alice, backbone = kit.alice, kit.alice.backbone
    for name in BAD_NAMES:
        for operation in (
            alice.create(name),
            alice.wait(backbone.describe_channel(name)),
            alice.post("text", name),
            alice.read(0, None, name),
            alice.claim("t", name),
            alice.head(name),
        ):
            error = await refused(operation, errors.InvalidChannelName)
            same(error.channel is not None and len(error.channel) <= 121, True)


async def a_name_that_is_no_string_is_refused(kit: Kit) -> None:
    await kit.open()
    for name in (7, None, ["a"], {"a": 1}, True):
        error = await refused(kit.alice.create(name), errors.InvalidChannelName)  # type: ignore[arg-type]
        same(error.channel, None)


async def an_unknown_channel_is_named_by_every_operation(kit: Kit) -> None:
    await kit.open()
    alice, backbone, address = kit.alice, kit.alice.backbone, "0" * 64
    claim = alice.message("claim", "mine", target="t")
    for operation in (
        backbone.describe_channel("nowhere"),
        backbone.append("nowhere", alice.message("note", "text")),
        backbone.read_since("nowhere", 0),
        backbone.claim("nowhere", claim),
        backbone.reassign_claim("nowhere", claim, kit.bob.identity),
        backbone.mark_claim_done("nowhere", claim),
        backbone.subscribe("nowhere"),
        backbone.put_artifact("nowhere", address, b"x"),
        backbone.get_artifact("nowhere", address),
    ):
        error = await refused(alice.wait(operation), errors.UnknownChannel)
        same(error.channel, "nowhere")


async def a_name_is_taken_once(kit: Kit) -> None:
    await kit.open()
    await kit.bob.create("room")
    error = await refused(kit.alice.create("room"), errors.ChannelExists)
    same(error.channel, "room")


async def each_bad_field_gives_one_issue(kit: Kit) -> None:
    await kit.open()
    bad = (
        {"purpose": 7},
        {"purpose": "x" * 1025},
        {"purpose": "cr\r"},
        {"purpose": "esc\x1b[31m"},
        {"purpose": "half \ud800"},
        {"verbosity": "loud"},
        {"verbosity": 7},
        {"render_budget_chars": 0},
        {"render_budget_chars": 8001},
        {"render_budget_chars": 1.5},
        {"render_budget_chars": "9"},
        {"render_budget_chars": True},
    )
    await fails_with_issues(1, *(lambda fields=fields: kit.bob.create("room", **fields) for fields in bad))
    await kit.bob.create("room", purpose="x" * 1024, render_budget_chars=1)


async def fields_are_checked_in_the_order_of_the_signature(kit: Kit) -> None:
    await kit.open()
    issues = await issues_of(kit.bob.create("room", purpose=7, verbosity="loud", render_budget_chars=0))
    same([issue.partition(":")[0] for issue in issues], ["purpose"])


async def an_existing_name_outranks_bad_fields(kit: Kit) -> None:
    await kit.open()
    await kit.bob.create("room")
    await refused(kit.bob.create("room", purpose=7), errors.ChannelExists)


async def there_are_only_so_many_channels(kit: Kit) -> None:
    await kit.open(max_channels=2, max_channel_creates_per_minute=2)
    await kit.bob.create("one")
    await kit.bob.create("two")
    # The cap outranks the throttle, bad fields outrank the cap.
    error = await refused(kit.bob.create("three"), errors.ChannelLimit)
    same(error.limit, 2)
    await refused(kit.bob.create("three", purpose=7), errors.InvalidMessage)


async def an_owner_creates_only_so_many_in_a_window(kit: Kit) -> None:
    await kit.open(max_channel_creates_per_minute=2)
    await kit.alice.create("one")
    kit.clock.advance(20)
    await kit.alice_too.create("two")
    error = await refused(kit.alice.create("three"), errors.RateLimited)
    same((error.limit, error.scope, error.retry_after), (2, "channel_creates", 40))
    await kit.bob.create("three")
    kit.clock.advance(40)
    await kit.alice.create("four")


async def a_refused_channel_charges_nothing(kit: Kit) -> None:
    await kit.open(max_channel_creates_per_minute=1)
    await refused(kit.alice.create("BAD"), errors.InvalidChannelName)
    await refused(kit.alice.create("room", purpose=7), errors.InvalidMessage)
    await kit.alice.create("room")


CASES = [
    a_new_channel_has_the_defaults,
    a_channel_keeps_what_it_was_made_with,
    none_means_the_default,
    a_descriptor_shows_the_live_head,
    channels_are_listed_in_order_of_creation,
    names_at_the_edge_of_the_rule_are_taken,
    a_bad_name_is_refused_everywhere,
    a_name_that_is_no_string_is_refused,
    an_unknown_channel_is_named_by_every_operation,
    a_name_is_taken_once,
    each_bad_field_gives_one_issue,
    fields_are_checked_in_the_order_of_the_signature,
    an_existing_name_outranks_bad_fields,
    there_are_only_so_many_channels,
    an_owner_creates_only_so_many_in_a_window,
    a_refused_channel_charges_nothing,
]
