"""Read weight files that others published, without running any code in them.

Supported are safetensors, PyTorch's files of tensors (new and old format, ``weights_only=True``), TorchScript
archives (their tensors only, see ``torchscript``) and .npz. Whatever is wrong with a file is raised as a
VadkitError. Sizes are compared before anything is unpacked.
"""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from vadkit import files
from vadkit.backbones.recipe import RANDOM
from vadkit.backbones.torchscript import is_torchscript, read_torchscript
from vadkit.npy_header import read_header
from vadkit.problems import VadkitError, fail, plural

State = dict[str, Tensor]

WRAPPERS = ("state_dict", "model_state_dict", "model", "net")  # keys under which checkpoints keep the weights
WRAPPED = 10  # wrappers in each other
SHOWN = 3  # names listed in a message
UNPACKED = 64 << 20  # bytes that any archive may take when it is unpacked,
TIMES = 20  # and how many times its own size a larger one may: weights compress to a half at best


# -- where weights come from -----------------------------------------------------------------------
def origin(backbone: str, weights: str | None, random_weights: bool) -> dict[str, Any]:
    """Return the part of a recipe that identifies the weights: a file's SHA-256, or that they are random.

    Raises VadkitError if there are neither, or the file does not exist.
    """
    if random_weights:
        return {"pretrained": False, "weights": RANDOM}
    return {"pretrained": True, "weights": sha256(_given(backbone, weights))}


def check_choice(weights: str | None, random_weights: bool) -> None:
    """Raise ValueError if both a file and random weights are requested."""
    if weights is not None and random_weights:
        raise ValueError(f"weights ({weights}) and random_weights are both given; choose one")


def _given(backbone: str, weights: str | None) -> str:
    if weights is None:
        fail(
            f"backbone '{backbone}' has no weights",
            f"'vadkit weights list {backbone}' shows its public files; set args: {{weights: FILE}}; or, to try things "
            "out, args: {random_weights: true}: the features then mean nothing, and the store is permanently marked",
        )
    return weights


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file in hex; it is read again only if its size or time changed. Raises VadkitError."""
    try:
        about = Path(path).stat()
        return _sha256(str(path), about.st_size, about.st_mtime_ns)
    except OSError as error:
        _cannot_read(path, error)


@lru_cache(maxsize=32)
def _sha256(path: str, size: int, modified: int) -> str:
    return files.sha256(path)


def _cannot_read(path: str | Path, error: OSError) -> NoReturn:
    fail(f"the weights {path} cannot be read: {files.unreadable(error)}")


# -- reading ---------------------------------------------------------------------------------------
def read_weights(path: str | Path) -> State:
    """Return the tensors of a weight file by name, without prefixes such as 'module.'.

    Raises VadkitError if it is missing, damaged, of no supported format, or holds code instead of tensors.
    """
    path = Path(path)
    try:
        with files.open_file(path) as file:
            head = file.read(256)
    except OSError as error:
        _cannot_read(path, error)
    if len(head) < 16:
        fail(f"the weights {path} are empty" if not head else f"the weights {path} are only {len(head)} bytes long")
    _refuse_pages(path, head)
    try:
        found = _read(path, head)
        state = _named(found)
    except VadkitError:
        raise
    except Exception as error:  # noqa: BLE001 - zip, zlib, lzma, numpy and torch raise errors of many kinds
        fail(f"the weights {path} are damaged or of no supported format: {_first_line(error)}", _FORMS)
    if not state:
        fail(f"the weights {path} hold no named tensors", _FORMS)
    return _without_prefix(state, "module.")


_FORMS = (
    "supported are .safetensors, .npz, files written by torch.save(model.state_dict(), FILE), and TorchScript "
    "archives; convert other formats to one of these"
)


def _refuse_pages(path: Path, head: bytes) -> None:
    text = head.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        fail(f"the weights {path} are a web page, not a weight file", "download the file itself, not its page")
    if text.startswith(b"version https://git-lfs"):
        fail(f"the weights {path} are a Git LFS pointer, not the file", "fetch it with: git lfs pull")


def _read(path: Path, head: bytes) -> Any:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            _check_sizes(path, archive)
            if is_torchscript(archive):
                return read_torchscript(archive)
            if all(name.endswith(".npy") for name in archive.namelist()):
                return {info.filename.removesuffix(".npy"): _read_npy(archive, info) for info in archive.infolist()}
    elif int.from_bytes(head[:8], "little") < 1 << 28 and head[8:9] == b"{":  # length of a JSON header, then the header
        return _read_safetensors(path)
    return _read_pickled(path)


def _check_sizes(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse an archive that takes much more memory than its own size, before it is unpacked."""
    size, unpacked = os.path.getsize(path), sum(info.file_size for info in archive.infolist())
    if unpacked > max(UNPACKED, TIMES * size):
        fail(
            f"the weights {path} would take {files.in_bytes(unpacked)} when unpacked, but the file has "
            f"{files.in_bytes(size)}; the limit is {TIMES} times its size",
            "real weights hardly compress: download the file again, from those who published it",
        )
    for info in archive.infolist():
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{info.filename} is compressed in a way that weights are not")


