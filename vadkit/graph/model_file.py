"""One .safetensors file is one system: weights, and in its header the resolved graph and more.

Nothing is pickled. The header carries a SHA-256 over the graph and every tensor, so a flipped byte
is noticed. Files are written to a temporary name and then moved, so a full disk loses nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
import torch
from msgspec import Meta
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as pack
from torch import Tensor

from vadkit import __version__, json_file
from vadkit.files import cannot_read, write_atomically
from vadkit.graph.module import VadModel, model_of
from vadkit.graph.plan import Plan
from vadkit.graph.weights import Weight
from vadkit.memory import free_memory, gigabytes
from vadkit.problems import VadkitError, fail

FORMAT = 1
AGAIN = "copy or train it again"
LONGEST = 16 << 20  # bytes of a header: far above any graph and its thousands of tensors

Count = Annotated[int, Meta(ge=0, le=2**53)]


class RecipeJson(msgspec.Struct):
    """What predicting needs to know of how the features of an input were extracted."""

    snippet_frames: Annotated[int, Meta(ge=1, le=10**6)] = 16
    fps: Annotated[float, Meta(gt=0, le=1000)] | None = None
    tail: str = "repeat"
    weights: str | None = None


class EventsJson(msgspec.Struct):
    """The rule of events that ``vadkit calibrate`` learned, and the rate of false alarms that it was learned for."""

    on: float
    off: float
    least_s: Annotated[float, Meta(ge=0)] = 0.0
    cool_down_s: Annotated[float, Meta(ge=0)] = 0.0
    alarms_per_day: Annotated[float, Meta(gt=0)] | None = None
    interval: Annotated[list[float], Meta(min_length=2, max_length=2)] | None = None
    confidence: float | None = None
    hours: float | None = None
    events: Count | None = None
    dispersion: float | None = None
    method: str | None = None
    scored: str | None = None

    def __post_init__(self) -> None:
        if self.off > self.on:
            raise ValueError("off is above on")


class ExtraJson(msgspec.Struct):
    """What a model file states about its training, as far as it is known."""

    note: str | None = None
    notice: str | None = None
    unfinished: str | None = None
    figures: dict[str, Any] | None = None
    select: str | None = None
    protocol: dict[str, Any] | None = None
    seed: int | None = None
    steps: Count | None = None
    chosen_step: Count | None = None
    selected_by: dict[str, Any] | None = None
    warm_start: dict[str, Any] | list[dict[str, Any]] | None = None
    imported: dict[str, Any] | None = None
    seconds: float | None = None
    warnings: list[str] = []
    data: dict[str, Any] | None = None
    device: str | None = None
    processes: Count | None = None
    versions: dict[str, str] | None = None
    snippet_frames: Annotated[int, Meta(ge=1, le=10**6)] | None = None
    recipes: dict[str, RecipeJson | None] | None = None
    events: EventsJson | None = None


class PluginJson(msgspec.Struct):
    """Where a component comes from."""

    plugin: str
    package: str
    version: str


class HeaderJson(msgspec.Struct):
    """The header of a model file."""

    vadkit_model: int
    vadkit: str
    torch: str
    spec: dict[str, Any]
    extra: ExtraJson
    plugins: dict[str, PluginJson] = {}  # by component


def save(model: VadModel, path: str | Path, extra: Mapping[str, Any] | None = None) -> Path:
    """Write a model to ``path``; ``extra`` is plain data (metrics, protocol, seeds, recipes) for the header.

    Raises VadkitError if the file cannot be written or ``extra`` is not what ``ExtraJson`` allows; an existing file
    is then kept.
    """
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    header = {
        "vadkit_model": FORMAT,
        "vadkit": __version__,
        "torch": str(torch.__version__),
        "spec": model.spec,
        "extra": dict(extra or {}),
        "plugins": _plugins(model.spec),
    }
    text = json_file.as_line(header).decode().rstrip()  # in order: inputs are the model's arguments
    _checked(text, f"{path}: the header")
    data = pack(state, {"vadkit": text, "sha256": _digest(text, state)})
    write_atomically(Path(path), _in_order(data))
    return Path(path)


def change_extra(path: Path, changes: Mapping[str, Any], out: Path | None = None) -> None:
    """Change what a model file states of itself, there or in a copy ``out``; the bytes of its tensors stay as they are.

    Raises VadkitError if the file is not sound or cannot be written; it is then unchanged.
    """
    header, state = _read(path)
    text = json_file.as_line({**header, "extra": {**header["extra"], **changes}}).decode().rstrip()
    _checked(text, f"{path}: the header")
    try:
        data = path.read_bytes()
    except OSError as error:
        cannot_read(path, error)
    write_atomically(out or path, _in_order(data, {"vadkit": text, "sha256": _digest(text, state)}))


def _plugins(spec: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return which plugin each component of a config comes from."""
    from vadkit.plugin_manager import load_plugins

    plugins = load_plugins()
    named = {plugin.name: plugin for plugin in plugins.plugins}
    found = {}
    for name in sorted(_used(spec)):
        component = plugins.components.find(name)
        if component is not None:
            plugin = named[plugins.components.owners[component]]
            found[name] = {"plugin": plugin.name, "package": plugin.package, "version": plugin.version}
    return found


