from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vadkit.predict.events import Event, find_events

EDGES = [0.0, 1.0, 2.0, 3.0, 4.0]


def test_neighbouring_snippets_make_one_event() -> None:
    assert find_events([0.1, 0.6, 0.9, 0.2], EDGES, 0.5) == [Event(1.0, 3.0, 0.9, 2.5)]


def test_events_reach_to_both_ends() -> None:
    assert find_events([0.7, 0.1, 0.1, 0.5], EDGES, 0.5) == [Event(0.0, 1.0, 0.7, 0.5), Event(3.0, 4.0, 0.5, 3.5)]


def test_the_first_of_equal_peaks_counts() -> None:
    assert find_events([0.8, 0.9, 0.9, 0.0], EDGES, 0.5) == [Event(0.0, 3.0, 0.9, 1.5)]


def test_no_score_no_event() -> None:
    assert find_events([0.1], [0.0, 0.3], 0.5) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0, 1))
def test_events_cover_exactly_the_snippets_at_or_above_the_threshold(scores: list[float], threshold: float) -> None:
    edges = [float(i) for i in range(len(scores) + 1)]
    events = find_events(scores, edges, threshold)
    covered = {i for e in events for i in range(int(e.start), int(e.end))}
    assert covered == {i for i, s in enumerate(scores) if s >= threshold}
    assert all(a.end < b.start for a, b in zip(events, events[1:]))
    assert all(e.peak == max(scores[int(e.start) : int(e.end)]) for e in events)
