"""What a secret looks like: names of fields that hold one, and shapes of values that are one."""

from __future__ import annotations

from typing import Final

# Of a field's name without case and separators: `POLY_API_KEY`, `apiKey`, `kalshi-access-signature` end so.
ENDINGS: Final = (
    "apikey", "secret", "secretkey", "passphrase", "password", "passwd", "privatekey", "signingkey",
    "accesskey", "mnemonic", "seedphrase", "recoveryphrase", "signature", "authorization", "accesstoken",
    "refreshtoken", "authtoken", "sessiontoken", "bearertoken", "idtoken", "cookie", "credentials",
)  # fmt: skip
EXACT: Final = frozenset({"auth", "pwd", "privkey", "bearer", "sessionid"})

# The same names as they may stand in bytes of JSON, or in text: for a search that can only say "maybe".
_GAP = r"[-_ .]{0,2}"
NAMES: Final = (
    "secret", f"pass{_GAP}(?:phrase|word|wd)", "pwd", f"(?:api|private|signing|access){_GAP}key", "privkey",
    "mnemonic", f"(?:seed|recovery){_GAP}phrase", "signature", "authorization", "cookie", "credentials",
    f"(?:access|refresh|auth|session|bearer|id){_GAP}token", f"session{_GAP}id",
)  # fmt: skip
# Short names that are parts of others count only as a whole, quoted name.
SHORT_NAMES: Final = ("auth", "bearer")

# Shapes of values. RE2 syntax: linear in the text, whatever the text is.
SHAPES: Final = (
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|\z)",
    r"(?i:\b(?:bearer|basic)\s+[a-z0-9._~+/=-]{12,})",
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*",
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    r"\b(?:gh[oprsu]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{40,})",
    r"\bsk-[A-Za-z0-9_-]{20,}",
)
# Of these only a part is the secret, and group 1 is it.
PARTS: Final = (
    r"[a-z][a-z0-9+.-]{1,20}://[^/\s:@\"'\\]*:([^/\s@\"'\\]+)@",
    r"https://hooks\.slack\.com/(services/[A-Za-z0-9/]+)",
)
# Cheap forerunners of the shapes, for the search that can only say "maybe".
SIGNS: Final = (
    r"-----begin ", r"bearer\s", r"basic\s", r"eyj[a-z0-9_-]{8}", r"(?:akia|asia)[0-9a-z]{16}",
    r"xox[abeoprs]-", r"gh[oprsu]_[a-z0-9]{30}", r"github_pat_", r"\bsk-[a-z0-9_-]{20}", r"://[^/\s\"]*:[^/\s\"]*@",
    r"hooks\.slack\.com", r"(?:[a-z]{3,8} ){11}",
)  # fmt: skip

# A mnemonic (BIP-39) is nothing but so many short words, and none of these: prose has some of them.
MNEMONIC_LENGTHS: Final = frozenset({12, 15, 18, 21, 24})
PROSE: Final = frozenset({
    "the", "and", "for", "with", "was", "are", "has", "had", "not", "but", "from", "been", "were", "which",
    "would", "could", "should", "their", "than", "his", "her", "its", "our", "out",
})  # fmt: skip
