"""One rule of events: it finds the same in a finished video and as scores arrive."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadkit import VadkitError
from vadkit.events import Event, EventRule, EventTracker, event_id, spans

STEP = 0.64
EASY = EventRule(on=0.8, off=0.5)


def played(scores: list[float], rule: EventRule, source: str = "door") -> list[Event]:
    """Return every message of a source, one snippet after the other."""
    tracker = EventTracker(source, rule)
    messages = [m for i, s in enumerate(scores) for m in tracker.add(i * STEP, s, {"rgb": s})]
    return messages + tracker.close(len(scores) * STEP)


def lives(messages: list[Event]) -> list[tuple[str, float, float]]:
    return [(m.state, m.start_s, m.end_s) for m in messages]


def test_an_event_lasts_as_long_as_scores_are_at_off() -> None:
    messages = played([0.1, 0.9, 0.6, 0.5, 0.7, 0.4, 0.6], EASY)
    assert lives(messages) == [("new", 0.64, 0.64), ("end", 0.64, 3.2)]
    assert messages[-1].peak == 0.9 and messages[-1].peak_s == 0.64 and messages[-1].contributions == {"rgb": 0.9}


def test_a_score_between_off_and_on_begins_nothing() -> None:
    assert played([0.7, 0.79, 0.5], EASY) == []


def test_a_short_stretch_is_no_event_and_a_long_one_is_sent_once_it_is_long() -> None:
    rule = EventRule(0.8, 0.5, least_s=1.2)
    assert played([0.9, 0.1, 0.9, 0.1], rule) == []
    assert lives(played([0.9, 0.9, 0.9, 0.1], rule)) == [("new", 0.0, 1.28), ("end", 0.0, 1.92)]
    assert lives(played([0.9, 0.9, 0.1], rule)) == [("new", 0.0, 1.28), ("end", 0.0, 1.28)]


def test_none_begins_within_the_cool_down() -> None:
    rule = EventRule(0.8, 0.5, cool_down_s=1.5)
    assert lives(played([0.9, 0.1, 0.9, 0.1, 0.1, 0.9, 0.1], rule)) == [
        ("new", 0.0, 0.0), ("end", 0.0, 0.64), ("new", 3.2, 3.2), ("end", 3.2, 3.84),
    ]  # fmt: skip
    # A stretch that outlasts the cool-down is an event from there on.
    assert lives(played([0.9, 0.1, 0.9, 0.9, 0.9], rule))[2] == ("new", 2.56, 2.56)


def test_updates_come_at_a_bounded_rate_and_carry_the_highest_score_so_far() -> None:
    rule = EventRule(0.8, 0.5, update_s=2.0)
    messages = played([0.8, 0.85, 0.95, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.1], rule)
    assert [(m.state, m.end_s, m.peak) for m in messages] == [
        ("new", 0.0, 0.8), ("update", 2.56, 0.95), ("update", 5.12, 0.95), ("end", 5.76, 0.95),
    ]  # fmt: skip


def test_the_class_is_that_of_the_peak() -> None:
    tracker = EventTracker("door", EASY)
    tracker.add(0.0, 0.85, class_name="fighting")
    tracker.add(0.64, 0.95, class_name="fire")
    tracker.add(1.28, 0.9, class_name="fighting")
    assert tracker.close(1.92)[-1].class_name == "fire"


def test_closing_ends_what_lasts_and_scores_may_go_on() -> None:
    tracker = EventTracker("door", EASY)
    (new,) = tracker.add(0.0, 0.9)
    (end,) = tracker.close(0.5)
    assert (new.id, end.id, end.end_s) == (event_id("door", 0.0), new.id, 0.5)
    assert tracker.close(0.6) == []
    assert tracker.add(7.0, 0.9)[0].id != new.id


def test_a_score_that_is_no_number_ends_an_event_and_begins_none() -> None:
    assert lives(played([float("nan"), 0.9, float("nan")], EASY)) == [("new", 0.64, 0.64), ("end", 0.64, 1.28)]


def test_times_that_go_back_are_refused() -> None:
    tracker = EventTracker("door", EASY)
    tracker.add(5.0, 0.1)
    with pytest.raises(ValueError, match="go back in time, from 5.0 s to 4.0 s"):
        tracker.add(4.0, 0.1)


def test_an_id_is_of_source_and_start_alone() -> None:
    first, again = played([0.1, 0.9, 0.1], EASY), played([0.1, 0.95, 0.9, 0.1], EventRule(0.9, 0.2))
    assert {m.id for m in first} == {m.id for m in again} == {event_id("door", 0.64)}
    assert event_id("door", 0.64) != event_id("gate", 0.64)


def test_an_address_is_shown_without_its_password() -> None:
    messages = played([0.9], EASY, "rtsp://cam:hunter2@10.0.0.7/1?token=abc")
    assert messages[0].source == "rtsp://***@10.0.0.7/1?token=***"
    assert "hunter2" not in messages[0].as_json() and "abc" not in messages[0].as_json()


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"on": 0.5, "off": 0.6}, "off is 0.6, on is 0.5"),
        ({"on": float("nan"), "off": 0.0}, "'on' of an event rule must be a finite number, got nan"),
        ({"on": 1.0, "off": 0.0, "least_s": -1.0}, "'least_s' of an event rule must be at least 0, got -1"),
    ],
)
def test_a_rule_that_is_none_is_refused(values: dict[str, float], text: str) -> None:
    with pytest.raises(VadkitError, match=text):
        EventRule(**values)


RULES = st.builds(
    lambda off, more, least, cool: EventRule(off + more, off, least_s=least, cool_down_s=cool),
    st.sampled_from([0.2, 0.5]), st.sampled_from([0.0, 0.3]), st.sampled_from([0.0, 0.64, 1.5]),
    st.sampled_from([0.0, 0.64, 2.0]),
)  # fmt: skip


@given(st.lists(st.sampled_from([0.0, 0.2, 0.4, 0.5, 0.7, 0.8, 1.0]), max_size=40), RULES)
def test_the_same_events_are_found_live_and_in_the_finished_video(scores: list[float], rule: EventRule) -> None:
    edges = [round(i * STEP, 3) for i in range(len(scores) + 1)]
    messages = played(scores, rule)
    ends = [m for m in messages if m.state == "end"]
    assert [(m.start_s, m.end_s) for m in ends] == [(edges[a], edges[b]) for a, b in spans(scores, edges, rule)]
    assert [m.peak for m in ends] == [max(scores[a:b]) for a, b in spans(scores, edges, rule)]
    assert [m.state for m in messages if m.state != "update"] == ["new", "end"] * len(ends)


@given(st.lists(st.floats(0, 1), max_size=20))
def test_a_message_is_the_same_after_json(scores: list[float]) -> None:
    for message in played(scores, EventRule(0.5, 0.5)):
        text = message.as_json()
        assert text.isascii() and "\n" not in text and json.loads(text)["id"] == message.id
        assert Event.from_json(text) == message and Event.from_json(text).as_json() == text


def test_what_is_no_event_is_refused_with_its_place() -> None:
    with pytest.raises(VadkitError, match="line 3: state"):
        Event.from_json('{"state": "gone"}', "log: line 3")
    with pytest.raises(VadkitError, match="is cut off"):
        Event.from_json('{"state": "n', "log: line 4")
