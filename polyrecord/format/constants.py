"""Numbers shared by writer and reader; docs/format.md says why each is what it is."""

from __future__ import annotations

from typing import Final

VERSION: Final = 1
SUBFIELD_ID: Final = b"PR"

# What every member of ours starts with: gzip, deflate, FEXTRA, no MTIME, XFL 0, unknown OS.
MAGIC: Final = b"\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff"

KIND_BLOCK: Final = 0
KIND_DIRECTORY: Final = 1
KIND_FOOTER: Final = 2

# Block flags.
OPAQUE: Final = 1  # holds trace ids that are not hex
UNINDEXED: Final = 2  # keys are not listed: never skip by key
# Footer flag.
CLEAN: Final = 1  # last shard of its stream, written by an orderly close
# Directory flag.
KEYS: Final = 4  # the key tables are present; bits 0 and 1 told of an earlier form of them

MAX_EXTRA: Final = 32_000  # bytes of FEXTRA: DuckDB 2.0 refuses gzip headers over 32,768
MAX_PIECE: Final = 31_900  # bytes of directory in one member
MAX_NAME: Final = 255  # bytes of an event type or key path in an index
MAX_CONTENT: Final = 1 << 30  # bytes a block may claim to hold before a reader refuses it
FOOTER_SIZE: Final = 146

EMPTY_DEFLATE: Final = b"\x03\x00"

# Key paths that every block covers without naming them.
COVERED_PATHS: Final = ("intent_id", "data.intent_id", "data.order_id", "data.client_order_id")

LEDGER_LOSS: Final = "loss"  # the event type that declares losses
