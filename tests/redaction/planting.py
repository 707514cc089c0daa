"""Documents with secrets planted in them, and every spelling of what holds one."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import strategies as st

from polyrecord.record.secrets import ENDINGS, EXACT, NEEDLES, plain

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"

# What trading data is made of; none of it is a secret, however much it may look like one.
CLEAN_NAMES = (
    "token_id", "asset_id", "token_pair", "token", "key", "hash", "market", "condition_id", "signature_type",
    "side", "author", "authenticated", "wallet", "owner", "maker_address", "secretary", "tokens", "passed",
    "keys", "order_key", "transaction_hash", "seed", "bids", "data.price",
)  # fmt: skip
clean_texts = st.one_of(
    st.text(max_size=20).filter(lambda text: not any(needle in plain(text) for needle in NEEDLES)),
    st.sampled_from(
        [
            "0x5f65177b394277fd294cd75650044e32ba009a95022d88a0c1d565897d72f8f1",
            "71321045679252212594626385532706912750332728571942532289631379312455583992563",
            "invalid signature", "api key missing", "Basic configuration", "https://host:8080/a@b",
            "a risk-adjusted-position-sizing-rule", "btc-updown-5m-1776550200", "2026-11-20T12:34:56.789Z",
            '{"price":"0.5","sizes":[1,2]}', "[1, 2", '{"cut":', "it was filled",
        ]
    ),
)  # fmt: skip
clean_scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), clean_texts)
clean_documents = st.recursive(
    clean_scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(CLEAN_NAMES), inner, max_size=4)
    ),
    max_leaves=15,
)

secret_texts = st.text(ALPHABET, min_size=12, max_size=40).map("Zq7".__add__)


@st.composite
def secret_names(draw: st.DrawFn) -> str:
    """A name of a field that holds a secret, as some venue or bot spells it."""
    words = draw(st.sampled_from((*ENDINGS, *EXACT))).split()
    if " ".join(words) in ENDINGS:
        words = draw(st.sampled_from([[], ["poly"], ["x", "mbx"], ["cb"], ["my"]])) + words
    spellings = [
        "_".join(words),
        "-".join(words),
        ".".join(words),
        "_".join(words).upper(),
        "-".join(word.capitalize() for word in words),
        words[0] + "".join(word.capitalize() for word in words[1:]),
        "".join(words),
    ]
    return draw(st.sampled_from(spellings))


@st.composite
def shaped_secrets(draw: st.DrawFn) -> tuple[str, str]:
    """A text with a secret known by its shape, and the secret."""
    word = draw(st.text(ALPHABET, min_size=40, max_size=60))
    kinds = {
        "pem": f"-----BEGIN EC PRIVATE KEY-----\n{word}\n-----END EC PRIVATE KEY-----",
        "bearer": f"Bearer {word}",
        "basic": "Basic " + base64.b64encode(f"bob:{word}".encode()).decode(),
        "jwt": f"eyJ{word[:20]}.{word[:30]}.{word}",
        "aws": "AKIA" + word[:16].upper(),
        "slack": f"xoxb-{word}",
        "github": f"ghp_{word}",
        "stripe": f"sk_live_{word}",
        "openai": f"sk-proj-{word}",
        "google": f"AIza{word[:35]}",
        "telegram": f"123456789:AA{word[:33]}",
        "xprv": f"xprv{word}{word}{word}",
        "url": f"postgres://bob:{word}@host/db",
        "hook": f"https://hooks.slack.com/services/T0/{word}",
        "flag": f"bot --api-key {word} --fast",
        "query": f"GET /order?timestamp=1&signature={word}&x=1",
        "header": f"POLY_PASSPHRASE: {word}",
        "repr": f"{{'api_secret': '{word}', 'x': 1}}",
    }
    kind = draw(st.sampled_from(sorted(kinds)))
    secret = (
        kinds[kind].removeprefix("Basic ")
        if kind == "basic"
        else word[:16].upper()
        if kind == "aws"
        else word
    )
    before, after = (
        draw(st.sampled_from(["", "error: ", "line\n", 'he said "no" '])),
        draw(st.sampled_from(["", " ok"])),
    )
    return before + kinds[kind] + after, secret[:33]


@st.composite
def planted(draw: st.DrawFn) -> tuple[Any, str]:
    """A document with one secret at some depth, and that secret."""
    if draw(st.booleans()):
        secret = draw(secret_texts)
        name = draw(secret_names())
        value: Any = draw(
            st.sampled_from([secret, [secret, 1], {"id": secret}, int.from_bytes(secret.encode()[:12])])
        )
        if isinstance(value, int):
            secret = str(value)
        holder: Any = draw(
            st.sampled_from(
                [{name: value}, {"a": 1, name: value, "z": 2}]
                + ([[name, value], {"name": name, "value": value}] if isinstance(value, str) else [])
            )
        )
    else:
        text, secret = draw(shaped_secrets())
        holder = draw(st.sampled_from([{"note": text}, [text], text, {"args": ["x", text]}]))
    for _ in range(draw(st.integers(0, 4))):
        holder = draw(st.sampled_from([_in_list, _in_object, _in_text, _in_frame]))(
            holder, draw(clean_documents)
        )
    return holder, secret


def _in_list(inner: Any, beside: Any) -> Any:
    return [beside, inner, beside]


def _in_object(inner: Any, beside: Any) -> Any:
    return {"before": beside, "data": inner, "after": beside}


def _in_text(inner: Any, beside: Any) -> Any:
    return {"frame": json.dumps(inner, ensure_ascii=False, indent=1 if beside is None else None)}


def _in_frame(inner: Any, beside: Any) -> Any:
    return {"frame_b64": base64.b64encode(json.dumps([inner, str(beside)]).encode() + b"\xff").decode()}


def strings_of(value: Any) -> list[str]:
    """Every text in a document, with what stands in it as JSON or base64."""
    if isinstance(value, dict):
        return [text for name, inner in value.items() for text in (name, *strings_of(inner))]
    if isinstance(value, list):
        return [text for inner in value for text in strings_of(inner)]
    if not isinstance(value, str):
        return [str(value)]
    found = [value]
    for read in (json.loads, lambda text: base64.b64decode(text, validate=True).decode("latin-1")):
        try:
            inner = read(value)
        except ValueError:
            continue
        found += strings_of(inner) if not isinstance(inner, str) or inner != value else []
    return found
