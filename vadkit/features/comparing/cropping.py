"""Which crop of A is which crop of B.

Legend: k crops, t snippets, dim the width of a stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from vadkit.features.crops import _PLACES