def _read_npy(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(info) as member:
        header = read_header(member)
        if header.dtype.hasobject:
            raise ValueError(f"{info.filename} holds pickled Python objects, which are never loaded")
        if header.end != info.file_size:
            raise ValueError(
                f"{info.filename} has {info.file_size} bytes, not the {header.end} that its header promises"
            )
        content = member.read()
    order: Literal["F", "C"] = "F" if header.fortran_order else "C"
    return np.frombuffer(content, header.dtype).reshape(header.shape, order=order)


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(_first_line(error)) from error


def _read_pickled(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals(_numpy_globals()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - torch raises errors of many kinds
        named = re.search(r"(?:GLOBAL|class) ['\"]?([\w.]+\.[\w.]+)", str(error))
        if asked := re.search(r"tried to allocate (\d+) bytes", str(error)):
            had = files.in_bytes(os.path.getsize(path))
            raise ValueError(f"it asks for {files.in_bytes(int(asked[1]))} of memory and has {had}") from error
        if named is None:
            raise ValueError(_first_line(error)) from error
        fail(
            f"the weights {path} hold Python objects ({named[1]}), not only tensors; loading them could run any code",
            "load it where you trust it, and save only the tensors: torch.save(model.state_dict(), FILE)",
        )


def _numpy_globals() -> list[Any]:
    """Return the names that numpy arrays in a file need; none of them runs code of the file."""
    rebuild: Any = np.zeros(0).__reduce__()[0]
    scalar: Any = np.float32(0).__reduce__()[0]
    old = [(rebuild, "numpy.core.multiarray._reconstruct"), (scalar, "numpy.core.multiarray.scalar")]
    kinds = [type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i4", "i8", "u1")]
    return [rebuild, scalar, *old, np.ndarray, np.dtype, *kinds]


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _named(found: Any) -> State:
    """Return the tensors of what a file holds, by name."""
    tensors = ((name, _as_tensor(value)) for name, value in _unwrapped(found).items() if isinstance(name, str))
    state = {name: tensor for name, tensor in tensors if tensor is not None}
    for name, tensor in state.items():
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise ValueError(f"{name} is {_size(tensor.shape)}, more numbers than the file has for it")
    return state


def _unwrapped(found: Any) -> Mapping[str, Any]:
    for _ in range(WRAPPED):
        if not isinstance(found, Mapping):
            return {}
        inner = next((found[key] for key in WRAPPERS if isinstance(found.get(key), Mapping)), None)
        if inner is None:
            return found
        found = inner
    raise ValueError("its state dict holds itself")


def _as_tensor(value: Any) -> Tensor | None:
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "fiuc":
        return torch.from_numpy(np.array(value).astype(value.dtype.newbyteorder("="), copy=False))
    is_plain = isinstance(value, Tensor) and value.layout == torch.strided and not value.is_meta
    return value if is_plain else None


def _without_prefix(state: State, prefix: str) -> State:
    if all(name.startswith(prefix) for name in state):
        return {name[len(prefix) :]: tensor for name, tensor in state.items()}
    return state


# -- filling a network -----------------------------------------------------------------------------
def check_names(
    state: Mapping[str, Tensor],
    wanted: Mapping[str, Sequence[int]],
    path: str | Path,
    network: str,
    unused: Iterable[str] = (),
    hint: str | None = None,
) -> None:
    """Raise VadkitError unless a file has every expected tensor in its size, and no unknown one.

    Args:
        wanted: size by name.
        unused: prefixes or suffixes of further names that a file may have, such as its classifier.
    """
    sides = (*unused, "num_batches_tracked")
    missing = [name for name in wanted if name not in state]
    unlisted = [n for n in state if n not in wanted and not n.startswith(sides) and not n.endswith(sides)]
    resized = [
        f"{name} is {_size(state[name].shape)}, not {_size(size)}"
        for name, size in wanted.items()
        if name in state and tuple(state[name].shape) != tuple(size)
    ]
    imaginary = [name for name in wanted if name in state and state[name].is_complex()]
    kinds = {"missing": missing, "unknown": unlisted, "of another size": resized, "of complex numbers": imaginary}
    faults = [f"{len(names)} {what} ({_listed(names)})" for what, names in kinds.items() if names]
    if faults:
        fail(
            f"the weights {path} are not those of {network} ({plural(len(wanted), 'tensor')}): {', '.join(faults)}",
            hint,
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def _size(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "a number"


def fill(network: nn.Module, state: Mapping[str, Tensor]) -> nn.Module:
    """Give a network on the meta device its weights, as frozen float32. Names must fit: see ``check_names``."""
    network.load_state_dict({name: tensor.float() for name, tensor in state.items()}, strict=True, assign=True)
    return network.eval().requires_grad_(False)


def randomise(network: nn.Module, seed: int = 0) -> nn.Module:
    """Give a network on the meta device random weights that are the same each time and keep the scale of activations.

    Weights of two or more axes are normal with variance 2 / fan-in (He et al., 2015), others are 1 in
    a norm and 0 elsewhere.
    """
    network = network.to_empty(device="cpu").eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    norms = {f"{name}.weight" for name, module in network.named_modules() if "norm" in type(module).__name__.lower()}
    for name, tensor in network.state_dict(keep_vars=True).items():
        if tensor.dim() > 1:
            tensor.data.normal_(0, (2 / max(1, tensor[0].numel())) ** 0.5, generator=generator)
        else:
            tensor.data.fill_(1.0 if name in norms else 0.0)
    return network
