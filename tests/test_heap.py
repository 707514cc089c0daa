"""What a process keeps of its heap."""

from __future__ import annotations

import json
import platform
import subprocess
import sys

import pytest

FAULTS = """
import json, resource, sys
from polyrecord import heap

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def burst():
    return len([bytes(4000) for _ in range(500)])

if sys.argv[1] == "keep":
    heap.keep(8 << 20)
for _ in range(5):
    burst()
before = faults()
for _ in range(20):
    burst()
print(json.dumps((faults() - before) / 20))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_a_burst_finds_the_pages_of_the_one_before() -> None:
    """Two megabytes in pieces of 4,000 bytes: without it every page of them is a fault each time."""
    asked, kept = (faults(way) for way in ("nothing", "keep"))
    assert asked > 200
    assert kept < asked / 10


def faults(way: str) -> float:
    command = [sys.executable, "-c", FAULTS, way]
    told: float = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return told
