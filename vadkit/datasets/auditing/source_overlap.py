"""Test videos of a film, a channel or a camera that training videos are of, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vadkit.datasets.annotations import SOURCES, Annotated, Annotations
from vadkit.store.check.finding import Finding
from vadkit.store.index import Store
from vadkit.store.sources import SourceRule, overlap, source_rule
from vadkit.video import Video


def check_sources(
    store: Store, annotations: Annotations | None, given: str | None
) -> tuple[list[Finding], dict[str, Any] | None]:
    """Return a note and counts of the test videos that share their source with training; nothing without a rule.

    Args:
        store: gives the videos, and its rule.
        annotations: of its data set. They name the training videos if the store has none.
        given: a rule that counts instead.

    Raises VadkitError for a rule that is none.
    """
    rule = _rule(store, annotations, given)
    tested: Sequence[Video] = [video for video in store.videos if video.split == "test"]
    trained: Sequence[Video | Annotated] = [video for video in store.videos if video.split == "train"]
    if not trained and annotations is not None:
        trained = annotations.of("train")
    if rule is None or not tested or not trained:
        return [], None
    found = overlap(rule, [video.name for video in tested], [video.name for video in trained])
    clean = set(found.clean)
    abnormal = sum(video.label == 1 for video in tested if video.name in clean)
    counts = {
        "what": rule.what,
        "rule": rule.pattern.pattern,
        "seen": len(found.seen),
        "clean": len(found.clean),
        "clean_abnormal": abnormal,
        "unknown": len(found.unknown),
        "share": len(found.seen) / max(1, len(found.seen) + len(found.clean)),
        "seen_videos": list(found.seen),
    }
    apart = f"vadkit eval also measures the other {len(clean)} apart ({abnormal} abnormal)" if clean else "none is left"
    return [Finding("source-overlap", f"test: {found.sentence}", apart, fault=False)], counts


def _rule(store: Store, annotations: Annotations | None, given: str | None) -> SourceRule | None:
    if given is not None:
        return source_rule(given, "--sources")
    text = store.sources or (SOURCES[annotations.data_set] if annotations else None)
    return None if text is None else source_rule(text, f"{store.root}: sources")
