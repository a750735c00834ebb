"""What an exported file states of itself: how features must be extracted, and what its scores mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import vadkit
from vadkit.files import sha256
from vadkit.graph.model_file import read_header
from vadkit.graph.module import VadModel
from vadkit.graph.ranges import threshold_of
from vadkit.graph.schema import with_defaults
from vadkit.predict.system import clock_of, stored_recipes


def about(path: Path, model: VadModel) -> dict[str, str]:
    """Return the metadata of an exported model, text by key; all but ``vadkit`` and ``notice`` are JSON.

    ``inputs`` has the width and the recipe of each stream, in the order of the inputs; ``output`` the range of the
    scores, the threshold of an event and how many later snippets a score depends on; ``clock`` how videos are cut;
    ``scoring`` what vadkit does around the graph: pieces, crops, smoothing. The exported graph scores what it is
    given, as a whole.
    """
    header = read_header(path)
    recipes, spec = stored_recipes(header), with_defaults(header["spec"])
    evaluation = spec["eval"]
    extra = header["extra"]
    found: dict[str, Any] = {
        "model": {"file": path.name, "sha256": sha256(path), "about": spec.get("about"), "seed": extra.get("seed")},
        "inputs": {name: {"width": width, "recipe": recipes.get(name)} for name, width in model.input_sizes.items()},
        "output": {
            "range": model.output_range,
            "threshold": threshold_of(evaluation, model.output_range),
            "lookahead": model.lookahead,
        },
        "clock": clock_of(recipes, extra.get("snippet_frames"), []),
        "scoring": {
            "sampler": evaluation["sampler"],
            "crops": evaluation["crops"],
            "post": evaluation["post"],
            "align": spec["data"]["align"],
        },
    }
    texts = {key: json.dumps(value, sort_keys=True) for key, value in found.items() if key != "inputs"}
    notices = [extra[key] for key in ("notice", "unfinished") if extra.get(key)]
    return {
        "vadkit": vadkit.__version__,
        "inputs": json.dumps(found["inputs"]),  # in the order of the inputs
        **texts,
        **({"notice": " ".join(notices)} if notices else {}),
    }
