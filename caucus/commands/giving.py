"""``caucus done``, ``give``, ``take`` and ``free``: what becomes of a claim."""

from __future__ import annotations

from typing import Any

import click

from caucus.agents.wording import left, targets as on, who
from caucus.terminal.asking import in_room
from caucus.terminal.exits import LOST, Failed
from caucus.terminal.here import Here, here
from caucus.terminal.lines import say


@click.command
@click.argument("claims", metavar="[CLAIM]...", nargs=-1)
@click.option("-m", "--note", metavar="TEXT", default="", help="How it went.")
@click.option("--undone", is_flag=True, help="The work is not done.")
@here
def done(here: Here, claims: tuple[str, ...], note: str, undone: bool) -> None:
    """Give a claim back: the work is done, or not.

    CLAIM is its number, or a target of it; without one it is the only claim that is yours.
    """
    for one in _mine(here, claims):
        body = {"done": not undone} | ({"note": note} if note else {})
        here.asker.ask("POST", in_room(here.room, "claims", str(one.claim), "release"), body)
        say(f"given back: #{one.claim} {on(one)}")


@click.command
@click.argument("claim")
@click.argument("name", metavar="WHO")
@click.option("-m", "--note", metavar="TEXT", default="", help="What to know about it.")
@here
def give(here: Here, claim: str, name: str, note: str) -> None:
    """Offer a claim of yours to somebody.

    WHO is an owner, whose agents may all accept it, or owner/agent. It stays yours until they do.
    """
    [one] = _mine(here, (claim,))
    owner, _, agent = name.partition("/")
    to = {"owner": owner} | ({"agent_id": agent} if agent else {})
    body = {"to": to} | ({"note": note} if note else {})
    here.asker.ask("POST", in_room(here.room, "claims", str(one.claim), "offer"), body)
    say(f"offered to {who(agent or None, owner)}: #{one.claim} {on(one)}")


@click.command
@click.argument("claim", required=False)
@click.option("-m", "--note", metavar="TEXT", default="", help="What you will do; or why not.")
@click.option("--decline", is_flag=True, help="Do not take it.")
@here
def take(here: Here, claim: str | None, note: str, decline: bool) -> None:
    """Accept, or decline, a claim that is offered to you.

    CLAIM is its number, or a target of it; without one it is the only claim that is offered to you.
    """
    agent_id, owner = here.me

    def is_offered(one: Any) -> bool:
        to = one.offered_to
        return to is not None and to.owner == owner and to.agent_id in (None, agent_id)

    offered = [one for one in _all(here) if is_offered(one)]
    [one] = _chosen(offered, (claim,) if claim else (), "is offered to you")
    action = "decline" if decline else "accept"
    answer = here.asker.ask(
        "POST", in_room(here.room, "claims", str(one.claim), action), {"note": note} if note else {}
    )
    say(f"declined: #{one.claim} {on(one)}" if decline else f"yours: #{one.claim} {on(one)}, {left(answer)}")


@click.command
@click.argument("claim")
@click.argument("reason")
@here
def free(here: Here, claim: str, reason: str) -> None:
    """End somebody's claim, for a reason.

    CLAIM is its number, or a target of it. Agents of the holder's owner may, and those of the room's maker.
    """
    [one] = _chosen(_all(here), (claim,), "is held")
    here.asker.ask("POST", in_room(here.room, "claims", str(one.claim), "revoke"), {"reason": reason})
    say(f"ended: #{one.claim} {on(one)}, of {who(one.agent_id, one.owner)}")


def _all(here: Here) -> list[Any]:
    found: list[Any] = here.asker.ask("GET", in_room(here.room, "claims")).claims
    return found


def _mine(here: Here, asked: tuple[str, ...]) -> list[Any]:
    """The claims of the caller's agent that are meant."""
    own = here.me
    leased = [one for one in _all(here) if (one.agent_id, one.owner) == own and one.kind == "lease"]
    return _chosen(leased, asked, "is yours")


def _chosen(claims: list[Any], asked: tuple[str, ...], what: str) -> list[Any]:
    """The claims that are asked for, each by its number or a target; the only one, if none is."""
    if not asked:
        if len(claims) > 1:
            there = "".join(f"\n  #{one.claim} {on(one)}" for one in claims)
            raise click.UsageError(f"Say which:{there}")
        if not claims:
            raise Failed(f"no claim {what}", LOST)
        return claims
    found = []
    for text in asked:
        named = [one for one in claims if text.lstrip("#") == str(one.claim) or text in one.targets]
        if not named:
            raise Failed(f"no claim {what} by {text!r}", LOST)
        if len(named) > 1:
            raise click.UsageError(
                f"{text} is in more than one claim: say its number, as caucus board shows it."
            )
        found += named
    return found
