"""Damaged files of seven kinds: every verb that reads them says what is wrong, or finds nothing wrong.

``python -m tests.fuzz`` tries 5,000 mutants of each kind; ``--target`` and ``--seed`` choose. A mutant follows from the
name of its target and its seed alone: ``python -m tests.fuzz --target models --seed 17 --mutants 1`` repeats one.
"""
