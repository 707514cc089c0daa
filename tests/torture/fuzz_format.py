"""Coverage-guided fuzzing of what reads bytes: the block parser, the scan, the directory, the line codec.

    python -m tests.torture.fuzz_format [SECONDS]

Needs atheris (`pip install 'polyrecord[torture]'`). What is demanded is in fuzz_looks.py. Random bytes hardly
ever have a right CRC, so a part of the inputs gets theirs put right first.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["polyrecord.format", "polyrecord.read"]):
    from tests.torture.fuzz_looks import TARGETS, look

_REPO = Path(__file__).resolve().parents[2]


def seeds(folder: Path) -> None:
    """A corpus to begin with: our golden files, for each target."""
    for number, path in enumerate(sorted((_REPO / "tests").rglob("*.jsonl.gz"))):
        data = path.read_bytes()[:8192]
        for target in range(len(TARGETS)):
            (folder / f"{number}-{target}").write_bytes(bytes([64 | target]) + data)
    line = (
        b'{"ts":"2026-11-20T12:34:56.789123456Z","seq":1,"event_type":"signal","trace_id":"4f1c","data":{}}\n'
    )
    (folder / "line").write_bytes(bytes([3]) + line)


def main() -> None:
    """Fuzz for so many seconds; ends with a status that is not 0 at the first input that fails."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    corpus = Path(tempfile.mkdtemp(prefix="fuzz"))
    seeds(corpus)
    options = [f"-max_total_time={seconds}", "-max_len=16384", "-rss_limit_mb=2048", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={corpus}/crash-", str(corpus)], look)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
