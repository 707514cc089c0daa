"""What else could note an event of a bot, each set up as fast as its documents allow.

All of them write the same fields as JSON to a file, encoded by orjson; where they can, on a thread of
their own, so that the caller only hands the event over. mcap and structlog write in the caller, into a
buffered file.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import logging.handlers
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import orjson

_END = None
# What `logging` looks up for every record; its documents say how to switch it off.
_LOOKED_UP = ("logThreads", "logProcesses", "logMultiprocessing", "logAsyncioTasks", "_srcfile")


@dataclass(frozen=True, slots=True)
class Peer:
    """One way to note an event: `note` is what the caller pays, `rest` waits until all is written."""

    note: Callable[[str, dict[str, Any], str], object]
    rest: Callable[[], object]
    close: Callable[[], object]


def load(name: str) -> Any:
    """A module of a peer, of whose types nothing is known here; raises ImportError where it is missing."""
    return importlib.import_module(name)


class Sink:
    """A thread that writes what is put into its queue as lines of JSON."""

    def __init__(self, path: Path, encode: Callable[[Any], bytes]) -> None:
        """Opens the file and starts the thread."""
        self.queue: SimpleQueue[Any] = SimpleQueue()
        self.lines = 0
        self._encode = encode
        self._file = path.open("wb", buffering=1 << 18)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        write, encode = self._file.write, self._encode
        while (item := self.queue.get()) is not _END:
            write(encode(item) + b"\n")
            self.lines += 1
        self._file.close()

    def rest(self) -> None:
        """Wait until the queue is empty."""
        while not self.queue.empty():
            if not self._thread.is_alive():
                raise RuntimeError("a peer's thread has died")
            time.sleep(0.0005)

    def close(self) -> None:
        """Write what is left and end the thread."""
        self.queue.put(_END)
        self._thread.join()


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _of_record(record: Any) -> bytes:
    trace_id, data = record.args  # picologging has no `extra`, and in logging it costs more
    return orjson.dumps(
        {"ts": _stamp(record.created), "event_type": record.msg, "trace_id": trace_id, "data": data}
    )


def stdlib(path: Path) -> Peer:
    """`logging`, its QueueHandler handing the record over as it is; what nobody needs is not looked up."""

    class Handler(logging.handlers.QueueHandler):
        def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
            return record

    sink = Sink(path, _of_record)
    usual = {name: getattr(logging, name) for name in _LOOKED_UP if hasattr(logging, name)}
    _set_logging(dict.fromkeys(usual))
    logger = logging.Logger("bench", logging.INFO)  # noqa: LOG001 - one that hands nothing on to others
    logger.addHandler(Handler(sink.queue))

    def close() -> None:
        sink.close()
        _set_logging(usual)

    return replace(_logger(logger, sink), close=close)


def _set_logging(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(logging, name, value)


def picologging(path: Path) -> Peer:
    """`picologging`, the same in C++."""
    picologging, handlers = load("picologging"), load("picologging.handlers")

    base: Any = handlers.QueueHandler

    class Handler(base):  # type: ignore[misc]
        def prepare(self, record: Any) -> Any:
            return record

    sink = Sink(path, _of_record)
    logger = picologging.Logger("bench", picologging.INFO)
    logger.addHandler(Handler(sink.queue))
    return _logger(logger, sink)


def _logger(logger: Any, sink: Sink) -> Peer:
    def note(event_type: str, data: dict[str, Any], trace_id: str) -> None:
        logger.info(event_type, trace_id, data)

    return Peer(note, sink.rest, sink.close)


def structlog(path: Path) -> Peer:
    """`structlog` as its page on performance says: BytesLogger, orjson, cached on first use."""
    structlog = load("structlog")

    file = path.open("wb", buffering=1 << 18)
    logger = structlog.wrap_logger(
        structlog.BytesLogger(file),
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    ).bind()
    # A BytesLogger flushes after each line; a peer that writes no faster than the disk would not be fair.
    logger._logger._flush = lambda: None  # noqa: SLF001

    def note(event_type: str, data: dict[str, Any], trace_id: str) -> None:
        logger.info(event_type, trace_id=trace_id, data=data)

    return Peer(note, file.flush, file.close)


def loguru(path: Path) -> Peer:
    """`loguru` with a sink that hands the message over; no colours, no backtraces, an empty format."""
    shared = load("loguru").logger

    def encode(record: Any) -> bytes:
        return orjson.dumps(
            {"ts": _stamp(record["time"].timestamp()), "event_type": record["message"], **record["extra"]}
        )

    sink = Sink(path, encode)
    put = sink.queue.put
    shared.remove()
    number = shared.add(
        lambda message: put(message.record),
        format="",
        backtrace=False,
        diagnose=False,
        catch=False,
        colorize=False,
    )

    def note(event_type: str, data: dict[str, Any], trace_id: str) -> None:
        shared.info(event_type, trace_id=trace_id, data=data)

    def close() -> None:
        shared.remove(number)
        sink.close()

    return Peer(note, sink.rest, close)


def eliot(path: Path) -> Peer:
    """`eliot` with a destination that hands the message over."""
    eliot = load("eliot")
    log_message = eliot.log_message

    sink = Sink(path, orjson.dumps)
    destination = sink.queue.put
    eliot.add_destinations(destination)

    def note(event_type: str, data: dict[str, Any], trace_id: str) -> None:
        log_message(message_type=event_type, trace_id=trace_id, data=data)

    def close() -> None:
        eliot.remove_destination(destination)
        sink.close()

    return Peer(note, sink.rest, close)


def mcap(path: Path) -> Peer:
    """`mcap`'s own Python writer with uncompressed chunks, which is its fastest."""
    mcap = load("mcap.writer")
    file = path.open("wb")
    writer = mcap.Writer(file, compression=mcap.CompressionType.NONE)
    writer.start()
    schema = writer.register_schema("event", "jsonschema", b"{}")
    channels = {
        name: writer.register_channel(name, "json", schema) for name in ("signal", "orderbook_snapshot")
    }
    dumps, now = orjson.dumps, time.time_ns

    def note(event_type: str, data: dict[str, Any], trace_id: str) -> None:
        ns = now()
        writer.add_message(channels[event_type], ns, dumps({"trace_id": trace_id, "data": data}), ns)

    def close() -> None:
        writer.finish()
        file.close()

    return Peer(note, lambda: None, close)


