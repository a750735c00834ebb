"""``vadkit.export``: a trained model as a file for another runtime."""

from __future__ import annotations

from os import PathLike

from vadkit.api.arguments import as_model, as_path
from vadkit.export.write import WITHIN, Exported
from vadkit.export.write import export as write_export


def export(
    model: str | PathLike[str],
    *,
    out: str | PathLike[str],
    format: str | None = None,
    int8: bool = False,
    within: float = WITHIN,
    data: str | PathLike[str] | None = None,
) -> Exported:
    """Write the graph of a trained model for another runtime, and compare the file with the model.

    The file takes the streams float32 (b, t, width) by name, any number of bags and snippets, and returns ``scores``
    (b, t). It is run at several sizes right after it is written, and kept only if it gives the scores of the model.

    Args:
        model: a .safetensors file, or the folder of a run.
        out: the file to write: .onnx, .xml (OpenVINO; its weights are in a .bin next to it) or .pt2 (torch.export).
        format: "onnx", "openvino" or "torch"; None goes by the suffix of ``out``.
        int8: quantise the weights to 8 bits (ONNX only). The file is written only where it is faster than float32 in
            this very call and no score differs by more than ``within``; else VadkitError states what was measured.
        within: the largest difference of a score that int8 may have.
        data: the folder of a store; the file is then also compared on its first test videos.

    Returns:
        An ``Exported``: ``files``, ``worst`` (the largest difference), ``sizes``, ``videos``, ``int8``, ``scoring``,
        ``settings`` (of OpenVINO: what to compile the file with).

    Raises:
        VadkitError: for a graph that cannot be traced, a file that differs from the model, a missing package.

    Example:
        >>> vadkit.export("runs/rgb/model.safetensors", out="rgb.onnx").worst
        Difference(what='3 bags of 64 snippets', bags=3, snippets=64, worst=1.2e-07)
    """
    path = as_model(model, "model")
    store = None if data is None else as_path(data, "data")
    return write_export(path, as_path(out, "out"), format, int8, within, store)
