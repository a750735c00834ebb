"""``.ci/run`` takes its command from the README and hands on its exit code."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = """# Other

```console
$ pytest elsewhere
```

## Set up

```python
print("pytest")
```

```console
$ pip install . && vadkit demo
$ {command}
```

```console
$ pytest later
```
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    if not (ROOT / ".ci" / "run").is_file():
        pytest.fail("the tests run in a clone, and .ci/run is a part of it")
    shutil.copytree(ROOT / ".ci", tmp_path / "clone" / ".ci")
    return tmp_path / "clone"


def ci(clone: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": "/nowhere", "TMPDIR": str(clone.parent)}
    command = [clone / ".ci" / "run", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, cwd=clone.parent)


def test_the_readme_has_the_command() -> None:
    shown = ci(ROOT, "--show")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("pip install ") and "pytest" in shown.stdout


def test_it_reads_the_first_console_block_of_the_set_up(clone: Path) -> None:
    (clone / "README.md").write_text(README.format(command="pip install '.[test]' && pytest -q"))
    assert ci(clone, "--show").stdout == "pip install '.[test]' && pytest -q\n"


def test_a_readme_without_it_fails(clone: Path) -> None:
    (clone / "README.md").write_text("# vadkit\n\n## Set up\n\nSoon.\n")
    done = ci(clone)
    assert done.returncode == 1
    assert "README.md has no line" in done.stderr


def test_it_runs_in_a_fresh_environment_and_hands_on_the_exit_code(clone: Path) -> None:
    script = "import os, sys; print('prefix', sys.prefix, os.environ.get('PYTHONPATH'))"
    command = f'python -c "{script}" && echo "1 failed in 0.1s" && exit 3 # pytest'
    (clone / "README.md").write_text(README.format(command=command))
    done = ci(clone)
    assert done.returncode == 3
    _, prefix_seen, path_seen = next(line.split() for line in done.stdout.splitlines() if line.startswith("prefix "))
    prefix = Path(prefix_seen)
    assert prefix.name == "venv" and prefix.is_relative_to(clone.parent) and not prefix.exists()
    assert path_seen == "None"
    assert done.stdout.index("--- summary") < done.stdout.rindex("1 failed in 0.1s")
    assert [path.name for path in clone.parent.iterdir()] == ["clone"]
