"""scripts/_env and scripts/demo: the environment is made once, mistakes are named before anything is done.

pip and venv are stood in for by a shell script that writes down how it was called.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
INTERPRETER = """#!/bin/sh
case "$*" in
  "-m venv --clear "*) echo "venv" >>"{log}"; mkdir -p "$4/bin"; cp "$0" "$4/bin/python" ;;
  "-m pip --version") ;;
  "-m pip install "*) for last; do :; done; echo "install $last" >>"{log}" ;;
  *) exec "{real}" "$@" ;;
esac
"""


class Checkout:
    """A copy of the scripts with an interpreter that installs nothing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log = root / "calls"
        (root / "bin").mkdir(parents=True)
        shutil.copytree(REPO / "scripts", root / "scripts")
        (root / "pyproject.toml").write_text("[project]\n")
        interpreter = root / "bin" / "python3"
        interpreter.write_text(INTERPRETER.format(log=self.log, real=sys.executable))
        interpreter.chmod(0o755)

    def bash(self, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a line of bash in another directory, with only the system's tools on PATH."""
        path = {
            "PATH": f"{self.root / 'bin'}:/usr/bin:/bin",
            "HOME": str(self.root),
            "TMPDIR": str(self.root),
        }
        return subprocess.run(
            ["bash", "-c", f"set -euo pipefail\n{command}"],
            cwd="/", env=path | environment, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    def ensure(self, kind: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Source the helper, make the environment and say what it set."""
        source = f'source "{self.root}/scripts/_env"; ensure_env {kind}; printf "%s\\n" "$REPO" "$PYTHON"'
        return self.bash(source, **environment)

    def calls(self) -> list[str]:
        """What was asked of venv and pip so far."""
        return self.log.read_text().replace(str(self.root), ".").splitlines() if self.log.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path.resolve() / "a checkout")


def test_the_environment_is_made_once_and_then_left_alone(checkout: Checkout) -> None:
    done = checkout.ensure("run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(checkout.root), f"{checkout.root}/.venv/bin/python"]
    assert checkout.calls() == ["venv", "install ."]
    again = checkout.ensure("run")
    assert (again.returncode, again.stderr) == (0, "")
    assert checkout.calls() == ["venv", "install ."]


def test_dev_adds_to_run_and_serves_for_run(checkout: Checkout) -> None:
    for kind in ("run", "dev", "run", "dev"):
        checkout.ensure(kind)
    assert checkout.calls() == ["venv", "install .", "install .[dev]"]


def test_a_changed_pyproject_is_installed_again_into_the_same_environment(checkout: Checkout) -> None:
    checkout.ensure("run")
    (checkout.root / "pyproject.toml").write_text('[project]\nname = "changed"\n')
    checkout.ensure("run")
    assert checkout.calls() == ["venv", "install .", "install ."]


def test_an_environment_of_a_moved_checkout_is_made_anew(checkout: Checkout) -> None:
    checkout.ensure("run")
    stamp = checkout.root / ".venv" / ".polyrecord-stamp"
    stamp.write_text(stamp.read_text().replace(str(checkout.root), "/elsewhere"))
    checkout.ensure("run")
    assert checkout.calls() == ["venv", "install .", "venv", "install ."]


def test_an_install_that_fails_leaves_no_stamp(checkout: Checkout) -> None:
    python = checkout.root / "bin" / "python3"
    python.write_text(python.read_text().replace('-m pip install "*) ', '-m pip install "*) exit 1; '))
    done = checkout.ensure("run")
    assert done.returncode == 4
    assert "error: the install failed" in done.stderr
    assert not (checkout.root / ".venv" / ".polyrecord-stamp").exists()


@pytest.mark.parametrize("name", ["/bin/false", "/no/such/python"])
def test_an_interpreter_that_is_too_old_or_none_is_named(checkout: Checkout, name: str) -> None:
    done = checkout.ensure("run", PYTHON_BIN=name)
    assert done.returncode == 2
    assert f"error: PYTHON_BIN={name} is not Python 3.11 or newer" in done.stderr
    assert checkout.calls() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--frames /no/such/file", "no file with frames at /no/such/file"),
        ("--frames", "--frames needs a value"),
        ("--ticks 0", "at least 1, not 0"),
        ("--ticks -5", "at least 1, not -5"),
        ("--root .", "holds an archive already"),
        ("--speed 3", "--speed is no option"),
    ],
)
def test_wrong_usage_of_the_demo_exits_2_before_anything_is_made(
    checkout: Checkout, arguments: str, message: str
) -> None:
    (checkout.root / "data").mkdir()
    done = checkout.bash(f'cd "{checkout.root}"; scripts/demo {arguments}')
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert checkout.calls() == []


def test_the_demo_explains_itself(checkout: Checkout) -> None:
    done = checkout.bash(f'"{checkout.root}/scripts/demo" --help')
    assert done.returncode == 0
    assert "scripts/demo --frames FILE" in done.stdout
    assert "set -euo" not in done.stdout


def test_the_demo_shows_every_answer_under_the_command_that_made_it(checkout: Checkout) -> None:
    checkout.ensure("run")
    command = checkout.root / ".venv" / "bin" / "polyrecord"
    call = "from polyrecord.cli.app import main; main()"
    command.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c '{call}' \"$@\"\n")
    command.chmod(0o755)
    done = checkout.bash(f'"{checkout.root}/scripts/demo" --ticks 150 --root "$TMPDIR/an archive"')
    assert done.returncode == 0, done.stderr
    headers = [line.split()[1:3] for line in done.stdout.splitlines() if line.startswith("$ ")]
    asked = ["summarize", "edge", "trace", "replay", "info"]
    assert headers == [["python", "-m"], *(["polyrecord", question] for question in asked)]
    assert done.stdout.count('{"ts":"') == 5
    assert done.stderr.startswith("150 frames")
    assert "Traceback" not in done.stderr
    assert "pipe" not in done.stderr


def test_the_scripts_may_be_run(checkout: Checkout) -> None:
    assert os.access(checkout.root / "scripts" / "demo", os.X_OK)
