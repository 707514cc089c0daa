"""Makes JSON of lines that are JSON but for values JSON cannot carry (docs/format.md, section 2)."""

from __future__ import annotations

import re

# A string to its end, so that nothing inside it is taken for a token; one that is never closed reaches the
# end of the line, which keeps the search linear. A token before a colon is a key, and no value.
_TOKEN = re.compile(
    rb"""
      (?P<string> "(?:[^"\\]++|\\.?)*+ (?:"|\Z) )
    | (?P<constant> (?:NaN|-?Infinity) (?!\s*:) )
    | (?P<number> (?<![\w.+-]) -?(?:0|[1-9]\d*+) (?:\.\d++)?+ (?:[eE][+-]?\d++)?+ (?![\w.+-]|\s*:) )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(
    rb"""
      (?P<pair> \\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2} )
    | (?P<lone> \\u[dD][89a-fA-F][0-9a-fA-F]{2} )
    | \\.
    """,
    re.VERBOSE | re.DOTALL,
)


def repair(text: bytes) -> tuple[bytes, int]:
    """The text with what strict parsers refuse kept as strings, and how many values that were.

    `NaN`, `Infinity` and `-Infinity`; numbers beyond a double, as `1e400`; lone surrogates in strings, as the
    six characters of their escape. Everything else stays byte for byte, valid or not.
    """
    count = 0

    def replace(match: re.Match[bytes]) -> bytes:
        nonlocal count
        token = match[0]
        new = _string(token) if match.lastgroup == "string" else _constant(token)
        count += new is not token
        return new

    repaired = _TOKEN.sub(replace, text)
    return repaired, count


def _constant(token: bytes) -> bytes:
    # float("-Infinity") and float("1e400") are infinite alike.
    return token if abs(float(token)) < float("inf") else b'"%b"' % token


def _string(token: bytes) -> bytes:
    if b"\\u" not in token:
        return token
    new = _ESCAPE.sub(lambda match: b"\\" + match[0] if match.lastgroup == "lone" else match[0], token)
    return token if new == token else new
