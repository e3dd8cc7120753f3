"""A room as Markdown: what happened stands in its place, and what others wrote is text."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, strategies as st

from caucus.terminal.asking import Fields
from caucus.terminal.story import block, code, inline, markdown


def said(body: str, kind: str = "note", owner: str = "alice", **fields: Any) -> Fields:
    said.count += 1  # type: ignore[attr-defined]
    ts = f"2026-11-27T12:00:{said.count % 60:02}.000Z#1"  # type: ignore[attr-defined]
    return Fields(type=kind, body=body, owner=owner, agent_id=f"{owner}-laptop", ts=ts, **fields)


said.count = 0  # type: ignore[attr-defined]


def story(*messages: Fields, claims: tuple[Fields, ...] = (), purpose: str = "login 500s") -> str:
    described = Fields(
        channel="room", purpose=purpose, created_by="alice", created_ts="2026-11-27T11:59:59.000Z#0"
    )
    return markdown(Fields(channel=described, messages=list(messages), claims=list(claims)))


def section(text: str, title: str) -> str:
    found = re.search(rf"^## {title}\n\n(.*?)(?=\n\n## |\Z)", text, re.DOTALL | re.MULTILINE)
    return found[1] if found else ""


def test_findings_and_decisions_have_sections_of_their_own() -> None:
    text = story(said("the pool is full", "finding"), said("roll back", "steer", "bob"))
    assert "alice/alice-laptop: the pool is full" in section(text, "Findings")
    assert "bob/bob-laptop: roll back" in section(text, "Decisions")
    assert section(text, "Questions") == ""


def test_a_question_has_its_answers_below_it_and_is_open_without() -> None:
    text = story(
        said("which?", "question", msg_id="Q1"),
        said("the blue one", "answer", "bob", reply_to="Q1"),
        said("why?", "question", msg_id="Q2"),
    )
    first, answer, second = section(text, "Questions").splitlines()
    assert first.endswith("alice/alice-laptop: which?")
    assert answer.startswith("  - **")
    assert second.endswith("alice/alice-laptop, **open**: why?")


def test_work_is_who_held_what_from_when_until_when() -> None:
    text = story(
        said("mine", "claim", target="a"),
        said("done", "claim", target="a", status="resolved"),
        said("mine", "claim", target="b"),
        said("taken", "claim", "bob", target="b"),
    )
    first, second, third = section(text, "Work").splitlines()
    assert re.fullmatch(
        r"- `a` alice/alice-laptop from .* until .*, mine; ended by alice/alice-laptop: done", first
    )
    assert second.endswith("then bob/bob-laptop")
    assert third.startswith("- `b` bob/bob-laptop from ")


def test_what_is_held_now_is_told_with_its_time() -> None:
    held = Fields(targets=["a"], owner="bob", agent_id="bob-laptop", note="n", expires_in=90, state="held")
    assert section(story(claims=(held,)), "Still held") == "- `a` bob/bob-laptop, 2 min left: n"


def test_evidence_and_people_are_listed() -> None:
    text = story(
        said("heap", artifact="caucus://artifact/room/00"), said("x", owner="bob"), said("y", owner="bob")
    )
    assert section(text, "Evidence").startswith("- `caucus://artifact/room/00` **2026-11-27 12:00:")
    assert section(text, "Who took part").splitlines()[0] == "- bob/bob-laptop, 2 posts"


def test_in_the_timeline_a_message_is_one_line_with_its_number() -> None:
    text = section(story(said("first\nsecond\nthird", to=("bob",), cursor=7)), "Timeline")
    assert re.fullmatch(
        r"- \*\*.*\*\* note alice/alice-laptop to bob \\\[7\\\]: first \(and 2 lines more\)", text
    )


def test_an_empty_room_is_a_story_too() -> None:
    assert story().startswith("# room\n\nlogin 500s\n\nMade by alice at 2026-11-27 11:59:59.")


def test_what_others_wrote_is_no_markdown() -> None:
    assert inline("# <b>*x*</b> [a](http://b) www.c.de `d` ![e](f) ~~g~~ |h|") == (
        r"\# \<b\>\*x\*\</b\> \[a\]\(http\://b\) www\.c.de \`d\` \!\[e\]\(f\) \~\~g\~\~ \|h\|"
    )
    assert [inline(text) for text in ("1. x", "- x", "+ x")] == [r"1\. x", r"\- x", r"\+ x"]


def test_an_address_of_e_mail_is_no_link_and_evidence_stands_before_what_is_said_of_it() -> None:
    text = story(said("a\nb@c.de", "finding", artifact="caucus://artifact/room/00"), said("x@y.zz"))
    assert "with `caucus://artifact/room/00`:\n\n  ```text\n  a\n  b@c.de\n  ```\n" in text
    assert "x<span>@</span>y.zz" in text


@given(st.text(st.one_of(st.sampled_from("`~\n\r\t #<>[]()*_-"), st.characters())))
def test_no_text_ends_its_own_fence(body: str) -> None:
    lines = block(f"first\n{body}\nlast").strip("\n").split("\n")
    fence = lines[0].strip().removesuffix("text")
    assert set(fence) == {"`"}
    assert len(fence) >= 3
    assert lines[-1] == f"  {fence}"
    assert all(line.startswith("  ") and fence not in line for line in lines[1:-1])


@given(st.text())
def test_no_text_ends_its_own_code(text: str) -> None:
    shown = code(text)
    ticks = re.match("`+", shown)[0]  # type: ignore[index]
    assert ticks not in shown[len(ticks) : -len(ticks)]
    assert "\n" not in shown
