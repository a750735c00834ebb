"""numpy reads headers with ``ast``, which CPython 3.11 confuses when several threads do so."""

import numpy as np

from vadkit.store.array_file import open_features


def test_a_header_that_another_thread_disturbed_is_read_again(tmp_path, monkeypatch):
    """Seen once in a training with threads: a sound file was called damaged."""
    np.save(tmp_path / "a.npy", np.ones((4, 5), np.float32, order="F"))  # the usual order needs no ast
    parse, calls = np.lib.format.read_array_header_1_0, []

    def disturbed(*args, **kwargs):
        calls.append(args)
        if len(calls) == 1:
            raise SystemError("AST constructor recursion depth mismatch (before=54, after=51)")
        return parse(*args, **kwargs)

    monkeypatch.setattr(np.lib.format, "read_array_header_1_0", disturbed)
    assert open_features(tmp_path / "a.npy").shape == (1, 4, 5) and len(calls) == 2
