"""The formats: how each is written, and how a file of it is run to compare it with the model.

Legend: ``b`` bags x crops, ``t`` snippets.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.export import ExportedProgram

from vadkit.export.program import first_line, quiet
from vadkit.problems import fail

Streams = Mapping[str, np.ndarray]  # float32 (b, t, width) by input
Runner = Callable[[Streams], np.ndarray]  # returns (b, t)
OUTPUT = "scores"
LARGEST = 1_900_000_000  # bytes; a protocol buffer holds 2 GiB
NAMES = ("bags", "snippets")  # of the free sizes in an ONNX file


@dataclass(frozen=True)
class Format:
    """One format: the suffix of its file, the packages it takes, how to write a program and how to run a file.

    ``more`` are the suffixes of other files that belong to it, ``settings`` what its runtime compiled the
    file when it was compared: with others it may give other scores.
    """

    name: str
    suffix: str
    packages: tuple[str, ...]
    write: Callable[[ExportedProgram, list[str], Path, Mapping[str, str]], None]
    open: Callable[[Path], Runner]
    more: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    def files(self, path: Path) -> list[Path]:
        """Return all files of an export to ``path``."""
        return [path, *(path.with_suffix(suffix) for suffix in self.more)]

    def need_packages(self) -> None:
        """Raise VadkitError if a package is missing."""
        missing = [name for name in self.packages if importlib.util.find_spec(name) is None]
        if missing:
            fail(f"the format {self.name} needs {' and '.join(missing)}", "pip install 'vadkit[export]'")


# -- torch -----------------------------------------------------------------------------------------
def _write_torch(program: ExportedProgram, inputs: list[str], path: Path, about: Mapping[str, str]) -> None:
    torch.export.save(program, path, extra_files={"vadkit.json": json.dumps(about)})


def _open_torch(path: Path) -> Runner:
    module = torch.export.load(path).module()

    def run(streams: Streams) -> np.ndarray:
        with torch.no_grad():
            return np.asarray(module(**{name: torch.from_numpy(x) for name, x in streams.items()}))

    return run


# -- ONNX ------------------------------------------------------------------------------------------
def write_onnx(program: ExportedProgram, inputs: list[str], path: Path, about: Mapping[str, str]) -> None:
    """Write the program as ONNX, with the metadata as ``vadkit.KEY``. Raises VadkitError for one that is too large."""
    import onnx

    with quiet():
        exported = torch.onnx.export(
            program, (), dynamo=True, verbose=False, optimize=True, input_names=inputs, output_names=[OUTPUT]
        )
    assert exported is not None
    proto = exported.model_proto
    if proto.ByteSize() > LARGEST:
        fail(f"the model takes {proto.ByteSize() / 1e9:.1f} GB; an ONNX file holds at most 2", "export it with torch")
    _name_sizes(proto.graph)
    onnx.helper.set_model_props(proto, {f"vadkit.{key}": text for key, text in about.items()})
    proto.producer_name, proto.producer_version = "vadkit", about["vadkit"]
    onnx.checker.check_model(proto)
    path.write_bytes(proto.SerializeToString(deterministic=True))


def _name_sizes(graph: Any) -> None:
    """Call the free sizes of inputs and scores by what they count."""
    sizes = graph.input[0].type.tensor_type.shape.dim
    names = {size.dim_param: name for size, name in zip(sizes, NAMES) if size.dim_param}
    for value in (*graph.input, *graph.output, *graph.value_info):
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param in names:
                size.dim_param = names[size.dim_param]


def open_onnx(path: Path) -> Runner:
    """Return what runs an ONNX file with onnxruntime on the CPU. Raises VadkitError if it cannot be loaded."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has an error of its own for each cause
        fail(f"onnxruntime cannot load the exported file: {first_line(error)}")

    def run(streams: Streams) -> np.ndarray:
        return np.asarray(session.run([OUTPUT], dict(streams))[0])

    return run


# -- OpenVINO --------------------------------------------------------------------------------------
# Some CPUs would compute in bfloat16. And what is generated for a bag of one snippet is kept and used for longer ones,
# whose scores are then wrong by 0.1 and more (demo_three_stream, OpenVINO 2026.4), unless there is no cache.
OPENVINO_SETTINGS = {"INFERENCE_PRECISION_HINT": "f32", "CPU_RUNTIME_CACHE_CAPACITY": "0"}


def import_openvino() -> Any:
    """Return the package ``openvino``, imported without its telemetry, which otherwise reports each import."""
    if "openvino" not in sys.modules and "openvino_telemetry" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # as if it were not installed
        try:
            return importlib.import_module("openvino")
        finally:
            del sys.modules["openvino_telemetry"]
    return importlib.import_module("openvino")


def _write_openvino(program: ExportedProgram, inputs: list[str], path: Path, about: Mapping[str, str]) -> None:
    openvino = import_openvino()
    between = path.with_suffix(".onnx")
    write_onnx(program, inputs, between, about)
    try:
        model = openvino.Core().read_model(str(between))
    except RuntimeError as error:
        fail(f"OpenVINO cannot read the graph: {first_line(error)}", "export it as onnx or torch")
    finally:
        between.unlink()
    for key, text in {**about, "settings": json.dumps(OPENVINO_SETTINGS)}.items():
        model.set_rt_info(text, ["vadkit", key])
    openvino.save_model(model, str(path), compress_to_fp16=False)


def _open_openvino(path: Path) -> Runner:
    compiled = import_openvino().Core().compile_model(str(path), "CPU", OPENVINO_SETTINGS)

    def run(streams: Streams) -> np.ndarray:
        return np.asarray(compiled(dict(streams))[0])

    return run


FORMATS = {
    each.name: each
    for each in (
        Format("onnx", ".onnx", ("onnx", "onnxscript", "onnxruntime"), write_onnx, open_onnx),
        Format(
            "openvino",
            ".xml",
            ("onnx", "onnxscript", "openvino"),
            _write_openvino,
            _open_openvino,
            more=(".bin",),
            settings=OPENVINO_SETTINGS,
        ),
        Format("torch", ".pt2", (), _write_torch, _open_torch),
    )
}
