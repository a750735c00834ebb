"""The verbs of the command line as Python functions, one file each.

``vadkit`` offers them all by name (``vadkit.train``), loaded when first used. The command line calls these functions,
so both give the same results. They print nothing. A user's mistake raises ``VadkitError``, whose text says what is
wrong, where, and what to do.
"""
