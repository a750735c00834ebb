"""A plugin with a component whose name is taken."""

from torch import Tensor

from vadkit import Temporal, hookimpl


class OtherTca(Temporal):
    """Not the one that everybody means by tca."""

    name = "tca"

    def forward(self, x: Tensor) -> Tensor:
        return x


class Twin(OtherTca):
    """Good, but in bad company."""

    name = "acme_twin"


@hookimpl
def vadkit_components() -> list[type]:
    return [OtherTca, Twin]
