"""``python -m vadkit``."""

from vadkit.cli import main

raise SystemExit(main())