def _used(value: Any) -> set[str]:
    """Return the components that are named at any depth."""
    if isinstance(value, list):
        return {name for item in value for name in _used(item)}
    if not isinstance(value, Mapping):
        return set()
    own = {value["use"]} if isinstance(value.get("use"), str) else set()
    return own.union(*map(_used, value.values()))


def _absent(header: Mapping[str, Any], graph: Mapping[str, Any]) -> str | None:
    """Return the hint that names the plugins of a graph that are not here, or None."""
    from vadkit.plugin_manager import EXTRA, load_plugins

    components, known = load_plugins().components, header.get("plugins") or {}
    absent = {name: known[name] for name in sorted(_used(graph)) if name in known and components.find(name) is None}
    if not absent:
        return None
    said = [
        f"'{name}' is of the module {plugin['plugin']} in {EXTRA}"
        if plugin["package"] == EXTRA
        else f"'{name}' is of plugin {plugin['plugin']}: pip install {plugin['package']}=={plugin['version']}"
        for name, plugin in absent.items()
    ]
    return "; ".join(said)


def _in_order(data: bytes, metadata: Mapping[str, str] | None = None) -> bytes:
    """Return a file with its metadata, or other ones, in order of name: safetensors writes them in a random one."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["__metadata__"] = dict(sorted((metadata or header["__metadata__"]).items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8 bytes
    return len(text).to_bytes(8, "little") + text + data[end:]


def load(path: str | Path, device: str | torch.device = "cpu") -> VadModel:
    """Return the model of a file, in eval mode. Raises VadkitError for anything but a sound model file.

    Names and shapes of the weights are compared with the graph before any module is built, so that a small file
    cannot ask for much memory.
    """
    header, state = _read(Path(path))
    plan = _plan(path, header)
    misfit = plan.weights.misfit({name: Weight(tuple(x.shape), x.dtype) for name, x in state.items()})
    if misfit:
        fail(
            f"{path}: the weights do not fit the graph inside: {misfit}",
            "a plugin has changed since the model was trained; install its old version",
        )
    try:
        model = model_of(plan)
        model.load_state_dict(state)
    except VadkitError as error:
        fail(f"{path}: {error.problems[0].message}")
    except RuntimeError as error:
        fail(f"{path}: the weights do not fit the graph inside: {str(error).splitlines()[-1].strip()}")
    model.spec = model.plan.spec = header["spec"]
    return model.eval().to(device)


def _plan(path: str | Path, header: dict[str, Any]) -> Plan:
    from vadkit.graph.compiler import compile_plan
    from vadkit.graph.load import load_config
    from vadkit.plugin_manager import load_plugins

    spec = header["spec"]
    graph: dict[str, Any] = {key: spec[key] for key in ("inputs", "nodes", "losses", "output") if key in spec}
    try:  # its data set may come from a plugin that is not installed here
        return compile_plan(load_config(graph), load_plugins(), trainable=False)
    except VadkitError as error:
        fail(
            f"{path}: the graph inside cannot be built here: {error.problems[0].message}",
            _absent(header, graph) or error.problems[0].hint or "install the plugins it was trained with",
            notes=error.problems[0].notes,
        )


def read_header(path: str | Path) -> dict[str, Any]:
    """Return a model file's header, which fits ``HeaderJson``: ``spec`` (resolved config), ``extra``, versions.

    Raises VadkitError for anything but a sound model file.
    """
    return _read(Path(path))[0]


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Return a model file's tensors by state-dict name. Checks the digest."""
    return _read(Path(path))[1]


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    _check_sizes(path)
    try:
        with safe_open(path, framework="pt") as file:
            meta = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        _not_a_model(path, str(error))
    if "vadkit" not in meta:
        fail(f"{path} holds weights but no vadkit graph", "vadkit reads files that vadkit train wrote")
    if meta.get("sha256") != _digest(meta["vadkit"], state):
        fail(f"{path} is damaged: its contents do not match its SHA-256", AGAIN)
    return _checked(meta["vadkit"], f"{path}: the header"), state


