"""A start over a long log in PostgreSQL: it comes in pieces, whose ends fall anywhere."""

from __future__ import annotations

from hashlib import sha256

import pytest
from twisted.internet import reactor

from caucus.core.backbone import Backbone
from caucus.journals.postgres import replaying
from caucus.journals.postgres.opening import open_postgres
from tests.house import House, note

DATA = bytes(range(256)) * 10
NAME = sha256(DATA).hexdigest()


@pytest.fixture(params=[1, 2, 3, 4, 5000], ids="of {}".format)
def pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """So many events are in one piece."""
    size: int = request.param
    monkeypatch.setattr(replaying, "PIECE", size)
    return size


async def fill(house: House) -> list[str]:
    """Posts before and after evidence; what was posted."""
    (one,) = await house.build(1)
    bodies = [f"number {number}" for number in range(7)]
    for body in bodies[:3]:
        await one.append("room", note(body))
    await one.put_artifact("room", NAME, DATA)
    for body in bodies[3:]:
        await one.append("room", note(body))
    return bodies


@pytest.mark.usefixtures("pieces")
async def test_all_of_it_is_there_in_its_order(house: House) -> None:
    bodies = await fill(house)
    two = await house.add()
    assert await house.read(two) == bodies
    assert await two.get_artifact("room", NAME) == DATA
    await two.append("room", note("more"))
    assert await house.read(house.backbones[0]) == [*bodies, "more"]


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("DELETE FROM LOGevent WHERE position = 5", "event 5 is missing"),
        ("UPDATE LOGevent SET body = '\\x91ccff' WHERE position = 5", "event 5"),
        ("DELETE FROM LOGevidence", "the evidence of event"),
    ],
    ids=["missing", "unreadable", "evidence"],
)
async def test_what_cannot_be_read_stops_it_in_one_line(house: House, harm: str, said: str) -> None:
    await fill(house)
    house.ask(harm)
    journal = await open_postgres(house.dsn, reactor, reactor)
    with pytest.raises(Exception, match=said) as caught:
        await Backbone(journal, reactor).replay()
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("pieces")
async def test_a_connection_that_is_lost_meanwhile_is_made_again(house: House) -> None:
    bodies = await fill(house)
    journal = await open_postgres(house.dsn, reactor, reactor)
    house.journals.append(journal)
    backbone = Backbone(journal, reactor)
    replayed = backbone.replay()
    journal._present.session.give_up("it is lost")
    await replayed
    assert await house.read(backbone) == bodies
