"""``vadkit bench speed``: figures with both references, going on after a stop, and what a profile says."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
import torch
import yaml
from cuda_stand_in import stand_in
from speed_runs import run as drawn_run
from torch import nn

import vadkit
from vadkit import plugin_manager
from vadkit.bench.speed import growth, measure, peaks, why
from vadkit.bench.speed import run as speed_run
from vadkit.bench.speed.clocks import clocks, parsed
from vadkit.bench.speed.counting import limit_ms, operations
from vadkit.bench.speed.grid import Grid, graphs_of
from vadkit.bench.speed.page import as_page
from vadkit.bench.speed.result import Growth, Size, differing, here, read
from vadkit.bench.speed.table import as_markdown
from vadkit.bench.speed.turns import LEAST_ROUNDS, Turn, take_turns
from vadkit.bench.timing import Load, random_batch
from vadkit.cli import main
from vadkit.plugin_manager import load_plugins, reload_plugins

CPU = torch.device("cpu")
GRAPH = {
    "inputs": {"rgb": "b t 16"},
    "nodes": {
        "context": {"use": "layer_norm", "in": "rgb"},
        "score": {"use": "causal_conv", "in": "context", "args": {"kernel": 1}},
    },
    "losses": {"mil": {"use": "topk_mil", "in": "score"}},
    "output": "score",
    "data": {"args": {"root": "none"}, "sampler": {"use": "uniform_pad", "args": {"length": 16}}},
}
PLAIN = """
import time
import torch
from vadkit import Restatement, hookimpl

class Plain(Restatement):
    graphs = {GRAPH: {"width": 16}}

    def __init__(self, *, width):
        super().__init__()
        self.linear = torch.nn.Linear(width, 1)

    def forward(self, rgb):
        return self.linear(rgb).squeeze(-1)

    def loss(self, batch):
        time.sleep(0.01)
        return self(batch["rgb"]).mean()

@hookimpl
def vadkit_restatements():
    return [Plain]
"""


@pytest.fixture
def graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield the path of a tiny graph; a folder next to it has a restatement of it."""
    monkeypatch.setitem(peaks.SIDES, "cpu", 64)
    monkeypatch.setitem(peaks.COPIES, "cpu", 1 << 16)
    monkeypatch.setenv(plugin_manager.EXTRA, "")
    monkeypatch.setattr(sys, "path", [*sys.path])
    path, folder = tmp_path / "tiny.yaml", tmp_path / "plain"
    path.write_text(yaml.safe_dump(GRAPH, sort_keys=False))
    folder.mkdir()
    (folder / "vadkit_speed_plain.py").write_text(PLAIN.replace("GRAPH", repr(str(path))))
    reload_plugins()
    yield path
    sys.modules.pop("vadkit_speed_plain", None)
    reload_plugins()


def speed(graph: Path, *more: str) -> int:
    """Measure in one precision; the default has as many as the CPU is fast in."""
    out = graph.parent / "run.json"
    given = ["--device", "cpu", "--precision", "fp32", "--bags", "2", "--out", str(out)]
    return main(["bench", "speed", str(graph), *given, *more])


