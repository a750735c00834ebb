"""Write a trained model for another runtime, checked against the model.

  vadkit export runs/rgb/model.safetensors --out rgb.onnx
  vadkit export runs/rgb --out rgb.xml --data STORE          # OpenVINO, also compared on test videos
  vadkit export runs/rgb --out rgb8.onnx --int8 --data STORE

The file takes the streams by name, float32 (bags, snippets, width), any number of both, and returns scores
(bags, snippets). Right after it is written it is run at several sizes; a file that does not give the scores of the
model is not kept. How to extract the features, the range of the scores and the threshold are in its metadata.

--int8 writes weights of 8 bits only where that is faster in this very run, and close enough; else it says what it
measured and writes nothing. The packages: pip install 'vadkit[export]'
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vadkit.export.write import Exported

FORMATS = ("onnx", "openvino", "torch")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("model", metavar="MODEL", help="a model of vadkit train: its file, or the folder of the run")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file: .onnx, .xml or .pt2")
    parser.add_argument("--format", choices=FORMATS, help="what to write (default: by the suffix of FILE)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="a store: also compare on its first test videos")
    parser.add_argument("--int8", action="store_true", help="weights of 8 bits, where that is faster (onnx only)")
    parser.add_argument(
        "--within", type=float, default=0.01, metavar="X", help="what a score of --int8 may differ by (default: 0.01)"
    )


def run(args: argparse.Namespace) -> int:
    from vadkit.api.export import export

    done = export(args.model, out=args.out, format=args.format, int8=args.int8, within=args.within, data=args.data)
    for line in _report(done):
        print(line)
    for file in done.files:
        print(f"wrote {file}")
    return 0


def _report(done: Exported) -> list[str]:
    from vadkit.export.differences import worst
    from vadkit.problems import plural

    sizes = f"{plural(len(done.sizes), 'size')}, {done.sizes[0].what} to {done.sizes[-1].what}"
    lines = [f"compared with the model at {sizes}: largest difference {worst([*done.sizes])}"]
    if done.videos:
        lines.append(f"on {plural(len(done.videos), 'test video')}: largest difference {worst([*done.videos])}")
    if done.int8:
        lines.append(f"int8: {done.int8}")
        lines += [] if done.videos else ["int8 was compared on random numbers; --data DIR compares it on your videos"]
    lines += [f"not in the file: {sentence}" for sentence in done.scoring]
    if done.settings:
        lines.append(f"compile it as it was compared: {', '.join(f'{key}={x}' for key, x in done.settings.items())}")
    return lines