def _check_sizes(path: Path) -> None:
    """Refuse what is no file, is larger than the free memory, or names a tensor twice, before safetensors reads it."""
    if not path.exists():
        old = path.parent / ".old-run" / path.name  # where ``train --overwrite`` keeps it until the new run has begun
        put_back = f"the earlier run's is {old}; 'vadkit train' with --out {path.parent} and --resume puts it back"
        fail(f"there is no model file {path}", put_back if old.exists() else None)
    if path.is_dir():
        fail(f"{path} is a folder, not a model file", "give the .safetensors file inside")
    if not path.is_file():
        fail(f"{path} is not a regular file", "give a .safetensors file")
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            head = file.read(length) if length <= LONGEST else b""
    except OSError as error:
        cannot_read(path, error)
    if size < 8 or len(head) != length:
        said = f"its header has {length} bytes, the limit is {LONGEST}" if length > LONGEST else "it is cut off"
        _not_a_model(path, said)
    free = free_memory()
    if free is not None and size > free:
        fail(f"{path} has {gigabytes(size)}, and {gigabytes(free)} of memory are free")
    try:
        json.loads(head, object_pairs_hook=_once)
    except RecursionError:
        _not_a_model(path, "its header is nested too deeply")
    except ValueError as error:
        _not_a_model(path, f"its header is no JSON: {error}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("it holds a name twice")
    return found


def _checked(text: str, where: str) -> dict[str, Any]:
    """Return the header as plain data that is known to be sound. Raises VadkitError."""
    from vadkit.graph.stored_config import check_config

    header = json_file.from_bytes(text.encode(), dict[str, Any], where)
    if (found := header.get("vadkit_model", FORMAT)) != FORMAT:
        fail(f"{where} is of format {json_file.shown(found)}; this vadkit reads {FORMAT}", "update vadkit")
    json_file.typed(header, HeaderJson, where, hint=AGAIN)
    check_config(header["spec"], f"{where}: spec", AGAIN)
    return header


def _not_a_model(path: Path, cause: str) -> NoReturn:
    try:
        head = path.open("rb").read(4)
    except OSError as error:
        cannot_read(path, error)
    if head[:2] == b"PK" or head[:1] == b"\x80":
        fail(
            f"{path} is a pickled checkpoint; vadkit loads no pickle, because loading one runs its code",
            "vadkit models are .safetensors files",
        )
    if path.suffix.lower() in (".yaml", ".yml", ".json"):
        fail(f"{path} is not a model file", "vadkit train writes a .safetensors file for a config")
    fail(f"{path} is not a sound .safetensors file: {cause}", f"it may be cut off; {AGAIN}")


def _digest(text: str, state: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(state):
        tensor = state[name].contiguous()
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)}".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes() if tensor.numel() else b"")
    return digest.hexdigest()
