"""TV-L1's kernels: run by Triton's interpreter, compiled for sm_90 without a device, and which form runs where.

What the kernels compute on a GPU is compared in tests/cuda.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from vadkit.backbones.flow import on_device
from vadkit.backbones.flow.on_device import tvl1_form, tvl1_on_device

HERE = Path(__file__).parent
POINTERS = ("planes", "first", "u", "p", "fixed", "change", "new_u", "new_p", "new_change")
NUMBERS = ("limit", "bound", "theta", "ratio")


# -- arithmetic ------------------------------------------------------------------------------------
def test_the_interpreter_runs_the_kernels() -> None:
    pytest.importorskip("triton", reason="Triton is missing; PyTorch brings it on Linux only")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(HERE / "interpreted_tvl1.py")]
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    run = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=HERE.parent.parent)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "24 passed" in run.stdout and "skipped" not in run.stdout


@pytest.mark.parametrize(
    "name, more",
    [("warp_kernel", {}), ("median_kernel", {"SIDE": 5, "PARTS": 256}), ("iterate_kernel", {"PARTS": 256})],
)
def test_a_kernel_compiles_for_sm_90(
    name: str, more: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To machine code, and without a register spilled to memory."""
    triton = pytest.importorskip("triton", reason="Triton is missing; PyTorch brings it on Linux only")
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from vadkit.backbones.flow import tvl1_triton

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kernel: Any = getattr(tvl1_triton, name)
    constants = {"ROWS": tvl1_triton.ROWS, "COLUMNS": tvl1_triton.COLUMNS, **more}
    kinds = {
        **dict.fromkeys(POINTERS, "*fp32"),
        **dict.fromkeys(NUMBERS, "fp32"),
        **dict.fromkeys(constants, "constexpr"),
    }
    signature = {argument: kinds.get(argument, "i32") for argument in kernel.arg_names}
    source = ASTSource(kernel, signature, constants)
    options = {"num_warps": tvl1_triton.WARPS}
    try:
        compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
    except FileNotFoundError as error:
        pytest.skip(f"this Triton cannot compile for CUDA: {error}")
    assert ".target sm_90" in compiled.asm["ptx"] and len(compiled.asm["cubin"]) > 1000
    (tmp_path / "kernel.cubin").write_bytes(compiled.asm["cubin"])
    tool = triton.knobs.nvidia.cuobjdump.path
    usage = subprocess.run([tool, "-res-usage", tmp_path / "kernel.cubin"], capture_output=True, text=True, check=True)
    assert " STACK:0 " in usage.stdout, usage.stdout


# -- which form runs -------------------------------------------------------------------------------
@pytest.fixture
def forget() -> Any:
    """Ask again whether Triton can be used."""
    on_device._has_triton.cache_clear()
    yield
    on_device._has_triton.cache_clear()


def stand_in(current_device: Any) -> Any:
    return SimpleNamespace(
        runtime=SimpleNamespace(driver=SimpleNamespace(active=SimpleNamespace(get_current_device=current_device)))
    )


@pytest.mark.usefixtures("forget")
def test_the_device_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "triton", stand_in(lambda: 0))
    assert [tvl1_form(device) for device in ("cpu", "cuda", torch.device("cuda", 1), "mps")] == [
        "loops",
        "triton",
        "triton",
        "torch",
    ]


def no_compiler() -> int:
    raise RuntimeError("Failed to find C compiler")


@pytest.mark.usefixtures("forget")
@pytest.mark.parametrize("module, cause", [(None, "triton"), (stand_in(no_compiler), "Failed to find C compiler")])
def test_plain_torch_runs_where_triton_cannot_be_used(
    module: Any, cause: str, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setitem(sys.modules, "triton", module)
    assert tvl1_form("cuda") == tvl1_form("cuda") == "torch"
    [note] = recwarn
    assert "TV-L1 runs in plain torch on this CUDA device" in str(note.message) and cause in str(note.message)


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(ValueError, match="^the form of TV-L1 must be loops, triton, torch, not 'c'$"):
        tvl1_on_device(torch.zeros(2, 4, 4), form="c")  # type: ignore[arg-type]


def test_nothing_imports_triton_on_a_cpu() -> None:
    code = "import sys, numpy as np\nfrom vadkit.backbones.flow import optical_flow\n"
    code += "optical_flow(np.zeros((2, 8, 8), np.uint8))\nassert 'triton' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
