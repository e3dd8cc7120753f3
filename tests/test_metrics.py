"""What is counted, and who is shown it."""

from __future__ import annotations

import http.client
import re
import threading
from collections import Counter as Tally
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread

from caucus import Backbone, HTTPBackbone, Limits, MemoryJournal, Message, start_server
from caucus.errors import CaucusError, ConfigurationError
from caucus.metrics import Counter, Histogram, Reading
from caucus.settings import Settings
from caucus.web.exposition import exposition
from caucus.wire.refusals import STATUS
from tests.daemon import Start, ask
from tests.journals import SlowJournal
from tests.metrics import Samples, of, samples_of
from tests.raw import make_edge

UNITS = ("_total", "_seconds", "_bytes", "_events", "_info")
nothing: Any = None
THINGS = {
    "caucus_ready",
    "caucus_connections",
    "caucus_streams",
    "caucus_channels",
    "caucus_claims",
    "caucus_waiting_claims",
    "caucus_waiting_requests",
    "caucus_agents",
    "caucus_owed",
}


def scraped(url: str) -> str:
    host, _, port = url.removeprefix("http://").rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.getheader("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    return answer.read().decode()


def test_a_counter_counts_for_each_combination_of_labels() -> None:
    counter = Counter("caucus_x_total", "X.", ("a", "b"))
    counter.add(("1", "2"))
    counter.add(("1", "3"), 4)
    counter.add(("1", "2"))
    assert counter.values() == {("1", "2"): 2, ("1", "3"): 4}


def test_a_bucket_holds_what_is_at_most_its_bound() -> None:
    histogram = Histogram("caucus_x_seconds", "X.", (1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 9.0):
        histogram.observe(value)
    assert list(histogram.cells()) == [((), [2, 1, 1], 12.0)]
    shown = samples_of(exposition([histogram]).decode())
    buckets = [shown["caucus_x_seconds_bucket", (("le", bound),)] for bound in ("1.0", "2.0", "+Inf")]
    assert buckets == [2, 3, 4]
    assert shown["caucus_x_seconds_count", ()] == 4


def test_what_nothing_has_happened_to_is_shown_as_nothing() -> None:
    nothing = (Counter("caucus_x_total", "X."), Histogram("caucus_y_seconds", "Y.", (1.0,)))
    shown = samples_of(exposition(nothing).decode())
    assert (shown["caucus_x_total", ()], shown["caucus_y_seconds_count", ()]) == (0, 0)


def test_text_in_a_label_breaks_no_line() -> None:
    odd = 'a"b\\c\nd'
    values: dict[tuple[str, ...], float] = {(odd,): 1.0}
    shown = samples_of(exposition([Reading("caucus_x", "X.", lambda: values, ("one",))]).decode())
    assert shown["caucus_x", (("one", odd),)] == 1


def note(body: str) -> Message:
    return Message("note", body, agent_id="a", owner="o")


def claim(target: str, owner: str = "o", **fields: Any) -> Message:
    return Message("claim", "mine", agent_id="a", owner=owner, target=target, **fields)


def test_operations_are_counted_by_what_was_decided() -> None:
    backbone = Backbone(MemoryJournal(), Clock(), Limits(max_posts_per_minute=4))
    backbone.create_channel("room")
    backbone.append("room", note("x"))
    backbone.append("room", note("x")).addErrback(lambda failure: failure.trap(CaucusError))
    backbone.claim("room", claim("t"))
    backbone.claim("room", claim("t", "p"))
    backbone.mark_claim_done("room", claim("u"))

    def decided(operation: str, outcome: str) -> float:
        return of(backbone.metrics, "caucus_operations_total", operation=operation, outcome=outcome)

    assert (decided("create_channel", "done"), decided("append", "done")) == (1, 1)
    assert decided("append", "refused") == 1
    assert (decided("claim", "granted"), decided("claim", "already_claimed")) == (1, 1)
    assert decided("mark_claim_done", "not_held") == 1
    assert of(backbone.metrics, "caucus_messages_total") == 2


def test_a_claim_is_held_until_it_lapses() -> None:
    clock = Clock()
    backbone = Backbone(MemoryJournal(), clock)
    backbone.create_channel("room")
    backbone.claim("room", claim("t", lease_ttl=10))
    backbone.claim("room", claim("u"))
    assert of(backbone.metrics, "caucus_claims") == 2
    clock.advance(10)
    assert of(backbone.metrics, "caucus_claims") == 1


def test_an_event_is_pending_until_it_is_durable() -> None:
    clock, journal = Clock(), SlowJournal()
    clock.advance(100)
    backbone = Backbone(journal, clock)
    backbone.create_channel("room")
    journal.sync()
    clock.advance(5)
    backbone.append("room", note("x"))
    instant = "caucus_last_durable_event_timestamp_seconds"
    assert (of(backbone.metrics, "caucus_pending_events"), of(backbone.metrics, instant)) == (1, 100)
    journal.sync()
    assert (of(backbone.metrics, "caucus_pending_events"), of(backbone.metrics, instant)) == (0, 105)


def test_an_event_that_was_lost_never_was_the_last_durable_one() -> None:
    clock, journal = Clock(), SlowJournal()
    backbone = Backbone(journal, clock)
    backbone.replay()
    clock.advance(100)
    backbone.create_channel("room")
    journal.sync()
    clock.advance(5)
    posting = backbone.append("room", note("x"))
    journal.lose()
    posting.addErrback(lambda failure: failure.trap(CaucusError))
    assert of(backbone.metrics, "caucus_last_durable_event_timestamp_seconds") == 100


def test_a_bug_is_not_counted_as_a_refusal() -> None:
    backbone = Backbone(MemoryJournal(), Clock())
    backbone.create_channel("room")
    backbone._core.stamps = nothing
    backbone.append("room", note("x")).addErrback(lambda failure: failure.trap(AttributeError))
    assert of(backbone.metrics, "caucus_operations_total", operation="append", outcome="failed") == 1


def test_it_is_ready_while_writes_are_taken() -> None:
    journal = SlowJournal()
    backbone = Backbone(journal, Clock())
    assert of(backbone.metrics, "caucus_ready") == 1
    journal.refusing = True
    assert of(backbone.metrics, "caucus_ready") == 0


def test_every_refusal_is_shown_before_there_is_one() -> None:
    shown = samples_of(exposition(make_edge().site.counts.metrics).decode())
    codes = {labels[0][1] for name, labels in shown if name == "caucus_refusals_total"}
    assert codes == {error.code for error in STATUS}


def test_only_three_words_say_who_is_shown_the_metrics() -> None:
    with pytest.raises(ConfigurationError, match=r"^--metrics must be one of loopback, all, none$"):
        Settings(metrics="everybody")


@pytest.mark.parametrize(
    ("host", "metrics", "status"),
    [
        ("127.0.0.1", None, 200),
        ("127.0.0.1", "none", 404),
        ("127.0.0.1", "all", 200),
        ("0.0.0.0", None, 404),
        ("0.0.0.0", "loopback", 404),
        ("0.0.0.0", "all", 200),
    ],
)
def test_the_listeners_that_are_named_show_them(
    start: Start, host: str, metrics: str | None, status: int
) -> None:
    given = () if metrics is None else (f"--metrics={metrics}",)
    (url,) = start("caucus-backbone", f"--host={host}", *given).until_listening()
    connection = http.client.HTTPConnection("127.0.0.1", int(url.rpartition(":")[2]), timeout=20)
    for method, expected in (("GET", status), ("POST", 405 if status == 200 else 404)):
        connection.request(method, "/metrics")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == expected


async def test_a_backbone_that_counts_nothing_can_be_served() -> None:
    server = await start_server(reactor, backbone=HTTPBackbone(reactor, "http://127.0.0.1:1"))
    assert "caucus_connections 1.0" in await deferToThread(scraped, server.url)
    await server.close()


POSTS, CLAIMS, STRANGERS, THREADS = 150, 40, 30, 4
MESSAGE = '{"type":"%s","msg_id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","body":"%d-%d"%s}'


class Load(threading.Thread):
    """Writes to a channel, and notes what was answered."""

    def __init__(self, port: int, number: int) -> None:
        super().__init__()
        self.seen: list[tuple[str, int]] = []
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self._number = number

    def run(self) -> None:
        for one in range(POSTS):
            self._send("append", MESSAGE % ("note", self._number, one, ""))
        for one in range(CLAIMS):
            self._send("claim", MESSAGE % ("claim", self._number, one, f',"target":"target-{one}"'))
        for _ in range(STRANGERS):
            self._send("append", "{}", "nobody")
        self._connection.close()

    def _send(self, action: str, body: str, token: str = "secret-7") -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._connection.request("POST", f"/channels/incident-7/{action}", body, headers)
        answer = self._connection.getresponse()
        answer.read()
        self.seen.append((action, answer.status))


def assert_risen(before: Samples, now: Samples) -> None:
    for key, value in before.items():
        if key[0].endswith(("_total", "_count", "_bucket", "_sum")):
            assert now[key] >= value, key


def scraped_under(loads: list[Load], url: str) -> Samples:
    """What is counted when the loads are done; until then it is scraped, and only rises."""
    for load in loads:
        load.start()
    before: Samples = {}
    while any(load.is_alive() for load in loads):
        loads[0].join(0.2)
        now = samples_of(scraped(url))
        assert_risen(before, now)
        before = now
    return samples_of(scraped(url))


@pytest.mark.parametrize("journal", ["memory:", "sqlite:room.db", "postgres:"])
def test_figures_agree_with_what_a_load_saw(
    start: Start, journal: str, request: pytest.FixtureRequest
) -> None:
    if journal == "postgres:":
        journal += request.getfixturevalue("postgres").dsn()
    options = (f"--journal={journal}", "--max-posts-per-minute=1000000")
    (url,) = start("caucus-backbone", *options, CAUCUS_TOKENS="secret-7:agent-7:owner-7").until_listening()
    ask(url + "/channels", {"channel": "incident-7"}, "secret-7")
    loads = [Load(int(url.rpartition(":")[2]), number) for number in range(THREADS)]
    now = scraped_under(loads, url)
    seen = Tally(one for load in loads for one in load.seen)
    assert seen == {
        ("append", 201): THREADS * POSTS,
        ("append", 401): THREADS * STRANGERS,
        ("claim", 200): THREADS * CLAIMS,
    }
    for (route, status), count in seen.items():
        labels = (("code", str(status)), ("route", route))
        assert now["caucus_requests_total", labels] == now["caucus_request_seconds_count", labels] == count
    decided = {
        key[1][1][1]: value
        for key, value in now.items()
        if key[0] == "caucus_operations_total" and ("operation", "claim") in key[1]
    }
    assert decided == {"granted": CLAIMS, "already_claimed": (THREADS - 1) * CLAIMS}
    assert now["caucus_messages_total", ()] == THREADS * POSTS + CLAIMS
    assert now["caucus_claims", ()] == CLAIMS
    assert now["caucus_refusals_total", (("code", "unauthorized"),)] == THREADS * STRANGERS
    assert now["caucus_pending_events", ()] == 0
    if journal.startswith("postgres:"):
        assert now["caucus_turn_seconds_count", ()] >= now["caucus_commits_total", ()]
    if not journal.startswith("memory:"):
        events = 3 + THREADS * POSTS + CLAIMS  # with the beginnings of run, debts and channel
        assert now["caucus_commit_events_sum", ()] == events
        assert now["caucus_commits_total", ()] == now["caucus_commit_seconds_count", ()] <= events
    assert_format(scraped(url))


def assert_format(text: str) -> None:
    """As Prometheus has it; and names as ours are, without what somebody chose."""
    for family in text_string_to_metric_families(text):
        assert family.documentation
        assert family.name.startswith("caucus_")
        for sample in family.samples:
            name = re.sub("_(bucket|count|sum)$", "", sample.name)
            assert name in THINGS or name.endswith(UNITS)
    assert not re.search("incident-7|agent-7|owner-7|target-|secret-7", text)
