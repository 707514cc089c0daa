"""What a secret looks like: names of fields that hold one, and shapes of values that are one.

Everything is told twice. The patterns say what a secret is; they are Python's, each linear in the text, and
are tried on the little that is suspicious. The looks say where one may be, whatever JSON's escapes do to it;
they are RE2's, without regard to case, and one pass over everything finds them.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

# The words a field's name ends with; how they are joined does not matter: POLY_API_KEY, apiKey, X-API-KEY.
ENDINGS: Final = (
    "secret", "secret key", "api key", "api sign", "api token", "access key", "access key id", "access sign",
    "access token", "auth token", "bearer token", "bot token", "refresh token", "session token",
    "private key", "priv key", "signing key", "encryption key", "listen key", "pass phrase", "pass word",
    "pass wd", "mnemonic", "seed phrase", "seed words", "recovery phrase", "signature", "authorization",
    "credential", "cookie", "webhook url",
)  # fmt: skip
EXACT: Final = ("auth", "bearer", "pwd", "id token", "jwt", "totp")
# 64 hex digits are a private key under these names; elsewhere a transaction, a market, the hash of a book.
HEX_ENDINGS: Final = (
    "wallet key",
    "signer key",
    "account key",
    "owner key",
    "deployer key",
    "eth key",
    "evm key",
)
HEX_EXACT: Final = ("pk", "priv", "private", "key hex")
# A sign may be that of a position, so only what is as long as a signature counts.
LONG_EXACT: Final = ("sig", "sign")
LONG: Final = 16

_GAP: Final = "[-_. ]{0,2}"
_AFTER: Final = r"s?[\s\\\"'_.-]*[:=,]"
_START: Final = r"(?:^|[^a-z0-9]|\\[nrtbf])"  # the n of an escaped line feed is no letter
_EDGE: Final = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf]))"
_QUOTES: Final = r"[\s\\\"']*"
# Everyday words, of prose and of trading, that are in no English mnemonic (BIP-39).
_WORDS: Final = """
the and for was are not with from has had his her its but been were than does did out our per who how may
buy which would could should some most them these those their after each she him said get got sold being
via prices sides qty mid vol asks bids status fees pnl usd usdc usdt btc eth sol xrp ada dot doge matic
avax low tick ticks maker taker event events orders trades levels filled partial rejected pending latency
skew signal signals features config errors warning info debug started stopped stop null none
"""
_COMMON: Final = frozenset(_WORDS.split())
_VOWELS: Final = frozenset("aeiouy")


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of secret value: a text that each has, where it may be, the pattern with the secret last."""

    needle: str
    look: str
    pattern: re.Pattern[str]
    check: Callable[[str], bool] | None = None


def _shape(needle: str, look: str, pattern: str, check: Callable[[str], bool] | None = None) -> Shape:
    # What begins a word may stand behind an escaped line feed, in JSON that is cut off and read as text.
    return Shape(needle, look, re.compile(pattern.replace(r"\b", _EDGE), re.DOTALL), check)


def _is_user_and_password(text: str) -> bool:
    try:
        return b":" in base64.b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        return False


def is_mnemonic(words: list[str]) -> bool:
    """Whether so many short words are more likely a wallet's than a sentence: none is an everyday one."""
    return len(words) >= 12 and all(word not in _COMMON and not _VOWELS.isdisjoint(word) for word in words)


WORD: Final = re.compile("[a-z]{3,8}")
MNEMONIC_SIZES: Final = frozenset({12, 15, 18, 21, 24})
_JOINT: Final = r"(?:[ ,\t]{1,3}|\\+[nrt]|\\*\", ?\\*\")"

