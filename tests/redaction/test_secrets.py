"""No secret is left in what is written, and nothing else is touched."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from polyrecord.record.redact import MASK, RedactionPolicy, Redactor
from polyrecord.record.secrets import ENDINGS, EXACT, NEEDLES
from tests.redaction.planting import clean_documents, planted, strings_of

REDACTOR = Redactor()
MNEMONIC = "abandon ability able about above absent absorb abstract absurd abuse access zoo"


def cleaned(document: Any, redactor: Redactor = REDACTOR) -> Any:
    return orjson.loads(redactor.payload(orjson.dumps(document)))


@settings(max_examples=400)
@given(planted(), st.sampled_from(["compact", "spaced", "ascii"]))
def test_no_planted_secret_remains(case: tuple[Any, str], form: str) -> None:
    document, secret = case
    if form == "compact":
        data = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(
            "utf-8", "surrogatepass"
        )
    else:
        data = json.dumps(document, indent=2 if form == "spaced" else None).encode()

    clean = REDACTOR.payload(data)
    assert not [text for text in strings_of(json.loads(clean)) if secret in text]
    assert secret.encode() not in clean
    assert REDACTOR.payload(clean) == clean, "what is clean stays as it is"


@settings(max_examples=300)
@given(clean_documents)
def test_what_has_no_secret_stays_byte_for_byte(document: Any) -> None:
    for indent in (None, 1):
        data = json.dumps(document, indent=indent).encode()
        assert REDACTOR.payload(data) == data
        assert REDACTOR.clean(data) is data


@settings(max_examples=300)
@given(st.lists(st.one_of(planted().map(lambda case: case[0]), clean_documents), max_size=8))
def test_the_quick_search_misses_nothing_that_a_close_look_finds(documents: list[Any]) -> None:
    parts = [json.dumps(document).encode() for document in documents]
    changed = {at for at, part in enumerate(parts) if REDACTOR.clean(part) != part}
    assert changed <= REDACTOR.suspects(parts)


def test_a_slice_without_secrets_has_no_suspects() -> None:
    event = orjson.dumps({"token_id": "1", "bids": [["0.48", "10"]], "hash": "0x" + "ab" * 32})
    assert REDACTOR.suspects([event] * 64) == frozenset()
    assert REDACTOR.suspects([event, b'{"api_key":"abc"}', event]) == {1}
    assert REDACTOR.suspects([]) == frozenset()


@pytest.mark.parametrize("name", [
    "api_key", "apiKey", "API-KEY", "POLY_API_KEY", "X-MBX-APIKEY", "secret", "api_secret", "POLY_PASSPHRASE",
    "password", "private_key", "privateKey", "mnemonic", "seed_phrase", "signature", "POLY_SIGNATURE",
    "signing_key", "authorization", "auth", "bearer", "access_token", "refresh_token", "CB-ACCESS-SIGN",
    "KC-API-SIGN", "listenKey", "client_secrets", "Set-Cookie",
])  # fmt: skip
@pytest.mark.parametrize("value", ["abc", 17, 1.5, ["abc"], {"id": "abc"}])
def test_the_value_of_a_secret_s_name_goes_whatever_it_is(name: str, value: Any) -> None:
    assert cleaned({"a": [{name: value}], "b": 1}) == {"a": [{name: MASK}], "b": 1}


@pytest.mark.parametrize("name", [
    "token_id", "token", "tokens", "asset_id", "key", "hash", "signature_type", "author", "authenticated",
    "nonce", "secretary", "monkey", "order_id", "keys", "token_pair", "condition_id", "public_key", "seed",
])  # fmt: skip
def test_names_of_trading_data_are_left_alone(name: str) -> None:
    assert cleaned({name: "abcdef0123456789", "secret": "x"}) == {name: "abcdef0123456789", "secret": MASK}


def test_nothing_that_is_no_secret_is_masked_under_a_secret_s_name() -> None:
    document: dict[str, Any] = {"secret": None, "auth": True, "password": "", "api_key": [], "signature": {}}
    assert cleaned(document) == document


def test_64_hex_digits_are_a_key_only_where_the_name_says_so() -> None:
    digits = "0x" + "a1" * 32
    document = {
        "market": digits,
        "hash": digits,
        "pk": digits,
        "signer_key": digits[2:],
        "wallet": "0x" + "a1" * 20,
    }
    assert cleaned(document) == {**document, "pk": MASK, "signer_key": MASK}


def test_a_sign_is_a_secret_only_when_it_is_as_long_as_a_signature() -> None:
    assert cleaned({"sign": -1, "x": {"sign": "plus"}}) == {"sign": -1, "x": {"sign": "plus"}}
    assert cleaned({"sign": "c2lnbmF0dXJlIG9mIG9reA=="}) == {"sign": MASK}


@pytest.mark.parametrize("escaped", [b'"\\u0061pi_key"', b'"api\\u005fkey"', b'"\\u0061\\u0070\\u0069Key"'])
def test_escapes_hide_no_name(escaped: bytes) -> None:
    assert REDACTOR.payload(b"{" + escaped + b':"abc"}') == b"{" + escaped + b':"[redacted]"}'
    nested = json.dumps({"frame": "{" + escaped.decode() + ':"abc"}'}).encode()
    assert b"abc" not in REDACTOR.payload(nested)


def test_only_the_bytes_of_the_secret_change() -> None:
    data = b'{ "n":12345678901234567890123 , "f":1.10,"f":1E5,"api_key" : "x","t":"\\u00e9\\/" }'
    assert REDACTOR.payload(data) == data.replace(b'"x"', b'"[redacted]"')


def test_a_secret_that_is_there_twice_goes_twice() -> None:
    assert (
        REDACTOR.payload(b'{"secret":"a1","secret":"b2"}') == b'{"secret":"[redacted]","secret":"[redacted]"}'
    )


@pytest.mark.parametrize(
    "data",
    [
        b'{"api_key":"abc"',
        b'{"api_key":abc def}',
        b'{"secret":"a"}x',
        b"[" * 3000 + b'{"secret":"abc"}' + b"]" * 3000,
    ],
)
def test_what_cannot_be_looked_through_is_left_out_as_a_whole(data: bytes) -> None:
    clean = REDACTOR.payload(data)
    assert b"abc" not in clean
    assert list(json.loads(clean)) == ["__repr__"]


def test_a_frame_s_authentication_goes_and_the_rest_stays() -> None:
    frame = '{"type":"user","auth":{"apiKey":"k1","secret":"s1","passphrase":"p1"},"markets":["0x1"]}'
    kept = {"source": "polymarket.user", "frame": '{"type":"user","auth":"[redacted]","markets":["0x1"]}'}
    assert cleaned({"source": "polymarket.user", "frame": frame}) == kept


def test_a_frame_that_is_cut_off_keeps_no_secret() -> None:
    assert (
        cleaned({"frame": '{"apiKey":"k1","secret":"abcde'})["frame"]
        == '{"apiKey":"[redacted]","secret":"[redacted]'
    )


def test_prose_about_secrets_can_be_read() -> None:
    texts = [
        "bad signature: expected",
        "api key: missing; auth: failed",
        "invalid signature",
        "Basic configuration",
    ]
    assert [REDACTOR.text(text) for text in texts] == texts


@pytest.mark.parametrize("text", [
    MNEMONIC,
    "wallet: abandon, ability, able, about, above, absent, absorb, abstract, absurd, abuse, access, zoo.",
    MNEMONIC.replace(" ", "\n"),
])  # fmt: skip
def test_a_mnemonic_is_found_in_a_text(text: str) -> None:
    assert "ability" not in cleaned({"note": text})["note"]


def test_a_mnemonic_is_found_as_a_list() -> None:
    assert cleaned({"words": MNEMONIC.split()}) == {"words": MASK}


@pytest.mark.parametrize("text", [
    "the bot has seen that this side was the best price for each market and then sold",
    "spread depth status price side size level order token market volume asks bids",
    "btc eth sol xrp ada doge matic avax link dot usdc usdt",
])  # fmt: skip
def test_prose_and_lists_of_names_are_no_mnemonics(text: str) -> None:
    assert REDACTOR.text(text) == text
    assert cleaned({"names": text.split()}) == {"names": text.split()}


def test_own_names_are_masked_however_they_are_spelled() -> None:
    redactor = Redactor(RedactionPolicy(keys=["desk_code"]))
    assert cleaned({"deskCode": "a", "DESK-CODE": 5, "code": 1}, redactor) == {
        "deskCode": MASK,
        "DESK-CODE": MASK,
        "code": 1,
    }
    assert redactor.text("desk-code=a77") == f"desk-code={MASK}"


def test_own_patterns_are_found_in_texts_of_every_kind() -> None:
    redactor = Redactor(RedactionPolicy(patterns=[r'acct-"?\d{6}', r"\bTK\w{4}\b"]))
    assert cleaned({"a": "my acct-123456!", "b": ["line\nTK12ab"]}, redactor) == {
        "a": f"my {MASK}!",
        "b": [f"line\n{MASK}"],
    }
    assert cleaned({"frame": '{"x":"acct-123456"}'}, redactor) == {"frame": '{"x":"[redacted]"}'}
    assert cleaned({"x": 'acct-"123456'}, redactor) == {"x": MASK}
    assert redactor.suspects([b'{"a":"line\\nTK12ab"}', b"{}"]) >= {0}


def test_what_is_allowed_stays() -> None:
    redactor = Redactor(RedactionPolicy(allow=["signature", "jwt_sample"]))
    document = {"signature": "0xab", "jwtSample": "eyJabcdefghij.abcdefghij.abc", "secret": "s"}
    assert cleaned(document, redactor) == {**document, "secret": MASK}


def test_metadata_is_looked_through_like_data() -> None:
    said = {
        "bot": "b",
        "venue": {"apiKey": "k", "url": "https://u:pw@host/"},
        "n": 1,
        "path": Path("x"),
        "list": ["a", 2],
    }
    clean = REDACTOR.mapping(said)
    assert clean == {**said, "venue": {"apiKey": MASK, "url": f"https://u:{MASK}@host/"}}
    assert REDACTOR.mapping({"api_secret": ["a", "b"], "password": {"x": 1}}) == {
        "api_secret": MASK,
        "password": MASK,
    }


@given(st.text(), st.sampled_from(["api_key", "secret", "Authorization: Bearer "]))
@example("\ud800", "secret")
@example("\\u005c" * 400, "secret")
@example('{"a":' * 400, "secret")
def test_any_text_at_all_is_taken(text: str, name: str) -> None:
    REDACTOR.text(f"{name}={text}")
    REDACTOR.payload(json.dumps({name: text, "t": f"{name}{text}", "u": text}).encode())


def test_every_name_has_a_needle() -> None:
    assert [name for name in (*ENDINGS, *EXACT) if not any(needle in name for needle in NEEDLES)] == []


def test_real_recordings_hold_one_signature_and_nothing_else_is_touched(recordings: Path) -> None:
    changed = []
    for path in sorted(place for place in recordings.rglob("*") if place.is_file()):
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        lines = data.splitlines()
        for at in REDACTOR.suspects(lines):
            text = lines[at].decode("utf-8", "replace")
            if REDACTOR.text(text) != text:
                changed.append((path.name, text.strip()[:12]))
    assert changed == [("http_signed_order.json", '"signature":')]
