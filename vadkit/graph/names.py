"""Which names inputs, nodes, losses and ports can have, and what to call instead what cannot be called so.

A node becomes an attribute of a module, an input an argument of the code that torch.fx writes, a loss an entry of an
``nn.ModuleDict``. A name is refused for all of them if one of these cannot take it, so that a rename in one place of
a graph never makes a name fail in another.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Container
from functools import lru_cache

from torch import fx, nn

from vadkit.graph.module import VadModel
from vadkit.graph.wording import shorten
from vadkit.kinds import BATCH_PORTS
from vadkit.shapes import COUNTS

LONGEST = 64  # characters; the names of weights are built of them
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# Names that the code of a graph uses for itself, or that a result has.
OF_THE_CODE = frozenset(
    {"NoneType", "device", "fx_pytree", "inf", "math", "nan", "operator", "pytree", "self", "torch"}
)
OF_THE_MODEL = frozenset({"input_sizes", "lookahead", "losses", "output_range", "plan", "spec"})


def why_not(name: object, what: str) -> str | None:
    """Return why ``what`` (a node, an input, a loss, a port) cannot have the name, as a sentence; None if it can."""
    if not isinstance(name, str) or not PLAIN.fullmatch(name):
        rule = "must consist of the letters a to z, digits and _, and begin with a letter"
        return f"{what} name '{shorten(str(name), 40)}' {rule}{_strange(str(name))}"
    if len(name) > LONGEST:
        return f"{what} name '{name[:20]}...' has {len(name)} characters; names have at most {LONGEST}"
    if what == "round":  # a folder, and nothing in code
        return None
    cause = _python(name) or (_taken(name, what) if what != "port" else None)
    return f"{what} cannot be called '{name}': {cause}" if cause else None


def instead(name: object, what: str, taken: Container[str] = ()) -> str:
    """Return a name that can be used in place of one that cannot, and that is not ``taken``."""
    text = unicodedata.normalize("NFKD", str(name)).encode("ascii", "ignore").decode()
    plain = re.sub(r"\W+", "_", text).lstrip("_0123456789").rstrip("_")[: LONGEST - 10] or what
    tries = [plain, f"{plain}_", f"{plain}_{what}", *(f"{plain}_{number}" for number in range(2, 100))]
    return next((name for name in tries if name not in taken and not why_not(name, what)), f"{plain}_100")


def _strange(name: str) -> str:
    """Name the first character that is not ASCII, because it may look as if it was."""
    found = next((c for c in name if not c.isascii()), None)
    if found is None:
        return ""
    same = unicodedata.normalize("NFKC", found)
    as_python = f", which Python takes for '{same}'" if same != found and same.isascii() else ""
    return f"; it contains the character U+{ord(found):04X}{as_python}"


def _python(name: str) -> str | None:
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        return "it is a keyword of Python"
    return "the code of a graph uses this name" if name in OF_THE_CODE else None


def _taken(name: str, what: str) -> str | None:
    if name in BATCH_PORTS:
        return "the batch brings a value of this name"
    if name in COUNTS:
        return "in shapes it stands for a count"
    if what == "loss" and name == "total":
        return "it is the sum of the losses"
    return "every model has an attribute of this name" if name in _attributes() else None


@lru_cache(maxsize=1)
def _attributes() -> frozenset[str]:
    """Return what is an attribute of every model, graph or mapping of modules, so that no child can be called so."""
    graph = fx.GraphModule(nn.Module(), fx.Graph())
    return frozenset({*dir(VadModel), *dir(nn.Module()), *dir(nn.ModuleDict()), *dir(graph), *OF_THE_MODEL})
