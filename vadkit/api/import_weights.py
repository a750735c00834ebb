"""``vadkit.import_weights``: the authors' checkpoint as a model of ours."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from vadkit.api.arguments import Changes, Config, as_changes, as_config, as_path
from vadkit.files import sha256
from vadkit.graph import model_file
from vadkit.graph.compiler import compile_config
from vadkit.graph.load import load_config
from vadkit.graph.module import VadModel
from vadkit.graph.source import Source
from vadkit.plugin_manager import Plugins, load_plugins
from vadkit.problems import fail
from vadkit.results_folder import claim
from vadkit.systems.card import read_cards
from vadkit.systems.names_table import Names, read_names
from vadkit.systems.standing import Standing, standing
from vadkit.systems.weights_import import Imported, translate

Files = str | PathLike[str] | Iterable[str | PathLike[str]]
NAMES = "names"  # the folder of tables, in a folder of configs


def import_weights(
    config: Config,
    files: Files,
    *,
    set: Changes = (),
    out: str | PathLike[str] | None = None,
    names: str | PathLike[str] | None = None,
) -> VadModel:
    """Return a graph with the weights that its authors published, in eval mode.

    Args:
        config: the name of a graph, the path of a YAML file, or its contents as a mapping.
        files: the authors' files, read by ``torch.load(weights_only=True)``: no code in them is run. Of systems with
            several, each has its prefix in the table of names, or is given as "PREFIX=FILE".
        set: changes such as "nodes.context.args.hidden=64", for a checkpoint of another size.
        out: a .safetensors file to write the model to, if wanted.
        names: a table of official names; None takes that of the graph's system.

    Returns:
        A ``VadModel``, as ``vadkit.load`` returns it.

    Raises:
        VadkitError: with every name that is unknown or missing, and every weight of another shape, each with the
            nearest name.

    Example:
        >>> model = vadkit.import_weights("ur_dmu_xd", "xd_best_2022.pkl", out="ur_dmu.safetensors")
    """
    return import_with_report(config, files, set=set, out=out, names=names)[0]


def import_with_report(
    config: Config,
    files: Files,
    *,
    set: Changes = (),
    out: str | PathLike[str] | None = None,
    names: str | PathLike[str] | None = None,
) -> tuple[VadModel, Imported, Standing | None]:
    """Do what ``import_weights`` does, and return also what was taken over, and from which system the graph is."""
    path, given = None if out is None else as_path(out, "out"), _as_files(files)
    if path is not None and path.suffix != ".safetensors":
        fail(f"{path}: a model file ends in .safetensors")
    plugins = load_plugins()
    source = load_config(as_config(config), as_changes(set), plugins.config_folders)
    if path is not None:
        claim([path], [*source.files, *(entry.rpartition("=")[2] for entry in given)], ours=_is_import)
    origin = standing(source, read_cards(plugins.config_folders), plugins.config_folders)
    table = _table(source, origin, names, plugins)
    model = compile_config(source, plugins)
    found = translate(table, given, model.state_dict())
    model.load_state_dict(found.state, strict=False)
    if path is not None:
        model_file.save(model, path, {"imported": _about(found, origin)})
    return model.eval(), found, origin


def _as_files(files: Files) -> list[str]:
    listed = [files] if isinstance(files, str | PathLike) else list(files)
    if not listed:
        fail("files is empty; give the authors' weight file")
    return [str(as_path(file, "files")) for file in listed]


def _table(source: Source, origin: Standing | None, names: str | PathLike[str] | None, plugins: Plugins) -> Names:
    """Return the table of names: the given one, that of the graph's card, or of the folder that the graph is in."""
    components = plugins.components
    known = components.names()
    if names is not None:
        return read_names(as_path(names, "names"), components.find, known)
    wanted = [origin.card.names] if origin is not None else [Path(file).resolve().parent.name for file in source.files]
    tables = {p.stem: p for folder in reversed(plugins.config_folders) for p in sorted((folder / NAMES).glob("*.txt"))}
    for name in wanted:
        if name in tables:
            return read_names(tables[name], components.find, known)
    fail(
        f"no table of official names is known for {source.files[0]}",
        f"give one with --names FILE; there are tables for {', '.join(sorted(tables))}",
    )


def _about(found: Imported, origin: Standing | None) -> dict[str, object]:
    """Return what the model file says of where its weights are from."""
    return {
        "system": origin and origin.card.name,
        "standing": origin and str(origin),
        "files": [{"file": Path(file).name, "sha256": sha256(file)} for file in found.files],
        "unused": len(found.unused),
    }


def _is_import(path: Path) -> bool:
    """Return whether an existing file holds imported weights, and may be replaced by others."""
    return path.is_file() and model_file.read_header(path)["extra"].get("imported") is not None
