"""A tiny feature store, and a way to spoil it."""

from store_fixtures import dataset, edit, store

__all__ = ["dataset", "edit", "store"]
