"""Who watches a channel is told once a decision is whole, and harms nobody by what it does then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from caucus.core.backbone import Backbone
from caucus.errors import RateLimited
from caucus.interfaces import IJournal
from caucus.journals.memory import MemoryJournal
from caucus.limits import Limits
from caucus.model.messages import Message
from tests.journals import SlowJournal


def note(body: str) -> Message:
    return Message("note", body, agent_id="a", owner="o")


def outcome(operation: Deferred[Any]) -> Any:
    outcomes: list[Any] = []
    operation.addBoth(outcomes.append)
    return outcomes[0].value if isinstance(outcomes[0], Failure) else outcomes[0]


@pytest.fixture(params=["memory", "slow"])
def backbone(request: pytest.FixtureRequest) -> Backbone:
    """Over a journal that is durable at once, and over one that is so later."""
    journal: IJournal = MemoryJournal() if request.param == "memory" else SlowJournal()
    opened = Backbone(journal, Clock(), Limits(max_posts_per_minute=1))
    opened.create_channel("room")
    settle(opened)
    return opened


def settle(backbone: Backbone) -> None:
    if isinstance(backbone.journal, SlowJournal):
        backbone.journal.sync()


def test_a_watcher_that_posts_has_one_budget_like_everybody(backbone: Backbone) -> None:
    posted: list[Deferred[Any]] = []

    def answer_back() -> None:
        if len(posted) < 6:
            posted.append(backbone.append("room", note(f"again {len(posted)}")))

    backbone.watch("room", answer_back)
    first = backbone.append("room", note("first"))
    settle(backbone)
    assert outcome(first).cursor == 1
    settle(backbone)
    assert [type(outcome(one)) for one in posted] == [RateLimited]
    assert outcome(backbone.subscribe("room")) == 1


def test_a_watcher_that_fails_fails_neither_the_write_nor_the_others(
    backbone: Backbone, logged_failures: list[Failure]
) -> None:
    woken: list[int] = []

    def fail() -> None:
        raise RuntimeError("mine")

    backbone.watch("room", fail)
    backbone.watch("room", lambda: woken.append(outcome(backbone.subscribe("room"))))
    posting = backbone.append("room", note("first"))
    settle(backbone)
    assert outcome(posting).cursor == 1
    assert woken == [1]
    assert [str(one.value) for one in logged_failures] == ["mine"]
    logged_failures.clear()


def test_a_watch_that_another_watcher_ended_is_not_woken(backbone: Backbone) -> None:
    woken: list[str] = []
    ends: list[Callable[[], None]] = []

    def first() -> None:
        woken.append("first")
        ends[0]()
        ends[0]()  # which is nothing to anybody else

    backbone.watch("room", first)
    ends.append(backbone.watch("room", lambda: woken.append("second")))
    backbone.append("room", note("one"))
    settle(backbone)
    assert woken == ["first"]
