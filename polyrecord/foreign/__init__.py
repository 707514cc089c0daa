"""LOGS THAT OTHERS WROTE -> EVENTS: what a format is, found and forced, and pure parsers of its lines."""

FORMATS = (
    "polyarb", "metastacker", "polytraders", "hftbacktest", "cryptofeed", "tickscope", "otlp", "csv",
    "generic",
)  # fmt: skip
