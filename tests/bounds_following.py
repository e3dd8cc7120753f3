"""The bounds of who is there, what is owed to whom, and who waits for it."""

from __future__ import annotations

from twisted.internet.task import Clock

from caucus.core.backbone import Backbone
from caucus.journals.memory import MemoryJournal
from caucus.limits import Limits
from caucus.model.events import Author, Instant, RunBegan
from caucus.model.messages import Message
from caucus.model.places import end_of
from caucus.model.records import Identity
from caucus.rules.presence import MOST_CHANNELS, Heard
from caucus.rules.runs import MOST, Runs
from tests.bounds import ULID, edge_with_a_room, reaches


@reaches("requests that wait")
def _polls() -> None:
    edge = edge_with_a_room()
    peer = edge.connect()
    peer.send(b"GET /feed?wait=50 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    edge.clock.advance(49)
    assert peer.answers() == []
    edge.clock.advance(1)
    assert [one.json["events"] for one in peer.answers()] == [[]]
    for target in ("/feed?wait=51", "/channels/room/claims/1?wait=51"):
        assert edge.ask("GET", target).code == "invalid_request"
    assert edge.ask("POST", "/channels/room/read", {"cursor": 0, "wait": 51}).code == "invalid_request"


@reaches("agents that were there")
def _agents() -> None:
    heard = Heard(3)
    for number in range(10):
        heard.hear(Author(f"agent-{number}", "o"), number)
    assert [agent.agent_id for agent, _seconds, _channels in heard.seen(10)] == [
        "agent-9",
        "agent-8",
        "agent-7",
    ]
    assert len(heard.untold(10)) == 3


@reaches("channels that an agent asked about")
def _channels_of_an_agent() -> None:
    heard = Heard(3)
    for number in range(100):
        heard.hear(Author("a", "o"), 0, f"channel-{number}")
    ((_agent, _seconds, channels),) = heard.seen(1)
    assert channels == tuple(f"channel-{number}" for number in range(100 - MOST_CHANNELS, 100))


@reaches("runs by whose positions a reader is known")
def _runs() -> None:
    runs = Runs("ab")
    texts = []
    for position in range(1, MOST + 3):
        runs.began(RunBegan(Instant(float(position), 0.0), "w"), position)
        texts.append(runs.text(end_of(position)))
    assert len(runs.dump()) == MOST
    assert runs.events_of(texts[0]) is None
    assert runs.events_of(texts[-1]) == (MOST + 2, 0)


@reaches("what is owed")
def _owed() -> None:
    clock = Clock()
    backbone = Backbone(MemoryJournal(), clock, Limits(max_posts_per_minute=100, max_messages_per_channel=5))
    backbone.create_channel("room")
    for number in range(6):
        to = tuple(f"name-{one}" for one in range(32))
        message = Message("note", f"{number}", agent_id="a", owner="o", to=to, msg_id=ULID)
        backbone.append("room", message).addErrback(lambda _: None)
    inboxes = backbone._core.state.receipts.inboxes
    assert sum(map(len, inboxes.values())) == 5 * 32
    found: list[object] = []
    backbone.read_inbox(Identity("name-0", "x")).addCallback(found.append)
    assert len(found[0].items) == 5  # type: ignore[attr-defined]