def opentelemetry(path: Path) -> Peer:
    """An OpenTelemetry span, begun and ended, through the batch processor; nested data as JSON text."""
    trace, export = load("opentelemetry.sdk.trace"), load("opentelemetry.sdk.trace.export")
    file = path.open("wb", buffering=1 << 18)

    base: Any = export.SpanExporter

    class Exporter(base):  # type: ignore[misc]
        def export(self, spans: Any) -> Any:
            for span in spans:
                fields = {"ts": span.start_time, "event_type": span.name, **span.attributes}
                file.write(orjson.dumps(fields) + b"\n")
            return export.SpanExportResult.SUCCESS

    provider = trace.TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(export.BatchSpanProcessor(Exporter(), max_queue_size=1 << 16))
    tracer = provider.get_tracer("bench")

    def note(event_type: str, data: dict[str, Any], trace_id: str) -> None:
        nested = "bids" in data
        attributes = {"data": orjson.dumps(data).decode()} if nested else data
        tracer.start_span(event_type, attributes={"trace_id": trace_id, **attributes}).end()

    def close() -> None:
        provider.shutdown()
        file.close()

    return Peer(note, provider.force_flush, close)


PEERS: Mapping[str, Callable[[Path], Peer]] = {
    "picologging": picologging,
    "structlog": structlog,
    "stdlib QueueHandler": stdlib,
    "loguru": loguru,
    "eliot": eliot,
    "mcap": mcap,
    "OpenTelemetry span": opentelemetry,
}


@contextlib.contextmanager
def open_peers(folder: Path) -> Iterator[dict[str, Peer | None]]:
    """Every peer, writing to a file of its own; None where its package is not installed on this Python."""
    peers: dict[str, Peer | None] = {}
    for name, make in PEERS.items():
        try:
            peers[name] = make(folder / name.replace(" ", "-"))
        except ImportError:
            peers[name] = None
    try:
        yield peers
    finally:
        for peer in peers.values():
            if peer is not None:
                peer.close()
