"""One mmengine Registry per kind. A name is looked up only after a membership check.

``mmengine.Registry.get`` imports a dotted name that it does not know, so a name from a YAML file
must never reach it unchecked: ``find`` is the only way in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mmengine.registry import Registry

from vadkit.kinds import KINDS, Component
from vadkit.problems import nearest


@dataclass
class Components:
    """Every known component by kind and name, and the plugin that provides it."""

    registries: dict[str, Registry] = field(
        default_factory=lambda: {kind: Registry(f"vadkit_{kind}", scope="vadkit") for kind in KINDS}
    )
    owners: dict[type, str] = field(default_factory=dict)

    def add(self, component: type[Component], plugin: str) -> None:
        """Register a class. Raises ValueError for a bad class or a name that is taken."""
        if not isinstance(component, type):
            raise ValueError(f"{component!r} is not a class")
        kind, name = getattr(component, "kind", None), component.__dict__.get("name")
        if kind not in KINDS or not issubclass(component, KINDS[kind]):
            raise ValueError(f"{component.__name__} is not of a known kind")
        if not isinstance(name, str) or not name.isidentifier() or name != name.lower():
            raise ValueError(f"{component.__name__} needs a name in snake_case, not {name!r}")
        other = self.find(name)
        if other is not None:
            raise ValueError(f"'{name}' is already provided by plugin {self.owners[other]}")
        self.registries[kind].register_module(name=name, module=component)
        self.owners[component] = plugin

    def remove(self, component: type[Component]) -> None:
        """Remove a class whose plugin turned out to be broken."""
        del self.registries[component.kind].module_dict[component.name]
        del self.owners[component]

    def find(self, name: str, kind: str | None = None) -> type[Component] | None:
        """Return the class called ``name``, or None. Names are unique across kinds."""
        for registry in [self.registries[kind]] if kind else self.registries.values():
            if name in registry.module_dict:
                return registry.module_dict[name]  # type: ignore[no-any-return]
        return None

    def names(self, kind: str | None = None) -> list[str]:
        """Return all names, sorted."""
        kinds = [kind] if kind else list(self.registries)
        return sorted(name for k in kinds for name in self.registries[k].module_dict)

    def suggest(self, name: str, kinds: Sequence[str] = ()) -> str | None:
        """Return 'did you mean ...' for a name that is not known, or None; restricted to ``kinds`` if given."""
        close = nearest(name, [known for kind in kinds or KINDS for known in self.names(kind)])
        found = self.find(close) if close else None
        if found is None:
            return None
        return f"did you mean '{close}' ({found.kind}, plugin {self.owners[found]})?"
