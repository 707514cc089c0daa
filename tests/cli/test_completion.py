"""Completion offers commands, options and values, asked as the shells ask."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from polyrecord.cli.lazy import COMMANDS
from polyrecord.events.names import EventType
from polyrecord.foreign import FORMATS
from polyrecord.settings.load import keys

POLYRECORD = Path(sys.executable).with_name("polyrecord")
BASH = shutil.which("bash")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home directory, and `polyrecord` on the path."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{POLYRECORD.parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def asked(shell: str, **variables: str) -> str:
    environment = {**os.environ, "_POLYRECORD_COMPLETE": shell, **variables}
    done = subprocess.run([POLYRECORD], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def offered(*words: str) -> list[str]:
    """What bash is offered for the last of the words."""
    line = " ".join(("polyrecord", *words))
    return asked("complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(words))).split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([""], list(COMMANDS)),
        (["su"], ["summarize"]),
        (["--ver"], ["--version"]),
        (["summarize", "--wi"], ["--window"]),
        (["info", "--type", ""], [str(name) for name in EventType]),
        (["grep", "x", "--type", "orderb"], ["orderbook_snapshot", "orderbook_delta"]),
        (["info", "--type", "fill", "--type", "dec"], ["decision"]),
        (["summarize", "--format", ""], ["table", "json", "csv"]),
        (["config", "--format", ""], ["table", "json"]),
        (["import", "--from", ""], list(FORMATS)),
        (["replay", "--from", "poly"], ["polyarb", "polytraders"]),
        (["tail", "-n", ""], ["all"]),
        (["replay", "--speed", ""], ["max"]),
        (["config", "recorder."], [key for key in keys() if key.startswith("recorder.")]),
        (["info", "--root", ""], []),  # the shell goes on with files
        (["nonsense", "--type", ""], list(COMMANDS)),
    ],
)
def test_bash_is_offered(words: list[str], expected: list[str], home: Path) -> None:
    assert offered(*words) == expected


def test_fish_and_zsh_are_told_what_a_command_does(home: Path) -> None:
    fish = asked(
        "complete_fish", _TYPER_COMPLETE_FISH_ACTION="get-args", _TYPER_COMPLETE_ARGS="polyrecord su"
    )
    zsh = asked("complete_zsh", _TYPER_COMPLETE_ARGS="polyrecord su")

    assert fish == f"summarize\t{COMMANDS['summarize'][2]}\n"
    assert f'"summarize":"{COMMANDS["summarize"][2]}"' in zsh


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(shell: str, home: Path) -> None:
    script = asked(f"source_{shell}")

    assert f"complete_{shell}" in script
    assert "polyrecord" in script


ASK_BASH = """
source "$1"
complete -p polyrecord
COMP_WORDS=(polyrecord info --type orderb) COMP_CWORD=3
_polyrecord_completion polyrecord
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(BASH is None, reason="bash is not installed")
def test_bash_completes_once_it_has_read_the_script(home: Path) -> None:
    script = home / "completion.sh"
    script.write_text(asked("source_bash"))

    done = subprocess.run(
        [str(BASH), "--norc", "-c", ASK_BASH, "-", script], capture_output=True, text=True, check=True
    )

    first, *replies = done.stdout.splitlines()
    assert first == "complete -o default -F _polyrecord_completion polyrecord"
    assert replies == ["orderbook_snapshot", "orderbook_delta"]


@pytest.mark.skipif(BASH is None, reason="bash is not installed")
def test_it_is_installed_for_the_shell_it_is_called_from(home: Path) -> None:
    command = [str(BASH), "--norc", "-c", "polyrecord --install-completion; exit $?"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    (script,) = (home / ".bash_completions").iterdir()
    assert str(script) in (home / ".bashrc").read_text()
    assert script.read_text().strip() == asked("source_bash").strip()


LOADED = """
import sys
from polyrecord.cli.app import main
try:
    main([])
finally:
    rooms = ("statistics", "sql_", "transfer", "config_")
    print([name for name in rooms if f"polyrecord.cli.{name}" in sys.modules])
"""


def test_offering_the_commands_loads_none_of_them(home: Path) -> None:
    environment = {
        **os.environ,
        "_POLYRECORD_COMPLETE": "complete_bash",
        "COMP_WORDS": "polyrecord ",
        "COMP_CWORD": "1",
    }

    done = subprocess.run(
        [sys.executable, "-c", LOADED], env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines() == [*COMMANDS, "[]"]
