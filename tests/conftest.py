"""How asynchronous tests run here, and what they may not leave behind.

pytest-twisted waits for a test's Deferred for ever, lets failures in lost Deferreds pass, and
does not mind a reactor that is left dirty: the hook and the fixtures here do.
"""

from __future__ import annotations

import functools
import gc
import inspect
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, sync_playwright
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

from caucus.settings import TRANSPORTS
from tests.browser import launch
from tests.daemon import Start
from tests.house import House
from tests.postgres import Cluster, binaries

DEADLINE_SECONDS = 20.0

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background job ignores it, and so would every daemon started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "caucus", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("caucus")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--http", default=TRANSPORTS[0], choices=TRANSPORTS, help="what the servers speak HTTP with"
    )
    parser.addoption(
        "--postgres",
        default="embedded",
        choices=("embedded", "system"),
        help="whose PostgreSQL it is: the wheel's, or the system's",
    )
    parser.addoption("--cuts", default=1000, type=int, help="how many power cuts a journal has to survive")
    parser.addoption("--storm", default=60, type=int, help="how many seconds daemons over PostgreSQL are hit")
    parser.addoption("--failovers", default=10, type=int, help="how often a standby takes over")
    parser.addoption("--kills", default=50, type=int, help="how often a daemon is killed under load")
    parser.addoption("--seeds", default=5, type=int, help="how many orders several backbones take turns in")
    parser.addoption("--histories", default=100, type=int, help="how many histories of claims are tried")
    parser.addoption("--pictures", help="the folder for pictures of the page, which are not kept without")
    parser.addoption(
        "--requests", default=20_000, type=int, help="how many are generated for both transports"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Say it to the daemons as well."""
    os.environ["CAUCUS_HTTP"] = config.getoption("--http")


def pytest_collection_finish() -> None:
    """Leave what was imported so far out of the collections after each test."""
    gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What speaks no HTTP needs no second run, on another transport."""
    if config.getoption("--http") != TRANSPORTS[0]:
        items[:] = [one for one in items if "in_process" not in one.name]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Give every ``async def`` test to pytest-twisted as a Deferred with a deadline."""
    test = pyfuncitem.obj
    if inspect.iscoroutinefunction(test):
        marker = pyfuncitem.get_closest_marker("deadline")
        seconds = marker.args[0] if marker else DEADLINE_SECONDS
        pyfuncitem.obj = _with_deadline(test, seconds)


def _with_deadline(test: Callable[..., Any], seconds: float) -> Callable[..., Deferred[Any]]:
    @functools.wraps(test)
    def started(*args: Any, **kwargs: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(test(*args, **kwargs)).addTimeout(seconds, reactor)

    return started


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    starter = Start(tmp_path)
    yield starter
    for daemon in starter.started:
        if daemon.process.poll() is None:
            daemon.process.kill()
        daemon.process.communicate()


@pytest.fixture
def pictures(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where pictures of the page go."""
    folder = Path(request.config.getoption("--pictures") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The one browser of all tests of the page; each has a window of its own."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


def _started(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A PostgreSQL, while it is used; none is a reason to skip."""
    programs = binaries(request.config.getoption("--postgres"))
    if programs is None:
        pytest.skip("no PostgreSQL is installed")
    cluster = Cluster(programs)
    try:
        yield cluster.make().start()
    finally:
        cluster.remove()


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """The one PostgreSQL of all tests, in which each takes a schema of its own."""
    yield from _started(request)


@pytest.fixture
def own_postgres(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A PostgreSQL of the test's own, since it is stopped or killed."""
    yield from _started(request)


@pytest_twisted.async_yield_fixture
async def house(postgres: Cluster) -> AsyncIterator[House]:
    """Backbones over one PostgreSQL."""
    house = House(postgres)
    yield house
    await house.close()


@pytest.fixture
def logged_failures() -> Iterator[list[Failure]]:
    """The failures logged during the test; one that expects some takes them out."""
    failures: list[Failure] = []

    @implementer(ILogObserver)
    def observe(event: LogEvent) -> None:
        if event.get("log_failure") is not None:
            failures.append(event["log_failure"])

    globalLogPublisher.addObserver(observe)
    yield failures
    globalLogPublisher.removeObserver(observe)


@pytest.fixture(autouse=True)
def _no_lost_failures(logged_failures: list[Failure]) -> Iterator[None]:
    yield
    gc.collect()  # a lost Deferred tells of its failure when it is collected
    if logged_failures:
        pytest.fail("failures were logged:\n" + "\n".join(one.getTraceback() for one in logged_failures))


@pytest.fixture(autouse=True)
def _clean_reactor() -> Iterator[None]:
    running: Any = reactor
    calls = set(running.getDelayedCalls())
    selectables = set(running.getReaders() + running.getWriters())
    yield
    selectables |= running._internalReaders  # its own wakers come with the first test
    late = [call for call in running.getDelayedCalls() if call not in calls]
    left = [one for one in running.getReaders() + running.getWriters() if one not in selectables]
    named = [f"{call.func} in {call.getTime() - running.seconds():.2f} s" for call in late]
    for call in late:
        call.cancel()
    for one in left:
        running.removeReader(one)
        running.removeWriter(one)
    if late or left:
        pytest.fail(f"the reactor is dirty: {named} {left}")
