"""Wiring: which source feeds which port, in what order the nodes run, and what is left unused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vadkit.graph.plan import LossWeight
from vadkit.graph.schema import NAMED
from vadkit.graph.source import Source
from vadkit.graph.wording import say, shorten
from vadkit.kinds import BATCH_PORTS, ModuleComponent
from vadkit.problems import LISTED, Note, Problems, nearest, unknown
from vadkit.shapes import Port, parse_ports

Path = tuple[Any, ...]
FROM = "from"  # in a mapping of ports: nodes whose outputs fill the ports of their names; no port can be called so


@dataclass
class Written:
    """A node or loss as written, after its own checks. ``component`` None: unknown."""

    name: str
    section: str  # "nodes" or "losses"
    component: type[ModuleComponent] | None
    inputs: Any
    args: dict[str, Any]
    weight: LossWeight = LossWeight(1.0, 1.0)
    share: str | None = None
    detach: bool = False
    train_only: bool = False
    sources: list[tuple[str, str, Path]] = field(default_factory=list)  # port, source as written, path

    @property
    def path(self) -> Path:
        return (self.section, self.name)

    @property
    def module(self) -> str:
        """The name of its module: the key that nodes share, or its own name."""
        return self.share or self.name

    @property
    def title(self) -> str:
        return self.name if self.component is None else f"{self.name} ({self.component.name})"


def ports_of(component: type[ModuleComponent]) -> dict[str, Port]:
    """Return the input ports of a component."""
    return parse_ports(component.inputs)


def main_port(ports: Mapping[str, Port]) -> str | None:
    """Return the port that ``in: source`` means: the first that the batch does not fill."""
    return next((name for name in ports if name not in BATCH_PORTS), None)


class Wiring:
    """Resolves every ``in`` of a file."""

    def __init__(self, inputs: Iterable[str], items: list[Written], source: Source, problems: Problems) -> None:
        self.inputs = list(inputs)
        self.nodes = {w.name: w for w in items if w.section == "nodes"}
        self.items = items
        self.deleted, self.problems = source.deleted, problems
        self.broken: set[int] = set()  # items with a problem: unknown from here on
        self.lost = False  # whether what feeds what is unclear somewhere
        self.meant: dict[tuple[int, str], str] = {}  # a misspelt source and the name it was meant to be

    def resolve(self) -> None:
        """Fill ``sources`` of every item and note what is wrong."""
        for item in self.items:
            if item.component is None:
                self.lost |= not item.inputs
                item.sources = list(_loose(item))
            else:
                self._ports(item)
            for _, source, path in item.sources:
                self._source(item, source, path)

    def _reject(self, item: Written, message: str, path: Path, hint: str | None = None, key: bool = False) -> None:
        """Note a problem with an item, which counts as unknown from here on."""
        self.broken.add(id(item))
        self.problems.add(message, path, hint, key=key)

    def _unknown(
        self, item: Written, word: str, known: Iterable[str], what: str, where: str, path: Path, key: bool = False
    ) -> None:
        """Reject an item that names what does not exist."""
        self.broken.add(id(item))
        deleted = self.deleted.get(("nodes", word)) or self.deleted.get(("inputs", word))
        notes = (Note(f"'{word}' is deleted here", deleted),) if deleted else ()
        place = self.problems.locate(path, key)
        self.problems.found.append(unknown(word, known, what, where, place, notes))

    def _ports(self, item: Written) -> None:
        assert item.component is not None
        ports = ports_of(item.component)
        main, path, wired = main_port(ports), (*item.path, "in"), item.inputs
        if main is None and isinstance(wired, str | list) and wired:
            self._reject(item, f"{item.title} takes nothing from the graph", path, "leave 'in' out")
        elif isinstance(wired, dict):
            self._named(item, ports, wired, path)
        elif isinstance(wired, list) and main and ports[main].variadic:
            item.sources = [(main, source, (*path, i)) for i, source in enumerate(wired)]
        elif isinstance(wired, list):
            self.lost = True
            one = f": port '{main}' takes one" if main else ""
            self._reject(item, f"{item.title} takes no list of sources{one}", path, _instead_of_a_list(ports))
        elif isinstance(wired, str) and main:
            item.sources = [(main, wired, path)]
        if id(item) not in self.broken:
            self._lacking(item, ports)

    def _lacking(self, item: Written, ports: dict[str, Port]) -> None:
        """Note the ports that nothing is wired to, and wire those that the batch fills."""
        got = {port for port, _, _ in item.sources}
        lacking = [
            f"'{port.name}' ({port.pattern})"
            for port in ports.values()
            if port.name not in got and not port.optional and port.name not in BATCH_PORTS
        ]
        if lacking:
            them = "it" if len(lacking) == 1 else "them"
            self._reject(
                item, f"{item.title} needs {', '.join(lacking)}, but nothing is wired to {them}", item.path, key=True
            )
        taken = {*got, *self.inputs, *self.nodes}  # a node of such a name is noted elsewhere
        item.sources += [(port, port, item.path) for port in ports if port in BATCH_PORTS and port not in taken]

    def _named(self, item: Written, ports: dict[str, Port], wired: dict[str, Any], path: Path) -> None:
        assert item.component is not None
        for name, source in wired.items():
            if name == FROM:
                continue
            if name not in ports:
                self._unknown(item, str(name), ports, "port", f"of {item.component.name}", (*path, name), key=True)
                named = source if isinstance(source, list) else [source]  # counts as used
                item.sources += [(FROM, each, (*path, name)) for each in named if isinstance(each, str)]
            elif isinstance(source, list) and ports[name].variadic:
                item.sources += [(name, s, (*path, name, i)) for i, s in enumerate(source)]
            elif isinstance(source, str):
                item.sources.append((name, source, (*path, name)))
            else:
                self._reject(item, f"{item.title}: port '{name}' takes one source", (*path, name))
        if FROM in wired:
            self._from(item, ports, wired[FROM], (*path, FROM))

    def _from(self, item: Written, ports: dict[str, Port], listed: Any, path: Path) -> None:
        """Wire the ports that are left to the outputs of the same names of the listed nodes."""
        names = [listed] if isinstance(listed, str) else listed
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or not names:
            self._reject(item, f"{item.title}: 'from' takes the name of a node or a list of them", path)
            return
        open_ports = [port for port in ports if port not in {port for port, _, _ in item.sources}]
        outputs = {name: self._outputs(item, name, path) for name in dict.fromkeys(names)}
        if None in outputs.values():
            return
        givers = {port: [name for name, given in outputs.items() if port in (given or ())] for port in open_ports}
        several = [port for port, found in givers.items() if len(found) > 1]
        if several:
            both, port = givers[several[0]], several[0]
            self._reject(
                item,
                f"{item.title} could take {', '.join(several)} from {' or from '.join(both)}",
                path,
                f"wire what is open: {port}: {both[0]}.{port}",
            )
        item.sources += [(port, f"{found[0]}.{port}", path) for port, found in givers.items() if found]
        for name, given in outputs.items():
            if not several and not any(name in found for found in givers.values()):
                wanted = ", ".join(port for port in open_ports if port not in BATCH_PORTS)
                message = f"{item.title} takes nothing from '{name}', whose outputs are {', '.join(given or ())}"
                self._reject(item, message, path, f"the open ports are {wanted or 'none'}")

    def _outputs(self, item: Written, name: str, path: Path) -> list[str] | None:
        """Return the outputs of a node listed in ``from``; None if they are unknown, and then the item is, too."""
        if name in self.nodes and (component := self.nodes[name].component) is not None:
            return list(parse_ports(component.outputs))
        self.broken.add(id(item))
        self.lost |= name not in self.nodes
        if name in self.nodes:
            item.sources.append((FROM, name, path))  # so that it counts as used
        elif name in self.inputs:
            self._reject(item, f"{item.title}: 'from' takes nodes, and '{name}' is an input", path, "wire it to a port")
        else:
            self._unknown(item, name, self.nodes, "node", "", path)
        return None

    def _source(self, item: Written, source: Any, path: Path) -> None:
        if not isinstance(source, str):
            self._reject(item, f"{item.title}: a source must be a name, not {say(source)}", path)
            return
        name, _, port = source.partition(".")
        known = [*self.inputs, *self.nodes]
        if name in BATCH_PORTS and name not in known:
            if port:
                self._reject(item, f"'{name}' is a value of the batch and has no ports", path, f"write '{name}'")
            return
        if (port and source in known) or not self.inputs:  # a name with a dot, or no inputs: noted elsewhere
            self.broken.add(id(item))
            self.lost = True
        elif name not in known:
            close = nearest(name, known) if len(self.meant) < LISTED else None  # each look takes a while
            self.meant[(id(item), source)] = close or ""
            self.lost |= close is None
            if close is None and len(self.meant) < LISTED:
                known += [value for value in [nearest(name, BATCH_PORTS)] if value]
            self._unknown(item, name, known, "input or node", "", path)
        elif port and name in self.nodes:
            component = self.nodes[name].component
            outputs = parse_ports(component.outputs) if component else {port: None}
            if port not in outputs:
                self._unknown(item, port, outputs, "output", f"of {name}", path)
        elif port:
            self._reject(item, f"input '{name}' has no ports", path, f"write '{name}'")

    def feeds(self, item: Written) -> list[str]:
        """Return the names that feed an item, a misspelt one as it was meant."""
        names = []
        for _, source, _ in item.sources:
            name = str(source).partition(".")[0]
            names.append(self.meant.get((id(item), str(source))) or name)
        return names

    def order(self) -> list[Written]:
        """Return the nodes in running order, without those on a cycle, which is noted once."""
        done: dict[str, int] = {}  # 1 in progress, 2 finished
        order: list[Written] = []
        chain: list[str] = []

        def visit(name: str) -> None:
            if done.get(name) == 2 or name not in self.nodes:
                return
            if done.get(name) == 1:
                self._cycle(chain[chain.index(name) :])
                return
            done[name] = 1
            chain.append(name)
            for source in self.feeds(self.nodes[name]):
                visit(source)
            chain.pop()
            done[name] = 2
            order.append(self.nodes[name])

        for name in self.nodes:
            visit(name)
        return order

    def _cycle(self, names: list[str]) -> None:
        if any(id(self.nodes[n]) in self.broken for n in names):
            return
        for name in names:
            self.broken.add(id(self.nodes[name]))
        self.lost = True
        # The chain runs from a node to what feeds it; it is shown the way the data would flow.
        flow = [names[0], *reversed(names[1:]), names[0]]
        notes = tuple(
            Note(f"{b} takes {a}", self.problems.locate((*self.nodes[b].path, "in"), False))
            for a, b in zip(flow, flow[1:])
        )
        hint = "a node can only use inputs and nodes that run before it"
        self.problems.add(f"cycle: {' -> '.join(flow)}", ("nodes", flow[0]), hint, notes, key=True)

    def unused(self, roots: Iterable[str]) -> None:
        """Note which nodes and inputs feed neither the output nor a loss.

        Skipped where a problem hides what feeds what: the blame would fall on its victims.
        """
        if self.lost:
            return
        used: set[str] = set()
        todo = [*roots, *(n for w in self.items if w.section == "losses" for n in self.feeds(w))]
        while todo:
            name = todo.pop()
            if name in used:
                continue
            used.add(name)
            if name in self.nodes:
                todo += self.feeds(self.nodes[name])
        # What feeds only an unused node is not reported as well.
        indirect = {n for w in self.nodes.values() if w.name not in used for n in self.feeds(w)}
        for section, names in (("nodes", list(self.nodes)), ("inputs", self.inputs)):
            for name in names:
                if name not in used and name not in indirect:
                    message = f"{NAMED[section]} '{shorten(name)}' feeds neither the output nor a loss"
                    hint = f"wire it, or remove it (in a file that extends another: {shorten(name)}: null)"
                    self.problems.add(message, (section, name), hint, key=True)


def _instead_of_a_list(ports: Mapping[str, Port]) -> str:
    names = [name for name in ports if name not in BATCH_PORTS]
    if len(names) == 1:
        return "join them first with a fusion component such as concat or sum"
    return f"name its ports: in: {{{', '.join(f'{name}: ...' for name in names)}}}"


def _loose(item: Written) -> Iterable[tuple[str, str, Path]]:
    """Return the sources of a node whose component is unknown: ports do not matter, names do."""
    path = (*item.path, "in")
    wired = item.inputs.items() if isinstance(item.inputs, dict) else [(None, item.inputs)]
    for key, value in wired:
        where = path if key is None else (*path, key)
        if isinstance(value, list):
            yield from ((str(key), v, (*where, i)) for i, v in enumerate(value) if isinstance(v, str))
        elif isinstance(value, str):
            yield str(key), value, where
