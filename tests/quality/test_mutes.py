"""Silence for an incident: for a time, for a reason, and for nothing but what people hear."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.quality.runs import HOUR, TWICE, World, bad, well
from tributary.quality.incidents.mutes import NoSuchIncident
from tributary.quality.incidents.observation import Key
from tributary.quality.incidents.settle import escalate


def test_a_mute_is_said_with_who_why_and_until_when_and_ends_the_page(world: World) -> None:
    world.run(bad(), bad(Key("nordlicht", "fct_orders", "No order twice")))
    (head,) = world.slack()
    assert world.mute(1, 24 * HOUR, reason="Import <b> of ada") == (
        "#1 aurora fct_orders: No order twice: muted until 2026-11-22 10:00 UTC"
    )
    reply, page = world.said()
    assert reply.thread_id == head.message_id
    assert reply.text.splitlines()[0] == (
        ":mute: *#1 aurora* fct_orders: No order twice: muted until 2026-11-22 10:00 UTC by ada: "
        "Import &lt;b&gt; of ada"
    )
    assert page.body == {"event_action": "resolve"}
    assert "Muted until 2026-11-22 10:00 UTC." in world.text(head.message_id)


def test_nobody_hears_of_it_until_the_mute_is_over(world: World) -> None:
    world.run(bad())
    (head,) = world.slack()
    world.mute(1, 24 * HOUR)
    world.said()
    world.run(bad(what="measured 9, must be: 0"))
    world.run(well())
    world.run(bad())
    assert escalate(world.conn, world.this_run(), world.now + 2 * HOUR, pages=True) == 0
    assert world.said() == []
    world.run(bad(), later=24 * HOUR)
    page, reply = world.said()
    assert page.body["event_action"] == "trigger"
    assert (reply.thread_id, reply.body["reply_broadcast"]) == (head.message_id, True)
    assert "The mute is over" in reply.text
    assert "Muted" not in world.text(head.message_id)
    assert escalate(world.conn, world.this_run(), world.now + timedelta(minutes=29), pages=True) == 0
    assert escalate(world.conn, world.this_run(), world.now + timedelta(minutes=30), pages=True) == 1


def test_what_was_muted_before_it_was_ever_told_gets_its_own_message(world: World) -> None:
    world.run(bad())
    world.mute(1, 48 * HOUR)
    world.run(well())
    world.said()
    assert world.run(bad(), later=30 * HOUR).opened == 1
    assert world.said() == []
    world.run(bad(), later=30 * HOUR)
    page, head = world.said()
    assert (page.service, head.thread_id) == ("pagerduty", None)


def test_a_muted_warning_that_becomes_blocking_is_heard(world: World) -> None:
    world.run(bad(severity="warning"))
    world.mute(1, 24 * HOUR)
    world.said()
    world.run(bad())
    assert [message.thread_id for message in world.slack()] == [None]
    world.mute(2, 3 * HOUR)
    world.said()
    world.run(bad(severity="warning"))
    assert world.said() == [], "the warning's own mute still holds"


def test_another_merchant_is_heard(world: World) -> None:
    world.run(bad())
    world.mute(1, 24 * HOUR)
    world.said()
    world.run(bad(), bad(Key("nordlicht", TWICE.dataset, TWICE.check)))
    (head,) = world.slack()
    assert "aurora" not in head.text


def test_a_mute_can_be_shortened_and_ended(world: World) -> None:
    world.run(bad())
    world.mute(1, 24 * HOUR)
    world.mute(1, 2 * HOUR)
    world.said()
    world.run(bad())
    assert world.said() == []
    assert "its mute is over" in world.mute(1, timedelta(0), reason="It is no import.")
    (reply,) = world.said()
    assert "ada ended the mute: It is no import." in reply.text
    assert "ended" not in world.mute(1, timedelta(0))
    assert world.said() == []
    world.run(bad())
    assert "The mute is over" in world.slack()[0].text


def test_a_mute_that_is_tried_again_is_said_once(world: World) -> None:
    world.run(bad())
    world.said()
    assert world.mute(1, HOUR) == world.mute(1, HOUR)
    assert len(world.slack()) == 1


def test_only_what_is_open_can_be_muted_and_only_for_a_reason(world: World) -> None:
    world.run(bad())
    with pytest.raises(ValueError, match="reason is empty"):
        world.mute(1, HOUR, reason=" ")
    world.run(well())
    with pytest.raises(NoSuchIncident, match="No open incident has the number 1"):
        world.mute(1, HOUR)
