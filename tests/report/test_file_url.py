from __future__ import annotations

import os
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadkit.report import file_url


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("a b#1.mp4", "./a%20b%231.mp4"),
        ("../50%/x.mp4", "../50%25/x.mp4"),
        ("a:b.mp4", "./a%3Ab.mp4"),
        ("what?.mp4", "./what%3F.mp4"),
        ("/abs/x.mp4", "/abs/x.mp4"),
    ],
)
def test_paths_become_urls(path: str, url: str) -> None:
    assert file_url(path) == url


@given(st.text(st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]), min_size=1))
def test_any_file_name_survives_as_a_url(name: str) -> None:
    parts = urlsplit(file_url(f"../{name}"))
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("", "", "", "")
    assert unquote(parts.path) == f"../{name}"


def test_a_file_name_that_is_not_utf8_survives_as_a_url() -> None:
    assert file_url(os.fsdecode(b"caf\xe9.mp4")) == "./caf%E9.mp4"
