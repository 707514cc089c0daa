"""How long each stage of a trace took."""

from __future__ import annotations

import math
from typing import Final, Self

from pydantic import ConfigDict, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from polyrecord.events.fields import Milliseconds
from polyrecord.events.names import EventType
from polyrecord.events.spec import EventData, EventSpec

_END_TO_END = "sum of the declared stages, ms; null when one of them is"


class StageData(EventData):
    """Stages beyond the declared ones: named with their unit, finite or null."""

    model_config = ConfigDict(
        json_schema_extra={
            "patternProperties": {"_ms$": {"type": ["number", "null"]}},
            "additionalProperties": {"not": {"type": "number"}},
        }
    )

    @model_validator(mode="after")
    def _further_numbers_are_stages(self) -> Self:
        for name, value in (self.model_extra or {}).items():
            _check_stage(name, value)
        return self


class Latency(StageData):
    """How long the stages of one trace took; written when its outermost context ends, or by `record_latency`.

    A stage that was not measured is null, never 0. A bot may measure more stages than the declared ones, each
    under a name ending in `_ms`, or declare its own in place of these; other fields are text, not numbers.
    """

    ws_to_book_update_ms: Milliseconds | None = Field(description="frame received to order book updated, ms")
    book_to_signal_ms: Milliseconds | None = Field(description="order book updated to signal raised, ms")
    signal_to_risk_ms: Milliseconds | None = Field(description="signal raised to risk check done, ms")
    risk_to_send_ms: Milliseconds | None = Field(description="risk check done to order sent, ms")
    end_to_end_ms: Milliseconds | None = Field(None, description=_END_TO_END)


class OwnStagesLatency(StageData):
    """A latency event of a bot that declared stages of its own; the validation context names them."""

    end_to_end_ms: Milliseconds | None = Field(None, description=_END_TO_END)

    @model_validator(mode="after")
    def _declared_stages_are_there(self, info: ValidationInfo) -> Self:
        for name in (info.context or {}).get("stages", ()):
            if name not in (self.model_extra or {}):
                raise PydanticCustomError("stage_missing", "is missing", {"field": name})
        return self


def _check_stage(name: str, value: object) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if name.endswith("_ms"):
        if value is not None and not (is_number and math.isfinite(value)):  # type: ignore[arg-type]
            raise PydanticCustomError("stage_number", "needs a finite number or null", {"field": name})
    elif is_number:
        raise PydanticCustomError("stage_unit", "is a number without a unit", {"field": name})


SPECS: Final = (
    EventSpec(
        EventType.LATENCY,
        Latency,
        {
            "ws_to_book_update_ms": 10.5,
            "book_to_signal_ms": 5.2,
            "signal_to_risk_ms": 3.1,
            "risk_to_send_ms": 15.8,
            "end_to_end_ms": 34.6,
        },
    ),
)
