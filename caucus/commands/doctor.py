"""``caucus doctor``."""

from __future__ import annotations

import os

import click

from caucus.harnesses.checks import Check, of_backbone, of_command, of_configuration, of_harness
from caucus.harnesses.files import NotMerged
from caucus.harnesses.known import HARNESSES
from caucus.terminal import contexts
from caucus.terminal.here import Here, here
from caucus.terminal.lines import say


@click.command
@click.argument("harness", type=click.Choice(list(HARNESSES)), required=False)
@here
@click.pass_context
def doctor(ctx: click.Context, here: Here, harness: str | None) -> None:
    """Find out what is wrong between here, the backbone and a harness.

    Which caucus this is; whether the backbone is reached, takes writes and the token, has the room, and
    agrees on the time; whether each harness that is set up, or the one that is named, is so for this
    backbone, with a real round through its hook. The status is 1 if something is wrong.
    """
    home = contexts.home(os.environ)
    checks = [*of_command(), *of_configuration(), *of_backbone(here)]
    is_reached = all(one.is_good for one in checks if one.what in ("reach", "token"))
    for known in HARNESSES.values():
        try:
            is_set_up = bool(known.plan(home, os.environ, None))
        except NotMerged as error:
            if harness in (None, known.name):
                checks.append(
                    Check(known.name, harness is None, str(error), f"see caucus setup {known.name}")
                )
            continue
        if harness == known.name or (harness is None and is_set_up):
            checks += of_harness(here, known, home, is_set_up=is_set_up, is_reached=is_reached)
    for one in checks:
        say(_shown(one))
    ctx.exit(0 if all(one.is_good for one in checks) else 1)


def _shown(check: Check) -> str:
    sign = click.style("ok ", "green") if check.is_good else click.style("bad", "red")
    if check.is_good and check.advice:
        sign = click.style("hm ", "yellow")
    advice = f"\n     {check.advice}" if check.advice else ""
    return f"{sign}  {check.what}: {check.found}{advice}"
