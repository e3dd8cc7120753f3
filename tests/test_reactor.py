"""The daemon's reactor: it calls what is ready, then what wants to come after, and outlives what fails."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.main import CONNECTION_LOST
from twisted.python import log
from twisted.python.failure import Failure

from caucus import reactor as module

pytestmark = pytest.mark.skipif(not module.HAS_EPOLL, reason="epoll is Linux's")


class Pipe:
    """One descriptor that is ready to be read, and what is done when it is."""

    def __init__(self, read: Callable[[], object]) -> None:
        self.lost: list[Failure] = []
        self._read = read
        self._from, self._to = os.pipe()
        os.write(self._to, b".")

    def fileno(self) -> int:
        return self._from

    def logPrefix(self) -> str:
        return "a pipe"

    def doRead(self) -> object:
        os.read(self._from, 1)
        return self._read()

    def connectionLost(self, reason: Failure) -> None:
        self.lost.append(reason)

    def close(self) -> None:
        os.close(self._from)
        os.close(self._to)


@pytest.fixture(params=["directly", "as Twisted does"])
def reactor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A reactor that nobody runs; also where Twisted has not the names that are used."""
    if request.param != "directly":
        monkeypatch.setattr(module, "_NAMES", ("_of_another_version",))
    made: Any = module.TurnReactor()
    made.running = True
    pipes: list[Any] = [made.waker]
    made.pipe = lambda read: _ready(made, pipes, read)
    yield made
    made.removeAll()
    pipes.pop(0).connectionLost(Failure(CONNECTION_LOST))
    for pipe in pipes:
        pipe.close()
    made._poller.close()


def _ready(reactor: Any, pipes: list[Any], read: Callable[[], object]) -> Pipe:
    pipe = Pipe(read)
    pipes.append(pipe)
    reactor.addReader(pipe)
    return pipe


@pytest.fixture
def logged() -> Iterator[list[type]]:
    """The types of what has failed, as it was logged."""
    types: list[type] = []

    def observe(event: dict[str, Any]) -> None:
        if event.get("isError"):
            types.append(event["failure"].type)

    log.addObserver(observe)
    yield types
    log.removeObserver(observe)


def test_the_end_of_a_turn_comes_after_all_that_is_ready(reactor: Any) -> None:
    done: list[str] = []

    def read() -> None:
        if not done:
            module.at_end_of_turn(reactor, lambda: done.append("end"))
        done.append("read")

    reactor.pipe(read)
    reactor.pipe(read)
    reactor.doPoll(0)
    assert done == ["read", "read", "end"]


def test_what_timers_leave_for_the_end_of_a_turn_is_not_waited_with(reactor: Any) -> None:
    done: list[str] = []
    module.at_end_of_turn(reactor, lambda: reactor.pipe(lambda: done.append("read")))
    reactor.doPoll(None)  # for ever, but for what is done before
    assert done == ["read"]


def test_a_timer_that_is_set_at_the_end_of_a_turn_is_not_waited_beyond(reactor: Any) -> None:
    done: list[str] = []
    module.at_end_of_turn(reactor, lambda: reactor.callLater(0, done.append, "timer"))
    reactor.doPoll(None)
    reactor.runUntilCurrent()
    assert done == ["timer"]


def test_what_fails_as_it_reads_is_logged_and_loses_its_connection_alone(
    reactor: Any, logged: list[type]
) -> None:
    done: list[str] = []
    failing = reactor.pipe(lambda: 1 / 0)
    whole = reactor.pipe(lambda: done.append("read"))
    reactor.doPoll(0)
    assert done == ["read"]
    assert (len(failing.lost), len(whole.lost)) == (1, 0)
    assert logged == [ZeroDivisionError]
    assert failing not in reactor.getReaders()


def test_a_step_that_is_left_by_a_step_is_not_waited_with(reactor: Any) -> None:
    done: list[str] = []

    def first() -> None:
        module.at_end_of_turn(reactor, lambda: done.append("second"))
        done.append("first")

    module.at_end_of_turn(reactor, first)
    reactor.doPoll(None)
    assert done == ["first", "second"]


def test_a_reactor_that_is_stopped_at_the_end_of_a_turn_waits_for_nothing(reactor: Any) -> None:
    module.at_end_of_turn(reactor, reactor.crash)
    reactor.doPoll(None)
    assert not reactor.running


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit])
def test_a_step_that_fails_is_logged_and_the_next_are_done(
    reactor: Any, logged: list[type], error: type[BaseException]
) -> None:
    def fail() -> None:
        raise error

    done: list[str] = []
    module.at_end_of_turn(reactor, fail)
    module.at_end_of_turn(reactor, lambda: done.append("step"))
    reactor.doPoll(0)
    assert done == ["step"]
    assert logged == [error]


def test_on_another_reactor_the_end_of_a_turn_is_a_timer() -> None:
    class Other:
        def callLater(self, seconds: float, step: Callable[[], object]) -> None:
            assert seconds == 0
            step()

    done: list[str] = []
    module.at_end_of_turn(Other(), lambda: done.append("end"))
    assert done == ["end"]


def _reactor_after(code: str) -> str:
    """The type of the reactor that there is after some Python, in a process of its own."""
    told = "from twisted.internet import reactor\nprint(type(reactor).__name__)"
    command = [sys.executable, "-c", f"{code}\n{told}"]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()[-1]


def test_the_daemon_runs_on_it() -> None:
    code = """
import sys
from contextlib import suppress
from caucus.commands.backbone import main
sys.argv = ["caucus-backbone", "--version"]
with suppress(SystemExit):
    main()
"""
    assert _reactor_after(code) == "TurnReactor"


def test_where_there_is_one_already_the_daemon_runs_on_that() -> None:
    code = """
import sys
from contextlib import suppress
from twisted.internet import pollreactor
pollreactor.install()
from caucus.commands.backbone import main
sys.argv = ["caucus-backbone", "--version"]
with suppress(SystemExit):
    main()
"""
    assert _reactor_after(code) == "PollReactor"


def test_twist_has_it_by_name() -> None:
    code = """
from twisted.application.reactors import installReactor
installReactor("caucus")
"""
    assert _reactor_after(code) == "TurnReactor"
