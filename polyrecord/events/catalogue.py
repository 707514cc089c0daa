"""Every event type the project knows, and the check that data fits its type.

It loads pydantic. A bot that records without `validate=True` never imports it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from pydantic import ValidationError
from pydantic.json_schema import GenerateJsonSchema

from polyrecord.events import edge, latency, ledger, market, reasons, telemetry, trading
from polyrecord.events.names import EventType
from polyrecord.events.spec import EventData, EventSpec
from polyrecord.events.stages import DEFAULT_STAGES

FAMILIES: Final = (telemetry, market, trading, edge, latency, ledger)
CATALOGUE: Final[Mapping[str, EventSpec]] = MappingProxyType(
    {spec.event_type.value: spec for family in FAMILIES for spec in family.SPECS}
)


def validate(event_type: str, data: object, *, stages: Iterable[str] = DEFAULT_STAGES) -> None:
    """Raises InvalidEvent when `data` does not fit its type; a type that is not in the catalogue passes.

    `data` is what JSON would give back; a Decimal passes where decimal text is meant. `stages` are those a
    latency event has to have, as the recorder declared them. Fields the catalogue does not know pass.
    """
    spec = CATALOGUE.get(event_type)
    if spec is None:
        return
    if not isinstance(data, Mapping):
        raise reasons.not_an_object(event_type, data)
    declared = tuple(stages)
    try:
        _model(spec, declared).model_validate(dict(data), context={"stages": declared})
    except ValidationError as error:
        raise reasons.explain(event_type, error) from None


def problems(
    event_type: str, data: object, *, stages: tuple[str, ...] = DEFAULT_STAGES
) -> list[reasons.Problem] | None:
    """Everything about `data` that does not fit its type; None for a type that is not in the catalogue."""
    spec = CATALOGUE.get(event_type)
    if spec is None:
        return None
    if not isinstance(data, Mapping):
        return [reasons.Problem("data", str(reasons.not_an_object(event_type, data).what), "object")]
    try:
        _model(spec, stages).model_validate(data, context={"stages": stages})
    except ValidationError as error:
        return reasons.problems(error)
    return []


def _model(spec: EventSpec, stages: tuple[str, ...]) -> type[EventData]:
    own_stages = spec.event_type == EventType.LATENCY and stages != DEFAULT_STAGES
    return latency.OwnStagesLatency if own_stages else spec.model


class _Untitled(GenerateJsonSchema):
    """Leaves out the titles pydantic makes from field names: they say nothing the names do not."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never."""
        return False


def json_schema(event_type: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a type's `data`; raises KeyError for a type not in the catalogue."""
    spec = CATALOGUE[event_type]
    schema = spec.model.model_json_schema(schema_generator=_Untitled)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": f"{spec.event_type.value}, version {spec.version}",
        "description": " ".join(f"{spec.summary} {spec.notes}".split()),
        "examples": [dict(spec.example)],
    }
