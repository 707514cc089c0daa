"""FOREIGN LOGS -> DISK: pure parsers of lines, and one runner that imports a file once, whole or its rest."""

FORMATS = ("generic", "hftbacktest", "cryptofeed")
