"""OTLP/JSON lines: each holds many spans, log records or metrics, and each of those becomes an event.

Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding, opentelemetry-proto 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from polyrecord.foreign.fields import text_of
from polyrecord.foreign.objects import load_object
from polyrecord.foreign.outcome import Parsed, Reject

SPAN, LOG, METRIC = "span", "log", "metric"
SIGNALS: Final = ("resourceSpans", "resourceLogs", "resourceMetrics")
_MS: Final = 1_000_000
_SPAN_MEMBERS: Final = ("name", "kind", "status", "events", "links", "traceState")
_METRIC_KINDS: Final = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")


class OtlpParser:
    """Attributes become one object; times of the signal are the events'."""

    def is_whole(self, line: bytes) -> bool:
        """True: a JSON object cannot be longer than one that parsed."""
        return True

    def parse(self, line: bytes) -> tuple[Parsed, ...] | Reject:
        """The events of one line, or why it has none."""
        loaded = load_object(line)
        if isinstance(loaded, Reject):
            return loaded
        if not any(name in loaded.value for name in SIGNALS):
            return Reject("no signal", f"there is none of {', '.join(SIGNALS)}")
        try:
            return tuple(_events(loaded.value))
        except (TypeError, ValueError, AttributeError, KeyError) as error:
            return Reject("not OTLP", str(error)[:80])


def _events(document: dict[str, Any]) -> Iterator[Parsed]:
    for scope, span in _items(document, "resourceSpans", "scopeSpans", "spans"):
        yield _span(scope, span)
    for scope, record in _items(document, "resourceLogs", "scopeLogs", "logRecords"):
        yield _log(scope, record)
    for scope, metric in _items(document, "resourceMetrics", "scopeMetrics", "metrics"):
        yield _metric(scope, metric)


def _items(
    document: dict[str, Any], resources: str, scopes: str, items: str
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every item with what its resource and scope say."""
    for resource in document.get(resources) or ():
        about = {"resource": _attributes(resource.get("resource") or {})}
        for scope in resource.get(scopes) or ():
            name = (scope.get("scope") or {}).get("name")
            for item in scope.get(items) or ():
                yield {**about, "scope": name}, item


def _span(scope: dict[str, Any], span: dict[str, Any]) -> Parsed:
    start, end = int(span["startTimeUnixNano"]), int(span.get("endTimeUnixNano") or 0)
    data: dict[str, Any] = {name: span[name] for name in _SPAN_MEMBERS if name in span}
    data |= {"start_ns": str(start), "end_ns": str(end) if end else None}
    data |= {"duration_ms": (end - start) / _MS if end else None, "attributes": _attributes(span), **scope}
    return _event(start, SPAN, span, data)


def _log(scope: dict[str, Any], record: dict[str, Any]) -> Parsed:
    ts_ns = int(record.get("timeUnixNano") or 0) or int(record["observedTimeUnixNano"])
    data = {
        "body": _plain(record.get("body") or {}),
        "severity_number": record.get("severityNumber"),
        "attributes": _attributes(record),
        **scope,
    }
    return _event(ts_ns, LOG, record, data)


def _metric(scope: dict[str, Any], metric: dict[str, Any]) -> Parsed:
    kind = next((kind for kind in _METRIC_KINDS if kind in metric), None)
    points = metric[kind].get("dataPoints") or () if kind is not None else ()
    if not points:
        raise ValueError("a metric without data points")
    data = {**metric, **scope}
    return _event(max(int(point["timeUnixNano"]) for point in points), METRIC, metric, data)


def _event(ts_ns: int, event_type: str, item: dict[str, Any], data: Mapping[str, Any]) -> Parsed:
    names = {"spanId": "span_id", "parentSpanId": "parent_span_id", "severityText": "level"}
    envelope = {ours: text for theirs, ours in names.items() if (text := text_of(item.get(theirs)))}
    return Parsed(ts_ns, event_type, text_of(item.get("traceId")), orjson.dumps(data), 0, envelope or None)


def _attributes(owner: dict[str, Any]) -> dict[str, Any]:
    return {pair["key"]: _plain(pair.get("value") or {}) for pair in owner.get("attributes") or ()}


def _plain(value: dict[str, Any]) -> Any:
    """An AnyValue as the JSON value it stands for."""
    if "arrayValue" in value:
        return [_plain(item) for item in value["arrayValue"].get("values") or ()]
    if "kvlistValue" in value:
        return {
            pair["key"]: _plain(pair.get("value") or {}) for pair in value["kvlistValue"].get("values") or ()
        }
    if "intValue" in value:
        return int(value["intValue"])
    return next(iter(value.values()), None)