def test_a_step_is_next_to_the_authors_way_and_the_limit(graph: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert speed(graph, "--what", "step,components", "--restatements", str(graph.parent / "plain")) == 0
    found = read(graph.parent / "run.json")
    train, score = (found.rows[f"{graph} {what} 2x16 fp32 eager"] for what in ("train", "score"))
    assert train.plain_ms and len(train.plain_ms) == len(train.ours_ms) == len(train.product_ms) == 5
    assert train.ratio and score.ratio
    assert score.flops == 2 * 2 * 16 * (16 + 1)  # bags, snippets; width, and one tap
    assert train.flops and train.flops >= 2 * score.flops  # the weight's gradient, and the features' for layer_norm
    assert train.over_limit > 2 and train.why and "passes over memory" in train.why
    assert {row.subject for row in found.rows.values()} == {str(graph), "layer_norm", "causal_conv", "topk_mil"}
    assert all(row.kind in ("graph", "temporal", "head", "loss") for row in found.rows.values())
    text = (graph.parent / "run.md").read_text()
    assert "train step" in text and train.why.split(":")[0] in text
    assert "<table" in (graph.parent / "run.html").read_text()


def test_a_run_goes_on_where_it_stopped(graph: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert speed(graph, "--what", "step", "--minutes", "0") == 0
    assert "0 minutes are over, 0 of 1 points are measured" in capsys.readouterr().err
    assert read(graph.parent / "run.json").rows == {} if (graph.parent / "run.json").exists() else True
    assert speed(graph, "--what", "step") == 0
    before = (graph.parent / "run.json").read_bytes()
    assert speed(graph, "--what", "step") == 0
    assert (graph.parent / "run.json").read_bytes() == before
    assert speed(graph, "--what", "step", "--snippets", "24") == 0
    assert sorted(row.snippets for row in read(graph.parent / "run.json").rows.values()) == [16, 16, 24, 24]


def test_a_run_of_another_version_is_not_mixed_with_this_one(
    graph: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = graph.parent / "run.json"
    assert speed(graph, "--what", "step") == 0
    commit = read(path).machine.commit
    monkeypatch.setattr(speed_run, "here", lambda device: msgspec.structs.replace(here(device), commit="later"))
    capsys.readouterr()
    assert differing(here(CPU), msgspec.structs.replace(here(CPU), commit=commit.partition("+")[0] + "+changes")) == []
    assert speed(graph, "--what", "step") == 2
    assert f"was measured with commit {commit}" in capsys.readouterr().err
    assert speed(graph, "--what", "step", "--again") == 0
    assert read(path).machine.commit == "later"


def test_a_graph_that_fails_does_not_stop_the_others(
    graph: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def of_point(model: object, plain: object, point: object, *rest: object) -> None:
        raise RuntimeError(f"not for {getattr(point, 'bags', 0)}")

    monkeypatch.setattr(speed_run, "of_point", of_point)
    assert speed(graph, "--what", "step", "--mode", "eager,captured") == 0
    assert [missing.why for missing in read(graph.parent / "run.json").missing.values()][0] == (
        "RuntimeError: not for 2"
    )
    assert "RuntimeError: not for 2" in (graph.parent / "run.md").read_text()


def test_growth_that_was_stopped_goes_on_with_a_higher_ceiling(
    graph: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: list[float] = []

    def measured(subject: str, job: growth.Job, timeout: float) -> Growth:
        given.append(job.seconds)
        return Growth(subject, 1.0, [Size(16, 1.0, 2.0)], None if job.seconds > 20 else "stopped", job.seconds)

    monkeypatch.setattr(growth, "growth", measured)
    for ceiling in ("12", "12", "24", "48"):
        assert speed(graph, "--what", "growth", "--seconds", ceiling) == 0
    assert given == [12.0, 24.0]


def test_growth_is_measured_in_a_process_of_its_own(graph: Path) -> None:
    assert speed(graph, "--what", "growth") == 0
    found = read(graph.parent / "run.json").growth[str(graph)]
    assert [size.snippets for size in found.sizes] == list(growth.LENGTHS)
    assert found.base_mib and all(size.peak_mib and size.peak_mib >= found.base_mib for size in found.sizes)
    assert found.stopped is None and growth.time_exponent(found) is not None


def test_a_length_above_a_ceiling_is_not_scored() -> None:
    job = growth.Job({}, "cpu", [], seconds=10.0, mib=4096.0)
    quadratic = [Size(10_000, 1000.0, 600.0), Size(20_000, 4000.0, 800.0)]
    assert growth.ceiling(quadratic, 60_000, 500.0, job) == (
        "stopped after 20,000 snippets: 60,000 would take about 36 s, the ceiling is 10 s"
    )
    large = [Size(1000, 1.0, 1500.0), Size(2000, 2.0, 4500.0)]
    assert "GiB, the ceiling is" in str(growth.ceiling(large, 5000, 500.0, job))
    assert growth.ceiling(quadratic[:1], 60_000, 500.0, job) is None
    steady = [Size(16, 1.0, 1137.0), Size(64, 2.0, 1221.0)]  # 84 MiB that short videos need once are no growth
    assert growth.ceiling(steady, 200, 1136.5, job) is None


def test_exponents_are_slopes() -> None:
    sizes = [Size(n, 3e-6 * n**2, 500 + 0.01 * n) for n in (16, 1000, 5000, 20_000)]
    found = Growth("g", 500.0, sizes)
    assert growth.time_exponent(found) == pytest.approx(2.0)
    assert growth.memory_exponent(found) == pytest.approx(1.0)
    assert growth.time_exponent(Growth("g", 500.0, sizes[:2])) is None


def test_every_graph_of_a_system_with_a_restatement_is_taken() -> None:
    plugins = load_plugins()
    assert graphs_of(["seed"], plugins, ["seed_xd_rgb", "seed_sht_rgb"]) == ["seed_xd_three_stream", "seed_xd_rgb"]
    assert graphs_of(["seed", "ur_dmu_ucf"], plugins, []) == ["seed_xd_three_stream", "ur_dmu_ucf"]
    assert len(graphs_of([], plugins, [])) >= 20


def test_the_first_sizes_of_all_graphs_come_first() -> None:
    points = list(Grid([2, 4], [None], ["fp32"], ["eager"]).points(["a", "b"]))
    assert [(p.graph, p.bags) for p in points] == [("a", 2), ("b", 2), ("a", 4), ("b", 4)]


def test_operations_are_counted_forward_and_backward() -> None:
    linear, x = nn.Linear(8, 4), torch.rand(3, 8, requires_grad=True)
    count = operations(lambda: linear(x).sum().backward())
    assert count is not None and sum(count.values()) == 3 * (2 * 3 * 8 * 4)
    q = torch.rand(1, 2, 5, 8)
    attention = operations(lambda: nn.functional.scaled_dot_product_attention(q, q, q))
    assert attention is not None and sum(attention.values()) == 2 * (2 * 2 * 5 * 5 * 8)
    assert limit_ms(100.0, 10.0, 50.0, 1.0) == 10.0


def test_turns_are_interleaved_and_end_early() -> None:
    order: list[str] = []
    turns = {name: Turn(lambda name=name: order.append(name)) for name in "ab"}  # type: ignore[misc]
    times = take_turns(turns, CPU, rounds=5, seconds=0.0)
    assert order == ["a", "b"] * (LEAST_ROUNDS + 1)
    assert [len(values) for values in times.values()] == [LEAST_ROUNDS] * 2


def test_the_way_on_a_gpu_as_far_as_a_machine_without_one_can_go(
    graph: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stand-in for torch.cuda: events, memory, kernels, a recorded step and its replays."""
    monkeypatch.setitem(peaks.SIDES, "cuda", 64)
    monkeypatch.setitem(peaks.COPIES, "cuda", 1 << 16)
    monkeypatch.setattr(measure.why, "_profiled", lambda work, device: (work(), (1.0, (), 3, 0))[1])
    monkeypatch.setattr(speed_run, "clocks", lambda device: parsed("1 MHz, 2 MHz, 3 MHz, 4 MHz, 5 W, Enabled"))
    out = str(graph.parent / "gpu.json")
    modes = ["--what", "step", "--precision", "fp32", "--mode", "eager,captured"]
    with stand_in(monkeypatch):
        monkeypatch.setattr(torch.cuda, "Event", Clock)
        assert main(["bench", "speed", str(graph), "--device", "cuda", "--bags", "2", *modes, "--out", out]) == 0
    found = read(Path(out))
    assert found.missing == {}
    assert sorted((row.mode, row.what) for row in found.rows.values()) == [
        ("captured", "train"), ("eager", "score"), ("eager", "train")
    ]  # fmt: skip
    assert all(row.memory_mib == 1.0 and row.kernels and row.host_waits == 0 for row in found.rows.values())
    assert found.conditions["clocks"]["clocks.sm"] == "1 MHz"
    assert "host waits" in Path(out).with_suffix(".md").read_text()


class Clock:
    """An event of CUDA that reads the host's clock."""

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing

    def record(self) -> None:
        self.seconds = time.perf_counter()

    def elapsed_time(self, end: Clock) -> float:
        return (end.seconds - self.seconds) * 1e3


def test_a_costly_step_gets_shorter_bags_on_a_cpu(graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flops = 3 * 2 * (2 * 16 * (16 + 1))  # bags, and two products, with 16 weights and with 1, for each of 16 snippets
    monkeypatch.setattr(measure, "MOST", flops / 2)
    assert speed(graph, "--what", "step") == 0
    assert {row.snippets for row in read(graph.parent / "run.json").rows.values()} == {8}


# -- why -----------------------------------------------------------------------------------------
def test_a_line_says_where_the_time_goes() -> None:
    operations = tuple(
        why.Operation(name, ms, calls)
        for name, ms, calls in (("mm", 20.0, 10), ("native_dropout", 30.0, 5), ("add_", 12.0, 50), ("relu", 1.0, 35))
    )
    found = why.Profile(100.0, operations, 9.0, 100, 0)
    assert why.sentence(found, {"mm": 1e9}, flops_per_ms=1e8) == (
        "100 operations of 720 us: products 20% at 50% of the peak, passes over memory 43% (native_dropout 30%, "
        "add 12%), optimizer 9%, between them (Python and launching) 28%"
    )


def test_a_profile_of_real_work_names_its_products() -> None:
    a = torch.rand(300, 300)
    found = why.profile(lambda: [a @ a for _ in range(5)], None, CPU)
    assert found.kernels >= 5 and found.host_waits == 0
    assert max(found.operations, key=lambda operation: operation.ms).name == "mm"


def test_kernels_of_a_gpu_count_by_their_own_time() -> None:
    """What a profile of a GPU looks like, by hand: there is none here."""
    events = [
        SimpleNamespace(key="aten::mm", self_device_time_total=4000.0, self_cpu_time_total=10.0, count=2),
        SimpleNamespace(key="ampere_sgemm", self_device_time_total=4000.0, self_cpu_time_total=0.0, count=2),
        SimpleNamespace(key="aten::view", self_device_time_total=0.0, self_cpu_time_total=9.0, count=3),
    ]
    assert list(why.operations_of(events, is_cuda=True)) == [why.Operation("mm", 4.0, 2)]


def test_clocks_are_read() -> None:
    line = "1980 MHz, 1980 MHz, 3201 MHz, 3201 MHz, 120.5 W, Enabled\n"
    assert (parsed(line) or {})["clocks.sm"] == "1980 MHz"
    assert parsed("No devices were found") is None and clocks(CPU) is None


# -- tables --------------------------------------------------------------------------------------
def test_tables_follow_from_the_file_alone() -> None:
    run = drawn_run(1)
    text = as_markdown(run)
    assert "| g2, train step | 4 x 200 | fp32 |" in text and "commit abc, 2026-11-28" in text
    assert "900 ms, 1.37 GiB" in text
    page = as_page(run)
    assert '<figure class="chart">' in page and "&lt;" not in page


# -- the command ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no_such_graph"], "no_such_graph"),
        (["--what", "stepp"], "did you mean 'step'?"),
        (["--precision", "fp8"], "fp8"),
        (["--bags", "1"], "--bags must be from 2 to 10000, got 1"),
        (["--snippets", "x"], "--snippets takes whole numbers separated by commas, got 'x'"),
        (["--rounds", "1"], "--rounds must be from 3 to 1000, got 1"),
        (["--restatements", "nowhere"], "nowhere has no plugins"),
        (["--what", "startup", "--device", "cuda"], "'startup' is measured on the CPU only"),
    ],
)
def test_wrong_arguments(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    device = [] if "--device" in arguments else ["--device", "cpu"]
    assert main(["bench", "speed", *arguments, *device]) == 2
    assert message in capsys.readouterr().err


def test_batches_of_a_model_do_not_depend_on_the_run(graph: Path) -> None:
    model = vadkit.build(str(graph), seed=0)
    one, two = (random_batch(model, Load(2, 8), CPU)["rgb"] for _ in range(2))
    assert torch.equal(one, two)
