"""What a store says of its videos, against the annotation of its data set; and whether it can be trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from vadkit.datasets.annotations import Annotated, Annotations, interval_rule
from vadkit.labels import label_word
from vadkit.problems import plural
from vadkit.store.check.finding import Finding
from vadkit.store.index import Store
from vadkit.video import Video, unlabelled_note

SPLITS = ("train", "test")
SHARE = 0.05  # an abnormal share further from the published one is reported
FEW = 0.1  # a label with a smaller share of the training videos is reported
UNKNOWN = "abnormal, class not known"
IMPORT = "import the data set again (vadkit store import ... --replace)"


def check_counts(store: Store, annotations: Annotations | None) -> list[Finding]:
    """Return what is wrong with the list of videos. ``annotations`` is None for your own data."""
    if annotations is None and not any(video.label for video in store.videos):
        unknown = sum(video.label is None for video in store.videos)
        more = f" ({plural(unknown, 'video')} of unknown label)" if unknown else ""
        what = f"no video is labelled abnormal{more}: if labels are known, extract or import with them"
        return [Finding("balance", what, fault=False)]
    found = [*_balance(store.videos)]
    if annotations is not None:
        found += _against(store, annotations)
    else:
        found += _own_intervals(store.videos)
    return found


def _against(store: Store, annotations: Annotations) -> Iterator[Finding]:
    named, there = annotations.named(), {video.name: video for video in store.videos}
    lower = {name.lower(): name for name in named}
    for split in SPLITS:
        known = annotations.of(split)
        missing = [video.name for video in known if video.name not in there]
        for name in missing:
            yield Finding(
                "video-missing",
                f"{len(missing)} of {len(known)} {split} videos are missing, this is one",
                "get its feature files and import again; figures of fewer videos are not the published ones",
                name,
            )
        yield from _share(split, there, known)
    for name, video in there.items():
        if name not in named:
            close = lower.get(name.lower()) or lower.get(name.lower().removesuffix(".mp4"))
            todo = f"its name should probably be {close}" if close else "remove it from videos.json"
            yield Finding("video-unknown", f"{annotations.data_set} has no such video", todo, name)
        else:
            yield from _one(video, named[name], store.intervals)


def _one(video: Video, known: Annotated, rule: str) -> Iterator[Finding]:
    expected = known.as_video(interval_rule(rule))
    # Training may set some of its own videos aside.
    split = "train" if video.split == "val" else video.split
    for kind, own, annotated in (
        ("label", label_word(video.label), label_word(known.label)),
        ("split", split, known.split),
        ("classes", set(video.classes), set(known.classes)),
        ("intervals", sorted(video.spans), sorted(expected.spans)),
    ):
        if own != annotated and not (kind == "intervals" and split == "train"):
            yield Finding(
                kind,
                f"the store says {_say(own)}, the annotation ({rule}) {_say(annotated)}"
                if kind == "intervals"
                else f"the store says {_say(own)}, the annotation {_say(annotated)}",
                IMPORT,
                video.name,
                "videos.json",
            )
    if split == "train" and video.spans:
        yield Finding(
            "intervals",
            f"a training video with intervals {_say(sorted(video.spans))}",
            "remove them: weak supervision must not see them",
            video.name,
            "videos.json",
        )


def _say(value: object) -> str:
    if isinstance(value, set):
        return ", ".join(sorted(map(str, value))) or "none"
    if isinstance(value, list):
        spans = [f"{start}-{end}" for start, end in value]
        return " ".join(spans[:6]) + (f" and {len(spans) - 6} more" if len(spans) > 6 else "") or "none"
    return str(value)


def _share(split: str, there: Mapping[str, Video], known: Sequence[Annotated]) -> Iterator[Finding]:
    """The share of abnormal videos, against the published one."""
    own = [video for video in there.values() if video.split == split or (split, video.split) == ("train", "val")]
    if not own:
        return
    share, published = (sum(v.label == 1 for v in videos) / len(videos) for videos in (own, known))
    if abs(share - published) > SHARE:
        yield Finding(
            "balance",
            f"{share:.0%} of the {len(own)} {split} videos are abnormal, {len(known)} published ones {published:.0%}",
            "complete the split: shares of labels decide accuracy, false alarms and AP",
        )


def _balance(videos: Sequence[Video]) -> Iterator[Finding]:
    for split in SPLITS:
        own = [video for video in videos if video.split == split]
        for what in unlabelled_note(own, split):
            yield Finding("balance", what, "label them in videos.json if the labels are known", fault=False)
        for label, name in ((0, "normal"), (1, "abnormal")):
            count = sum(video.label == label for video in own)
            if own and count == 0:
                why = "weak supervision needs both labels" if split == "train" else "no figure can be computed without"
                yield Finding("balance", f"none of the {len(own)} {split} videos is {name}", why)
            elif own and split == "train" and count < FEW * len(own):
                yield Finding(
                    "balance",
                    f"only {count} of the {len(own)} {split} videos are {name}",
                    "paired batches repeat them: collect more",
                    fault=False,
                )
    if not any(video.split == "train" for video in videos):
        yield Finding("balance", "there is no training video", "nothing can be trained on this store", fault=False)
    yield from _classes(videos)


def _classes(videos: Sequence[Video]) -> Iterator[Finding]:
    """Test classes that training never saw, where training knows classes."""
    seen = {name for video in videos if video.split == "train" for name in video.classes}
    asked = {name for video in videos if video.split == "test" for name in video.classes}
    for name in sorted(asked - seen) if seen else ():
        yield Finding(
            "balance",
            f"class '{name}' has test videos, but no training video",
            "training cannot learn it",
            fault=False,
        )


def _own_intervals(videos: Sequence[Video]) -> Iterator[Finding]:
    abnormal = [video for video in videos if video.split == "test" and video.label]
    without = [video for video in abnormal if not video.spans]
    for video in without:
        # A store without any intervals is for measuring whole videos.
        yield Finding(
            "intervals-none",
            "an abnormal test video without intervals: frame figures leave it out",
            "add its intervals, [start, end) in frames",
            video.name,
            "videos.json",
            len(without) < len(abnormal),
        )


def count_table(store: Store, annotations: Annotations | None) -> list[dict[str, object]]:
    """Return videos by split and class, with the published counts where they are known."""
    rows: list[dict[str, object]] = []
    for split in ("train", "val", "test"):
        own = [video for video in store.videos if video.split == split]
        known = annotations.of(split) if annotations is not None else []
        for name in (*store.classes, UNKNOWN):
            normal = name == store.classes[0]
            counts = [_of_class(videos, name, normal) for videos in (own, known)]
            if any(counts):
                rows.append(
                    {
                        "split": split,
                        "class": name,
                        "videos": counts[0],
                        "published": counts[1] if annotations is not None and split != "val" else None,
                    }
                )
    return rows


def _of_class(videos: Sequence[Video] | Sequence[Annotated], name: str, normal: bool) -> int:
    """Normal videos, or abnormal ones by their main class."""
    if normal:
        return sum(video.label == 0 for video in videos)
    return sum(video.label == 1 and (video.classes or (UNKNOWN,))[0] == name for video in videos)
