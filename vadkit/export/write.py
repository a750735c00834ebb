"""Export a model: write the file, run it at several sizes, compare it with the model, and only then keep it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vadkit.export.about import about
from vadkit.export.differences import Difference, at_sizes, on_videos, worst
from vadkit.export.formats import FORMATS, Format, Runner, open_onnx
from vadkit.export.int8 import Trial, in_turns, quantise
from vadkit.export.program import program_of, widths_of
from vadkit.files import make_folder, why
from vadkit.graph.model_file import load
from vadkit.graph.module import VadModel
from vadkit.problems import VadkitError, fail, unknown
from vadkit.results_folder import writing

TOLERANCE = 1e-4  # of a difference: what another order of sums explains
WITHIN = 0.01  # what int8 may differ by, unless the user says otherwise


@dataclass(frozen=True)
class Exported:
    """What was written, and how far it is from the model.

    Attributes:
        files: the files, the one to open first.
        format: "onnx", "openvino" or "torch".
        sizes: the largest difference of a score at each of several sizes, on random numbers.
        videos: the same on test videos, if a store was given.
        int8: what was measured of weights of 8 bits; None of float32.
        scoring: what vadkit does around the graph and the file does not, as sentences.
        settings: how the runtime must compile the file to give the scores that were compared.
    """

    files: tuple[Path, ...]
    format: str
    sizes: tuple[Difference, ...]
    videos: tuple[Difference, ...] = ()
    int8: Trial | None = None
    scoring: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def worst(self) -> Difference:
        """The largest difference of all."""
        return worst([*self.sizes, *self.videos])


def export(
    path: Path,
    out: Path,
    format: str | None = None,
    int8: bool = False,
    within: float = WITHIN,
    data: Path | None = None,
) -> Exported:
    """Write the model of ``path`` to ``out``, checked; see ``vadkit.export``. Raises VadkitError."""
    chosen = _format(out, format)
    _check_int8(chosen, int8, within)
    chosen.need_packages()
    model = load(path)
    files = chosen.files(out)
    with writing(*files, inputs=[path]):
        make_folder(out.parent)
        try:
            with tempfile.TemporaryDirectory(prefix=".vadkit-export-", dir=out.parent) as folder:
                found = _in_folder(model, path, Path(folder) / out.name, chosen, int8, within, data)
                for file in files:
                    (Path(folder) / file.name).replace(file)
        except OSError as error:
            fail(f"cannot write {out}: {why(error)}", "choose another --out")
    return Exported(tuple(files), chosen.name, *found, scoring=tuple(_around(model)), settings=chosen.settings)


def _format(out: Path, name: str | None) -> Format:
    if name is None:
        name = next((each.name for each in FORMATS.values() if each.suffix == out.suffix), None)
        known = ", ".join(f"{each.suffix} ({each.name})" for each in FORMATS.values())
        if name is None:
            fail(f"out is {out}, whose suffix is of no format", f"use {known}, or name one with --format")
    if name not in FORMATS:
        raise VadkitError([unknown(name, FORMATS, "format")])
    chosen = FORMATS[name]
    if out.suffix != chosen.suffix:
        fail(f"out is {out}; a file of the format {name} ends in {chosen.suffix}")
    return chosen


def _check_int8(chosen: Format, int8: bool, within: float) -> None:
    if int8 and chosen.name != "onnx":
        fail(f"the format {chosen.name} has no int8", "leave out --int8, or export to a .onnx file")
    if not 0 < within <= 1:
        fail(f"within is {within:g}; it must be above 0 and at most 1")


def _in_folder(
    model: VadModel, path: Path, file: Path, chosen: Format, int8: bool, within: float, data: Path | None
) -> tuple[tuple[Difference, ...], tuple[Difference, ...], Trial | None]:
    """Write and compare in a temporary folder."""
    chosen.write(program_of(model, path), list(widths_of(model)), file, about(path, model))
    run = chosen.open(file)
    sizes, videos = _compared(model, run, data)
    _refuse_far(model, [*sizes, *videos])
    if not int8:
        return tuple(sizes), tuple(videos), None
    smaller = file.with_name(f"int8-{file.name}")
    quantise(file, smaller)
    run8 = open_onnx(smaller)
    sizes, videos = _compared(model, run8, data)
    far = worst([*sizes, *videos])
    plain_ms, int8_ms = in_turns(run, run8, widths_of(model))
    trial = Trial(tuple(plain_ms), tuple(int8_ms), far.worst, far.what)
    if objections := trial.objections(within):
        fail(f"int8 is refused, {' and '.join(objections)}: {trial}", "leave out --int8; no file was written")
    smaller.replace(file)
    return tuple(sizes), tuple(videos), trial


def _compared(model: VadModel, run: Runner, data: Path | None) -> tuple[list[Difference], list[Difference]]:
    return at_sizes(model, run), [] if data is None else on_videos(model, run, data)


def _refuse_far(model: VadModel, found: Sequence[Difference]) -> None:
    """Raise VadkitError if a score differs by more than arithmetic in another order explains."""
    far = worst(list(found))
    if not far.worst <= TOLERANCE:
        listed = "; ".join(f"{each.worst:.2g} at {each.what}" for each in found)
        fail(
            f"the exported file differs from the model by {far}, more than {TOLERANCE:g}: {listed}",
            "it was not written; try another --format",
        )


def _around(model: VadModel) -> list[str]:
    """Return what vadkit does to scores that is not in the exported graph."""
    section = model.spec.get("eval") or {}
    found = []
    if sampler := section.get("sampler"):
        found.append(f"vadkit scores videos in the pieces of sampler '{sampler.get('use')}'")
    if post := section.get("post"):
        found.append(f"vadkit then applies {', '.join(str(step.get('use')) for step in post)}")
    if section.get("crops", "mean") == "mean":
        found.append("of several crops, the scores are averaged")
    return found
