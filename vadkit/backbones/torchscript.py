"""Read the tensors of a TorchScript archive without running the program in it.

``torch.jit.load`` may run code of the file, and ``torch.load(weights_only=True)`` refuses such files. Neither
is used: the archive is a zip file and its ``data.pkl`` a list of pickle instructions. They are interpreted
one by one here, and only rebuild dictionaries, lists, numbers and tensors. A class or function is kept as
a name and never looked up.
"""

from __future__ import annotations

import math
import pickletools
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

MOST = 100_000  # modules and tensors; the largest published network has a thousand
LONGEST = 4096  # letters of a tensor's dotted name
PROGRAM = 16 << 20  # bytes of instructions; those of CLIP are 0.1 MB

_TYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


@dataclass
class Named:
    """Something that the file refers to by name: a class, a function, or an object built with it."""

    name: str
    state: Any = None


@dataclass
class _Machine:
    """Interprets pickle instructions. ``storage`` turns a persistent id into a flat tensor."""

    storage: Callable[[tuple[Any, ...]], Tensor]
    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def run(self, program: bytes) -> Any:
        for opcode, argument, _ in pickletools.genops(program):
            if opcode.name == "STOP":
                return self.stack.pop()
            self._step(opcode.name, argument)
        raise ValueError("it ends too early")

    def _step(self, name: str, argument: Any) -> None:
        if name in _IGNORED:
            return
        if name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name]())
        elif name.startswith(("BININT", "BINUNICODE", "SHORT_BINUNICODE", "BINFLOAT", "LONG1", "BINBYTES")):
            self.stack.append(argument)
        elif name == "MARK":
            self.marks.append(len(self.stack))
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
        elif name == "GLOBAL":
            self.stack.append(Named(argument.replace(" ", ".")))
        elif (method := getattr(self, f"_{name.lower()}", None)) is not None:
            method()
        else:
            raise ValueError(f"it contains the instruction {name}, which no file of tensors needs")

    def _above_mark(self) -> list[Any]:
        start = self.marks.pop()
        items, self.stack[start:] = self.stack[start:], []
        return items

    def _tuple(self) -> None:
        self.stack.append(tuple(self._above_mark()))

    def _tuple1(self) -> None:
        self.stack[-1:] = [tuple(self.stack[-1:])]

    def _tuple2(self) -> None:
        self.stack[-2:] = [tuple(self.stack[-2:])]

    def _tuple3(self) -> None:
        self.stack[-3:] = [tuple(self.stack[-3:])]

    def _append(self) -> None:
        value = self.stack.pop()
        self.stack[-1].append(value)

    def _appends(self) -> None:
        items = self._above_mark()
        self.stack[-1].extend(items)

    def _setitem(self) -> None:
        key, value = self.stack[-2:]
        del self.stack[-2:]
        self.stack[-1][_key(key)] = value

    def _setitems(self) -> None:
        items = self._above_mark()
        self.stack[-1].update(zip(map(_key, items[::2]), items[1::2]))

    def _newobj(self) -> None:
        del self.stack[-1]
        self.stack[-1] = Named(self.stack[-1].name)

    def _reduce(self) -> None:
        arguments = self.stack.pop()
        function = self.stack[-1].name
        rebuild = function == "torch._utils._rebuild_tensor_v2"
        self.stack[-1] = _view(*arguments[:4]) if rebuild else Named(function, arguments)

    def _build(self) -> None:
        state = self.stack.pop()
        self.stack[-1].state = state

    def _binpersid(self) -> None:
        self.stack[-1] = self.storage(self.stack[-1])


_IGNORED = {"PROTO"}
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "NONE": lambda: None,
}


def _key(value: Any) -> Any:
    if not isinstance(value, str | int | float | None):  # to hash tuples in tuples could exhaust the stack
        raise ValueError("a mapping has a key that no file of tensors needs")
    return value


def _view(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    if math.prod(size) > len(storage):
        raise ValueError("a tensor has more numbers than the file has for it")
    return storage.as_strided(size, stride, offset)  # torch raises if it is out of bounds


def is_torchscript(archive: zipfile.ZipFile) -> bool:
    return any(name.endswith("/constants.pkl") for name in archive.namelist())


def read_torchscript(archive: zipfile.ZipFile) -> dict[str, Tensor]:
    """Return the parameters and buffers of the archived module by their dotted names.

    Raises any error if it is damaged.
    """
    programs = [info for info in archive.infolist() if info.filename.endswith("/data.pkl")]
    if not programs:
        raise ValueError("it has no data.pkl")
    if programs[0].file_size > PROGRAM:
        raise ValueError(f"its data.pkl has {programs[0].file_size} bytes, the limit is {PROGRAM}")
    root = programs[0].filename.removesuffix("/data.pkl")
    names, storages = set(archive.namelist()), dict[str, Tensor]()
    if f"{root}/byteorder" in names and archive.read(f"{root}/byteorder") != b"little":
        raise ValueError("its numbers are big-endian")

    def storage(identity: tuple[Any, ...]) -> Tensor:
        _, kind, key, _, count = identity
        if not isinstance(key, str):
            raise ValueError("a tensor is in no file of the archive")
        if key not in storages:
            content = bytearray(archive.read(f"{root}/data/{key}"))
            dtype = _TYPES[kind.name.rsplit(".", 1)[-1]]
            storages[key] = torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)
        if len(storages[key]) < count:
            raise ValueError("a tensor is cut short")
        return storages[key]

    return _tensors(_Machine(storage).run(archive.read(f"{root}/data.pkl")))


def _tensors(module: Any) -> dict[str, Tensor]:
    """Return the tensors of a module and of those in it, by their dotted names, in order."""
    if not isinstance(module, Named):
        raise ValueError("it holds no module")
    found: dict[str, Tensor] = {}
    waiting: list[tuple[str, Any]] = [("", module)]
    for _ in range(MOST):
        if not waiting:
            return found
        name, value = waiting.pop()
        if isinstance(value, Tensor):
            found[name] = value
        elif isinstance(value, Named) and isinstance(value.state, dict):
            prefix = f"{name}." if name else ""
            waiting += [(f"{prefix}{own}", inner) for own, inner in reversed(value.state.items())]
            if len(name) > LONGEST or len(waiting) > MOST:
                break
    raise ValueError(f"a module in it holds itself, or it has more than {MOST} modules and tensors")
