"""At the start of a session: the open shards of other writers, those that are dead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from polyrecord.record.policy import Recover
from polyrecord.record.trouble import TroubleFile


def recoveries(root: Path, whose: Recover, mine: str, trouble: TroubleFile) -> Iterator[dict[str, Any]]:
    """Seal them, writer by writer: gives the data of a `recovered` event for each. Never raises.

    `whose` says which, `mine` is the writer that is not meant. What fails is told.
    """
    if whose is Recover.NEVER:
        return
    from polyrecord.record.recovery import recover_dead

    try:
        for found in recover_dead(root, everywhere=whose is Recover.ALL, skip=mine):
            yield found.event_data()
    except Exception as error:  # noqa: BLE001 - the recording goes on
        trouble.tell("recovery of other writers' shards fails", error=f"{type(error).__name__}: {error}")