SHAPES: Final = (
    _shape(
        "-----begin", r"-----begin [a-z0-9 ]{0,40}private key",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?"
        r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    ),
    _shape("bearer", r"bearer\s+[a-z0-9._~+/=-]{16}", r"(?i:\bbearer\s+)([\w.~+/=-]{16,})"),
    _shape(
        "basic", r"basic\s+[a-z0-9+/]{8}", r"(?i:\bbasic\s+)([A-Za-z0-9+/]{8,}={0,2})", _is_user_and_password,
    ),
    _shape("eyj", r"eyj[a-z0-9_-]{8,}\.[a-z0-9_-]{8}", r"eyJ[\w-]{8,}+\.[\w-]{8,}+(?:\.[\w-]*+){0,3}"),
    _shape("akia", r"akia[a-z0-9]{16}", r"\bAKIA[0-9A-Z]{16}(?![0-9A-Za-z])"),
    _shape("asia", r"asia[a-z0-9]{16}", r"\bASIA[0-9A-Z]{16}(?![0-9A-Za-z])"),
    _shape("xox", r"xox[abeoprs]-[a-z0-9-]{10}", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    _shape("xapp-", r"xapp-[0-9]-[a-z0-9-]{10}", r"\bxapp-\d-[A-Za-z0-9-]{10,}"),
    _shape("gh", r"gh[oprsu]_[a-z0-9]{30}", r"\bgh[oprsu]_[A-Za-z0-9]{30,}"),
    _shape("github_pat_", r"github_pat_[a-z0-9_]{22}", r"\bgithub_pat_\w{22,}"),
    _shape(
        "sk-", r"sk-[a-z0-9_-]{20}",
        r"\bsk-(?:(?:live|test|ant|proj|svcacct|or)-[\w-]{16,}|[A-Za-z0-9]{32,})",
    ),
    _shape("k_", r"[rs]k_(?:live|test)_[a-z0-9]{16}", r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    _shape("aiza", r"aiza[a-z0-9_-]{35}", r"\bAIza[\w-]{35}"),
    _shape("xprv", r"xprv[a-z0-9]{100}", r"\bxprv[1-9A-HJ-NP-Za-km-z]{100,}"),
    _shape(":aa", r"[0-9]{8}:aa[a-z0-9_-]{33}", r"\d{8,10}:AA[\w-]{33}"),
    _shape("://", r":(?:\\*/){2}[^\s/\\\"':@]*:[^\s/\\\"']+@", r"(?<=://)[^\s/:@\"']*+:([^\s/\"']+)@"),
    _shape("hooks.slack.com", r"hooks\.slack\.com", r"hooks\.slack\.com/services/([\w/]+)"),
    _shape("/api/webhooks/", r"/api\\*/webhooks\\*/", r"/api/webhooks/([\w/-]+)"),
    _shape(
        "", rf"(?:[a-z]{{3,8}}{_JOINT}){{11}}[a-z]{{3,8}}",
        r"\b[a-z]{3,8}+(?![A-Za-z])(?:(?:[\s,]{1,3}+|\\[nrt])[a-z]{3,8}+(?![A-Za-z])){11,}+",
        lambda run: is_mnemonic(WORD.findall(run)),
    ),
)  # fmt: skip


def plain(name: str) -> str:
    """A field's name without case and what joins its words."""
    return name.translate(_JOINTS).lower()


_JOINTS: Final = str.maketrans("", "", "-_. ")


def spelled(name: str) -> str:
    """A pattern of a name given by the user, whatever joins its letters."""
    return "[-_. ]{0,2}".join(map(re.escape, plain(name)))


def _words(names: Iterable[str]) -> str:
    return "|".join(_GAP.join(name.split()) for name in names)


def looks(keys: Iterable[str] = ()) -> list[str]:
    """Where a secret may be, in JSON or in text, for RE2; `keys` are further names."""
    own = [rf"{_START}{spelled(key)}{_AFTER}" for key in keys]
    hexes = rf"(?:(?:{_words(HEX_ENDINGS)})|{_START}(?:{_words(HEX_EXACT)}))"
    return [
        rf"(?:{_words(ENDINGS)}){_AFTER}",
        rf"{_START}(?:{_words(EXACT)}){_AFTER}",
        rf"--[a-z-]{{0,24}}(?:{_words((*ENDINGS, *EXACT))})s?\s",
        rf"{hexes}{_AFTER}{_QUOTES}(?:0x)?[0-9a-f]{{64}}",
        rf"{_START}(?:{_words(LONG_EXACT)}){_AFTER}{_QUOTES}[^\s\\\"']{{{LONG}}}",
        r"(?:b64|base64)\\*\"",
        r"\\u",
        *own,
        *(shape.look for shape in SHAPES),
    ]


def assignments(keys: Iterable[str] = ()) -> re.Pattern[str]:
    """`api_key=...`, `"password": "..."`, `--api-key ...` in a text."""
    own = "".join(rf"|{_EDGE}{spelled(key)}" for key in keys)
    exact, long = _words(EXACT), _words((*HEX_EXACT, *LONG_EXACT, *HEX_ENDINGS))
    names = rf"{_words(ENDINGS)}|{_EDGE}(?:{exact}|{long}){own}"
    value = (
        r"\[redacted\]"
        r"|\"(?:[^\"\\]++|\\.)*+(?:\"|\Z)"
        r"|'(?:[^'\\]++|\\.)*+(?:'|\Z)"
        r"|\\+\"[^\"]*+(?:\"|\Z)"
        r"|[\[{].*"
        r"|(?:(?:bearer|basic|digest)\s+)?[^\s\"',;&}\])]+"
    )
    joint = r"[\"'\\\s_.-]*+[:=]\s*"
    told = rf"(?P<name>(?:{names})s?)(?P<joint>{joint})(?P<value>{value})"
    flag = rf"(?P<flag>--[a-z-]{{0,24}}(?:{names})s?)(?P<space>\s+)(?P<word>[^\s-]\S*)"
    return re.compile(rf"(?i){flag}|{told}", re.DOTALL)


NEEDLES: Final = (
    "secret", "key", "sign", "token", "pass", "pwd", "mnemonic", "phrase", "seed", "auth", "credential",
    "cookie", "webhook", "bearer", "jwt", "totp", "pk", "priv", "sig",
)  # fmt: skip
"""One of them is in every name above, in lower case: a text without any assigns nothing."""
