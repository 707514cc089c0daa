"""LOGS THAT OTHERS WROTE -> EVENTS: what a format is, found and forced, and pure parsers of its lines."""

FORMATS = ("generic", "hftbacktest", "cryptofeed")
