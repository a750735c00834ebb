"""Secrets come from the environment or a file, and are never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from vadkit import VadkitError
from vadkit.credentials import masked, revealed, revealed_url, secret


def test_a_text_names_secrets_in_braces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("from the file\n")
    monkeypatch.setenv("CAM_PASSWORD", "p@ss/word")
    assert revealed("Bearer {file:%s}" % (tmp_path / "token"), "header") == "Bearer from the file"
    assert revealed("no secret", "header") == "no secret"
    assert revealed_url("http://cam:{CAM_PASSWORD}@host/", "url") == "http://cam:p%40ss%2Fword@host/"
    assert secret("{CAM_PASSWORD}", "token") == "p@ss/word"
    monkeypatch.setenv("ADDRESS", "http://host/a?b=c")
    assert revealed_url("{ADDRESS}", "url") == "http://host/a?b=c"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{NOT_SET_ANYWHERE}", "password: the environment variable NOT_SET_ANYWHERE is not set"),
        ("{file:/nonexistent/secret}", "password: /nonexistent/secret cannot be read: no such file"),
    ],
)
def test_a_secret_that_is_missing_is_reported_by_its_name(text: str, message: str) -> None:
    with pytest.raises(VadkitError, match=message):
        revealed(text, "password")


def test_a_password_that_is_typed_itself_is_refused_and_not_shown() -> None:
    with pytest.raises(VadkitError) as error:
        secret("hunter2", "token")
    assert "token must name a secret, not be one" in str(error.value) and "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://cam:hunter2@10.0.0.7:554/1", "rtsp://***@10.0.0.7:554/1"),
        ("cannot open 'rtsp://cam@host/1': timed out", "cannot open 'rtsp://***@host/1': timed out"),
        ("http://h/x?api_key=abc&n=1&Password=p#z", "http://h/x?api_key=***&n=1&Password=***#z"),
        ("mail@example.org and /folder/a@b.mp4", "mail@example.org and /folder/a@b.mp4"),
        ("rtsp://cam:p@ss:w@host/1", "rtsp://***@host/1"),
    ],
)
def test_addresses_are_masked(text: str, shown: str) -> None:
    assert masked(text) == shown
