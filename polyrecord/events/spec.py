"""What the catalogue says about one event type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from polyrecord.events.names import EventType
from polyrecord.events.routes import stream_of


class EventData(BaseModel):
    """The `data` of an event. Fields the model does not know are kept: others may have added them."""

    model_config = ConfigDict(extra="allow", frozen=True)


@dataclass(frozen=True, slots=True)
class EventSpec:
    """One event type: the model of its `data`, the version of that model, an example of the data."""

    event_type: EventType
    model: type[EventData]
    example: Mapping[str, Any]
    version: int = 1

    @property
    def stream(self) -> str:
        """The stream its events go to, such as `data/books`."""
        return stream_of(self.event_type)

    @property
    def summary(self) -> str:
        """What it says, in one sentence: the first line of the model's docstring."""
        return (self.model.__doc__ or "").strip().partition("\n")[0]

    @property
    def notes(self) -> str:
        """What else a reader has to know: the rest of the docstring, as one paragraph."""
        return " ".join((self.model.__doc__ or "").strip().partition("\n")[2].split())
