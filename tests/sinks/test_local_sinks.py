"""Sinks of this machine: folder, standard output, Prometheus."""

from __future__ import annotations

import json
import stat
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from loopback import free_port, life
from vadkit_folder_sink import FolderSink
from vadkit_prometheus_sink import PrometheusSink
from vadkit_stdout_sink import StdoutSink

from vadkit import VadkitError
from vadkit.sinks import SinkError, plain_name
from vadkit.testing import check_component


def test_contract() -> None:
    assert not check_component(FolderSink).not_run
    assert not check_component(StdoutSink).not_run


def test_a_folder_holds_the_latest_state_of_each_event(tmp_path: Path) -> None:
    sink = FolderSink()
    sink.open(tmp_path)
    for event in [*life(), *life("rtsp://10.0.0.7/1", 3.2)[:2]]:
        sink.send(event)
    files = sorted(tmp_path.iterdir())
    assert [json.loads(file.read_text())["state"] for file in files] == ["end", "update"]
    assert json.loads(files[0].read_text())["clip"] == "clip.mp4"
    assert files[0].name.startswith("door-") and files[1].name.startswith("rtsp_10_0_0_7_1_")


def test_a_folder_that_is_gone_is_a_failure_that_may_pass(tmp_path: Path) -> None:
    sink = FolderSink()
    (tmp_path / "file").write_text("")
    sink.open(tmp_path / "file")
    with pytest.raises(SinkError, match="cannot write") as error:
        sink.send(life()[0])
    assert error.value.again


def test_standard_output_gets_a_line_for_each_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sink = StdoutSink()
    sink.open(tmp_path)
    for event in life():
        sink.send(event)
    assert capsys.readouterr().out == "".join(f"{event.as_json()}\n" for event in life())


def test_names_of_sources_that_differ_stay_apart() -> None:
    names = [plain_name(source) for source in ("door", "door 1", "door/1", "door#1", "\u00fcber", "x" * 90, "x" * 91)]
    assert len(set(names)) == len(names) and names[0] == "door"
    assert all(len(name) < 80 and name.isascii() and " " not in name for name in names)


# -- Prometheus ------------------------------------------------------------------------------------
needs_client = pytest.mark.skipif(
    __import__("importlib.util").util.find_spec("prometheus_client") is None,
    reason="prometheus-client is not installed",
)


def fill(sink: PrometheusSink) -> None:
    for event in [*life(), *life("gate", 3.2)[:1]]:
        sink.send(event)
    sink.health("door", {"state": "online", "fps": 24.5, "dropped frames": 3, "why": "text"})
    sink.health("gate", {"state": "offline"})


EXPECTED = (
    'vadkit_events_total{source="door"} 1.0',
    'vadkit_event_active{source="door"} 0.0',
    'vadkit_event_active{source="gate"} 1.0',
    'vadkit_event_peak{source="door"} 0.95',
    'vadkit_source_up{source="door"} 1.0',
    'vadkit_source_up{source="gate"} 0.0',
    'vadkit_source_fps{source="door"} 24.5',
    'vadkit_source_dropped_frames{source="door"} 3.0',
)


@needs_client
def test_contract_of_prometheus() -> None:
    assert not check_component(PrometheusSink).not_run
    assert not check_component(PrometheusSink, port=0).not_run


@needs_client
def test_metrics_are_in_a_file_unless_a_port_is_asked_for(tmp_path: Path) -> None:
    sink = PrometheusSink()
    sink.open(tmp_path)
    fill(sink)
    sink.close()
    lines = (tmp_path / "metrics.prom").read_text().splitlines()
    assert set(EXPECTED) <= set(lines)


def get(port: int, token: str | None, path: str = "/metrics") -> str:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as answer:
        return str(answer.read().decode())


@needs_client
def test_a_port_wants_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_TOKEN", "s3cret")
    sink = PrometheusSink(port=0, token="{METRICS_TOKEN}")
    sink.open(tmp_path)
    assert sink.port
    fill(sink)
    assert set(EXPECTED) <= set(get(sink.port, "s3cret").splitlines())
    for token in (None, "wrong", ""):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            get(sink.port, token)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(sink.port, "s3cret", "/other")
    sink.close()
    with pytest.raises(urllib.error.URLError):
        get(sink.port, "s3cret")
    assert not list(tmp_path.iterdir())


@needs_client
def test_without_a_token_a_new_one_is_in_a_file_for_the_owner(tmp_path: Path) -> None:
    sink = PrometheusSink(port=0)
    sink.open(tmp_path)
    file = tmp_path / "token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sink.port and "vadkit" in get(sink.port, file.read_text()) or get(sink.port, file.read_text()) == ""
    sink.close()


@needs_client
def test_a_port_in_use_is_reported(tmp_path: Path) -> None:
    first = PrometheusSink(port=free_port())
    first.open(tmp_path)
    with pytest.raises(
        VadkitError, match=f"the port {first.port} of 127.0.0.1 cannot be opened: address already in use"
    ):
        PrometheusSink(port=first.port).open(tmp_path)
    first.close()


def test_without_its_client_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "prometheus_client", None)
    with pytest.raises(VadkitError, match=r"needs prometheus-client.*(\n.*)*vadkit\[watch\]"):
        PrometheusSink().open(tmp_path)
