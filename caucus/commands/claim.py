"""``caucus claim``."""

from __future__ import annotations

import os
import shutil
from typing import Any

import click

from caucus.agents.quoting import in_line
from caucus.agents.wording import left, lost, targets as on
from caucus.terminal.asking import in_room
from caucus.terminal.exits import LOST, Failed
from caucus.terminal.here import Here, here
from caucus.terminal.holding import Ending, Held, wait_for
from caucus.terminal.lines import as_json, say

WHILE_RUNNING = 60
"""The lease behind a command, in seconds: it is renewed all the time, and ends soon after whoever does so."""


class _Targets(click.Command):
    """Keeps apart what stands before ``--`` and after it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else len(args)
        ctx.meta["caucus.command"] = args[at + 1 :] if at < len(args) else None
        return super().parse_args(ctx, args[:at])


@click.command(cls=_Targets, options_metavar="[OPTIONS]")
@click.argument("targets", metavar="TARGET... [-- COMMAND...]", nargs=-1, required=True)
@click.option("-m", "--note", metavar="TEXT", default="", help="What for.")
@click.option("--wait", is_flag=True, help="Wait in line for what somebody else holds.")
@click.option("--shared", is_flag=True, help="Beside others who claim it shared.")
@click.option("--takeover", is_flag=True, help="Take the place of your owner's other claims.")
@click.option(
    "--lease", metavar="SECONDS", type=click.IntRange(10, 86_400), help="How long it outlives a sign of life."
)
@click.option("--json", "is_json", is_flag=True, help="Print the claim.")
@here
@click.pass_context
def claim(
    ctx: click.Context,
    here: Here,
    targets: tuple[str, ...],
    note: str,
    wait: bool,
    shared: bool,
    takeover: bool,
    lease: int | None,
    is_json: bool,
) -> None:
    """Take targets before work begins; hold them while a command runs.

    All TARGETS or none. One that ends in / is a folder with all that lies in it. With a COMMAND the claim is
    held while that runs, renewed, and given back after it; CAUCUS_CLAIM and CAUCUS_FENCE are in its
    environment. It is ended by SIGTERM when the claim is lost, and the status is that of the command, or 3.
    Without one the claim lives as long as requests come with the same token.
    """
    command = ctx.meta["caucus.command"]
    if command is not None:
        _require(command)
    wanted: dict[str, Any] = {
        "targets": list(targets),
        "note": note or (f"running {os.path.basename(command[0])}" if command else "claimed from a terminal"),
        "mode": "shared" if shared else "exclusive",
        "wait": wait,
        "takeover": takeover,
        "renewal": "activity" if command is None else "explicit",
    }
    if lease is not None or command is not None:
        wanted["lease_ttl"] = lease or WHILE_RUNNING
    room, ending = here.room, Ending()
    with ending.minded():
        with ending.kept():
            answer = here.asker.ask("POST", in_room(room, "claims"), wanted)
        if answer.outcome == "already_claimed":
            hint = "" if wait else "; --wait stands in line"
            raise Failed(lost(answer.conflicts) + hint, LOST)
        if answer.outcome == "already_yours" and command is not None:
            own = f"you hold #{answer.claim.claim} on that already, {in_line(answer.claim.note)}"
            raise Failed(f"{own}: nobody waits for themselves. Is something running under it?", LOST)
        found = wait_for(here, answer.claim, ending)
        if command is not None:
            ctx.exit(Held(here, found, ending).run(command))
    again = "already yours" if answer.outcome == "already_yours" else "yours"
    if command is None and len(targets) > 1 and shutil.which(targets[1]):
        say("caucus: nothing was run: a command stands behind --", err=True)
    say(as_json(found) if is_json else f"{again}: #{found.claim} {on(found)}, {left(found)}")


def _require(command: list[str]) -> None:
    if not command:
        raise click.UsageError("A command must follow --.")
    if shutil.which(command[0]) is None:
        raise Failed(f"{command[0]}: there is no such command", 127)
