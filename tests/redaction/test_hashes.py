"""Keyed hashes: equal where the values were equal, and of no use without the key."""

from __future__ import annotations

import hmac
from typing import Any

import orjson
import pytest

from polyrecord.errors import ConfigError
from polyrecord.record.redact import MASK, RedactionPolicy, Redactor

KEY = b"a key of at least sixteen bytes"


def hashed(text: str, key: bytes = KEY) -> str:
    return "hmac:" + hmac.new(key, text.encode(), "sha256").hexdigest()[:16]


def cleaned(document: Any, **policy: Any) -> Any:
    redactor = Redactor(RedactionPolicy(hash_key=KEY, **policy))
    return orjson.loads(redactor.payload(orjson.dumps(document)))


def test_equal_secrets_have_equal_hashes_wherever_they_stand() -> None:
    clean = cleaned(
        {"api_key": "k-77-k", "url": "https://u:k-77-k@host/", "frame": '{"secret":"k-77-k"}'}, style="hash"
    )
    one = hashed("k-77-k")
    assert clean == {"api_key": one, "url": f"https://u:{one}@host/", "frame": f'{{"secret":"{one}"}}'}


def test_identifiers_become_hashes_and_secrets_still_masks() -> None:
    document = {
        "maker_address": "0xAb12",
        "account": 77,
        "accounts": ["a", "b"],
        "secret": "s",
        "price": "0.5",
    }
    assert cleaned(document, hash_keys=["makerAddress", "account", "accounts"]) == {
        "maker_address": hashed("0xab12"),
        "account": hashed("77"),
        "accounts": [hashed("a"), hashed("b")],
        "secret": MASK,
        "price": "0.5",
    }


def test_an_address_has_one_hash_in_any_case() -> None:
    policy = {"hash_keys": ["maker"]}
    assert cleaned({"maker": "0xABCDEF"}, **policy) == cleaned({"maker": "0xabcdef"}, **policy)
    assert cleaned({"maker": "Bob"}, **policy) != cleaned({"maker": "bob"}, **policy)


def test_another_key_gives_other_hashes() -> None:
    other = Redactor(RedactionPolicy(style="hash", hash_key=b"another key of sixteen bytes"))
    assert orjson.loads(other.payload(b'{"secret":"s"}'))["secret"] not in {hashed("s"), MASK}


def test_what_is_a_hash_already_stays() -> None:
    redactor = Redactor(RedactionPolicy(style="hash", hash_key=KEY, hash_keys=["account"]))
    once = redactor.payload(b'{"secret":"s","account":"a"}')
    assert redactor.payload(once) == once


def test_a_secret_that_only_begins_like_a_hash_does_not_stay() -> None:
    assert cleaned({"secret": "hmac:mine", "password": "[redacted]no"}) == {"secret": MASK, "password": MASK}


def test_trace_ids_are_hashed_to_trace_ids_by_their_normal_form() -> None:
    redactor = Redactor(RedactionPolicy(hash_keys=["trace_id", "intent_id"], hash_key=KEY))
    dashed = redactor.trace_id("A1B2C3D4-e5f6-4890-abcd-ef1234567890")
    assert dashed == redactor.trace_id("a1b2c3d4e5f64890abcdef1234567890")
    assert len(dashed) == 32
    assert int(dashed, 16)
    assert redactor.envelope({"intent_id": "i-1", "bot_id": "b"}) == {
        "intent_id": hashed("i-1"),
        "bot_id": "b",
    }


def test_ids_stay_unless_they_are_to_be_hashed() -> None:
    redactor = Redactor()
    assert redactor.trace_id("abc") == "abc"
    assert redactor.envelope({"bot_id": "b", "reason_code": "api_key=k1"}) == {
        "bot_id": "b",
        "reason_code": f"api_key={MASK}",
    }


@pytest.mark.parametrize(
    "policy",
    [
        {"style": "hash"},
        {"hash_keys": ["account"]},
        {"style": "hash", "hash_key": b"short"},
        {"style": "shuffle"},
        {"patterns": ["(unclosed"]},
        {"patterns": ["(?=look)ahead"]},
        {"patterns": ["^acct-"]},
        {"patterns": [r"acct-\d+$"]},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(policy: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Redactor(RedactionPolicy(**policy))


def test_the_key_is_in_no_message() -> None:
    assert "sixteen" not in repr(RedactionPolicy(hash_key=KEY))
