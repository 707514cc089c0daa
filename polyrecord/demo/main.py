"""`python -m polyrecord.demo`: runs the dry-run bot into an archive and says on stderr what it did."""

from __future__ import annotations

import argparse
import asyncio
import sys
import zlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from polyrecord import EventRecorder
from polyrecord.demo.bot import Bot
from polyrecord.demo.feed import Frame, first, in_steps, paced
from polyrecord.demo.frames import recorded
from polyrecord.demo.venue import SimulatedVenue

DEFAULT_TICKS = 3_000
DEFAULT_SEED = 7
_UNREADABLE = (OSError, EOFError, zlib.error)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; wrong usage ends the process with exit code 2."""
    parser = argparse.ArgumentParser("python -m polyrecord.demo", description=__doc__)
    add = parser.add_argument
    add("--root", type=Path, help="the archive (default: POLYRECORD_ROOT, else the current directory)")
    add("--ticks", type=_positive, help=f"frames to take (default: {DEFAULT_TICKS:,}, or a whole recording)")
    add("--seed", type=int, default=DEFAULT_SEED, help="of the simulated venue and the paper execution")
    add("--frames", type=Path, help="recorded frames instead of the simulated venue")
    add("--pace", action="store_true", help="wait between frames as long as the venue did")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bot; 0, or 3 where the recording could not be read to its end, or 2 where not at all."""
    options = parse(arguments)
    if options.frames is not None and not options.frames.is_file():
        _say(f"error: no file with frames at {options.frames}")
        return 2
    return asyncio.run(run(options))


async def run(options: argparse.Namespace) -> int:
    """Record one session, and say what it came to."""
    error: Exception | None = None
    recorder = EventRecorder(options.root, bot_id="demo")
    async with recorder:
        bot = Bot(recorder, options.seed)
        try:
            await bot.run(_feed(options))
        except _UNREADABLE as unreadable:
            error = unreadable
    _say(f"{bot.tally.text()} {_books(bot)}{_recorded(recorder)}")
    if error is not None:
        _say(f"error: {error}\n  where: {options.frames}, after frame {bot.tally.frames:,}")
        return 3
    return 0


def _feed(options: argparse.Namespace) -> AsyncIterator[Frame]:
    if options.frames is None:
        feed = in_steps(SimulatedVenue(options.seed), options.ticks or DEFAULT_TICKS)
    else:
        feed = recorded(options.frames)
        feed = feed if options.ticks is None else first(feed, options.ticks)
    return paced(feed) if options.pace else feed


def _books(bot: Bot) -> str:
    """The touch of every book at the end, where there are few."""
    books = {**bot.polymarket.books, **bot.binance.books}
    ends = [
        f"{name[:12]} {book.best_bid.price:f} / {book.best_ask.price:f}"
        for name, book in books.items()
        if book.best_bid is not None and book.best_ask is not None
    ]
    return f"Books at the end: {', '.join(ends)}. " if 0 < len(ends) <= 4 else f"Books: {len(books)}. "


def _recorded(recorder: EventRecorder) -> str:
    stats = recorder.stats()
    return (
        f"Recorded {stats.written:,} events in {stats.blocks:,} blocks, {stats.bytes:,} bytes, "
        f"into {recorder.root}; dropped {stats.dropped:,}."
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - narration of a command
