"""A trained model as a file for another runtime: ONNX, OpenVINO or a program of torch, compared with the model."""

from __future__ import annotations
