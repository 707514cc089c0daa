"""`scripts/torture`: runs the scenarios and prints what was acknowledged, read back and lost."""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
import traceback
from pathlib import Path

from tests.torture.bench import Bench, scratch_folder
from tests.torture.checker import Tally
from tests.torture.registry import Scenario, load
from tests.torture.report import Outcome, as_json, table


def main(arguments: list[str]) -> int:
    """Run what is asked for; 1 when a promise was broken, 2 when the command was wrong."""
    scenarios = load()
    options = _options(scenarios).parse_args(arguments)
    if options.list:
        sys.stdout.write("".join(f"{each.name:26} {each.about}\n" for each in scenarios.values()))
        return 0
    chosen = [scenarios[name] for name in options.only or scenarios]
    say(f"seed {options.seed}")
    outcomes = []
    try:
        for each in chosen:
            outcomes.append(run_one(each, _size(each, options), options.seed, keep=options.keep))
    except KeyboardInterrupt:
        say("interrupted: this is the table so far")
    sys.stdout.write((as_json(outcomes) if options.format == "json" else table(outcomes)) + "\n")
    return 0 if all(_is_fine(outcome) for outcome in outcomes) else 1


def _options(scenarios: dict[str, Scenario]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/torture", description="Nothing is lost in silence: the proof."
    )
    parser.add_argument("--quick", action="store_true", help="the short sizes, some minutes in all")
    parser.add_argument(
        "--only", action="append", metavar="NAME", choices=list(scenarios), help="a scenario; may be repeated"
    )
    parser.add_argument("--kills", type=int, help="how many kills at random moments")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="to repeat a run")
    parser.add_argument("--format", choices=["table", "json"], default="table")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave archives that broke a promise here")
    parser.add_argument("--list", action="store_true", help="name the scenarios and end")
    return parser


def _size(each: Scenario, options: argparse.Namespace) -> int:
    if each.name == "kill -9" and options.kills:
        return int(options.kills)
    return each.quick if options.quick else each.full


def run_one(each: Scenario, size: int, seed: int, *, keep: Path | None = None) -> Outcome:
    """Run a scenario in a folder of its own; whatever it raises is a breach."""
    missing = each.missing()
    if missing:
        reason = "; ".join(f"no {need.name}: {need.hint}" for need in missing)
        return Outcome(each.name, seed, 0.0, Tally(), reason)
    begun = time.monotonic()
    with scratch_folder() as scratch:
        bench = Bench(scratch, seed, lambda text: say(f"{each.name}: {text}", over=True), keep=keep)
        say(f"{each.name} ({size}): {each.about}")
        try:
            each.run(bench, size)
        except Exception:  # noqa: BLE001 - one broken scenario must not hide what the others find
            bench.tally.breach(traceback.format_exc(limit=-4))
        finally:
            bench.end()
    outcome = Outcome(each.name, seed, time.monotonic() - begun, bench.tally)
    say(f"{each.name}: {outcome.verdict}")
    return outcome


def _is_fine(outcome: Outcome) -> bool:
    if outcome.skipped is not None:
        return os.environ.get("CI") != "true"
    return outcome.tally.ok


def say(text: str, *, over: bool = False) -> None:
    """Tell on stderr; `over` is progress, which a terminal shows in place."""
    if not over:
        sys.stderr.write(f"{text}\n")
    elif sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}\r")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
