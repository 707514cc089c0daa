"""The scenarios: each a name, what it needs of the machine, how large it is, and a function."""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from tests.torture.bench import Bench

Run: TypeAlias = "Callable[[Bench, int], None]"

# Every module that has scenarios, in the order of the table; importing one registers them.
MODULES: Final = ("on_kill", "on_end", "on_power", "on_room", "on_calls",
  "on_hang", "on_limits", "on_time", "on_many", "on_latency",
  "on_bytes")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Need:
    """Something of the machine: how to see whether it is there, and what to say when it is not."""

    name: str
    is_there: Callable[[], bool]
    hint: str


def tool(name: str, package: str) -> Need:
    """A program."""
    return Need(name, lambda: shutil.which(name) is not None, f"apt-get install {package}")


ROOT: Final = Need("root", lambda: os.geteuid() == 0, "run as root, or as root of a container")
STRACE: Final = tool("strace", "strace")
FIU: Final = tool("fiu-run", "fiu-utils")
PRLIMIT: Final = tool("prlimit", "util-linux")
EXT4: Final = tool("mkfs.ext4", "e2fsprogs")
XFS: Final = tool("mkfs.xfs", "xfsprogs")
FREEZE: Final = tool("fsfreeze", "util-linux")
FAKETIME_GLOB: Final = "/usr/lib/*/faketime/libfaketime.so.1"
FAKETIME: Final = Need(
    "libfaketime", lambda: any(Path("/").glob(FAKETIME_GLOB[1:])), "apt-get install faketime"
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the table. `quick` and `full` are sizes: kills, syscalls, rounds."""

    name: str
    about: str
    needs: tuple[Need, ...]
    quick: int
    full: int
    run: Run

    def missing(self) -> list[Need]:
        """What the machine lacks for it."""
        return [need for need in self.needs if not need.is_there()]


SCENARIOS: Final[dict[str, Scenario]] = {}


def scenario(name: str, *needs: Need, quick: int = 1, full: int = 1) -> Callable[[Run], Run]:
    """Register a function as a scenario; its docstring says what is done."""

    def register(run: Run) -> Run:
        about = (run.__doc__ or "").strip().splitlines()[0]
        SCENARIOS[name] = Scenario(name, about, needs, quick, full, run)
        return run

    return register


def load() -> dict[str, Scenario]:
    """All scenarios by name, in the order of the table."""
    for module in MODULES:
        importlib.import_module(f"tests.torture.{module}")
    return SCENARIOS
