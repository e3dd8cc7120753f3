"""An incident as it may be: with all that the page shows, for those who look at it."""

from __future__ import annotations

from tests.browser import Room

CODE = (
    "it is this line:\n```python\nif claims['iat'] > now():  # 14 s ahead\n  raise Late\n```\nin `session.py`"
)


def play(room: Room) -> None:
    """Claims held, waiting, offered and freed; findings with evidence; questions, answers, steers."""
    Room(room.url, "ops").make("what goes on elsewhere").say("deploys are frozen", "steer", who="carol")
    repro = room.take("auth-timeout repro", who="alice2", note="reproducing it locally")
    pool = room.take("db-pool exhaustion", who="carol", note="then this")
    asked = room.say("since when?", "question", who="bob", status="needs-response")
    room.say("since 14:02", "answer", who="alice", reply_to=asked["message"]["msg_id"], status="resolved")
    room.say("look at the 14:02 deploy first", "steer", who="carol", to=["alice", "bob"])
    room.ask(f"/claims/{repro}/release", {"note": "it is the JWT clock skew"}, "alice2")
    address = "3a7bd3e2360a3d29eea436fcfb7e44c735d117c42d1c1835420b6b9942dd4f1b"
    room.say(CODE, "finding", who="alice", artifact=f"caucus://artifact/{room.name}/{address}")
    fix = room.take("src/auth/", "deploy/prod", who="alice", note="moving the session check")
    room.take("src/auth/session.py", who="bob", note="the test for it", wait=True)
    room.ask(f"/claims/{pool}/revoke", {"reason": "carol is on the train"}, "alice")
    room.ask(f"/claims/{fix}/offer", {"to": {"owner": "bob"}, "note": "I have to go at six"}, "alice")
    shared = room.take("db-pool exhaustion", who="bob", note="reading its settings", mode="shared")
    room.ask(f"/claims/{shared}/offer", {"to": {"owner": "alice"}, "note": "you know it better"}, "bob")
    room.say("is the fix good on staging?", "question", who="bob", to=["alice"])
    room.say("the pool is sized for two replicas, and there are six", "finding", who="carol")
    room.say("canary at 10 %, error rate falls", "status", who="bob")
