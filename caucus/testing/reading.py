"""Cases: cursors and pages."""

from __future__ import annotations

from caucus import errors
from caucus.testing.kit import Kit, refused, same


async def _seven(kit: Kit, **limits: int) -> None:
    await kit.open_room(**limits)
    for number in range(7):
        await kit.alice.post(f"m{number}")


async def a_page_holds_what_follows_the_cursor(kit: Kit) -> None:
    await _seven(kit)
    page = await kit.bob.read(3)
    same([message.body for message in page.messages], ["m3", "m4", "m5", "m6"])
    same(page.cursor, 7)


async def an_empty_page_means_caught_up(kit: Kit) -> None:
    await _seven(kit)
    page = await kit.bob.read(7)
    same((page.messages, page.cursor), ([], 7))
    same(await kit.bob.head(), 7)


async def a_limit_cuts_the_page(kit: Kit) -> None:
    await _seven(kit)
    page = await kit.bob.read(2, 3)
    same(([message.body for message in page.messages], page.cursor), (["m2", "m3", "m4"], 5))


async def pages_joined_are_the_log(kit: Kit) -> None:
    await _seven(kit)
    whole = (await kit.bob.read(0)).messages
    joined, cursor = [], 0
    while cursor < 7:
        page = await kit.bob.read(cursor, 2)
        joined += page.messages
        cursor = page.cursor
    same(joined, whole)


async def a_large_or_missing_limit_is_clamped(kit: Kit) -> None:
    await _seven(kit, max_read_limit=4)
    for limit in (None, 5, 10**9, 1e300):
        same((await kit.bob.read(0, limit)).cursor, 4)


async def whole_floats_are_integers(kit: Kit) -> None:
    await _seven(kit)
    page = await kit.bob.read(2.0, 2e0)
    same(page.cursor, 4)


async def a_cursor_outside_the_log_is_refused(kit: Kit) -> None:
    await _seven(kit)
    for cursor in (8, -1, 1.5, "0", True, None, float("inf"), float("nan"), 10**400, [0]):
        await refused(kit.bob.read(cursor), errors.InvalidCursor)


async def a_limit_must_be_a_positive_integer(kit: Kit) -> None:
    await _seven(kit)
    for limit in (0, -1, 1.5, "3", True, float("inf"), [1]):
        await refused(kit.bob.read(0, limit), errors.InvalidCursor)


CASES = [
    a_page_holds_what_follows_the_cursor,
    an_empty_page_means_caught_up,
    a_limit_cuts_the_page,
    pages_joined_are_the_log,
    a_large_or_missing_limit_is_clamped,
    whole_floats_are_integers,
    a_cursor_outside_the_log_is_refused,
    a_limit_must_be_a_positive_integer,
]
