"""SMART Backend Services without a server: keys, assertions, tokens, scopes."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from connectors.fhir.search import WrongAnswer
from connectors.fhir.smart import (
    WrongKey,
    may_search,
    read_configuration,
    read_key,
    read_token,
    refusal,
    scopes_for,
    token_form,
)

EC = ECKey.generate_key("P-384", {"kid": "ec-1"})
RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"})
SECOND = 1_000_000


def text(key: ECKey | RSAKey | OctKey, **more: str) -> bytes:
    return json.dumps({**key.as_dict(private=True), **more}).encode()


@pytest.mark.parametrize(
    "raw, algorithm",
    [
        (text(EC), "ES384"),
        (text(RSA), "RS384"),
        (EC.as_pem(private=True), "ES384"),
        (RSA.as_pem(private=True), "RS384"),
        (json.dumps(KeySet([RSA, EC]).as_dict(private=True)).encode(), "RS384"),
    ],
    ids=("ec", "rsa", "ec-pem", "rsa-pem", "set"),  # keys are new in every process
)
def test_an_assertion_is_what_the_standard_says(raw: bytes, algorithm: str) -> None:
    signer = read_key(raw)
    form = parse_qs(token_form(signer, "us", "https://a.example/token", ("system/Task.rs",), now=1_000, jti="once"))
    assert form["grant_type"] == ["client_credentials"]
    assert form["scope"] == ["system/Task.rs"]
    assert form["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
    key = EC if algorithm == "ES384" else RSA
    token = jwt.decode(form["client_assertion"][0], key, algorithms=[algorithm])
    assert token.header["alg"] == algorithm
    assert token.header["typ"] == "JWT"
    assert token.header["kid"] in (key.kid, key.thumbprint())
    claims = {"iss": "us", "sub": "us", "aud": "https://a.example/token", "iat": 1_000, "exp": 1_240, "jti": "once"}
    assert token.claims == claims


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"{",
        b"-----BEGIN NOTHING-----",
        text(OctKey.generate_key(256)),
        text(ECKey.generate_key("P-256")),
        text(RSAKey.generate_key(2048), alg="RS256"),
        json.dumps(EC.as_dict(private=False)).encode(),
        json.dumps(RSA.as_dict(private=False)).encode(),
        b'{"keys":[]}',
        b'{"keys":7}',
        b'{"kty":"EC","crv":"P-384","x":"a","y":"b","d":"c"}',
    ],
    ids=map(str, range(12)),
)
def test_other_keys_are_refused_without_a_word_of_them(raw: bytes) -> None:
    with pytest.raises(WrongKey) as wrong:
        read_key(raw)
    assert str(wrong.value).startswith("it ")


def test_where_tokens_are_had() -> None:
    told = b'{"token_endpoint":"https://a.example/token","capabilities":["permission-v1"]}'
    assert read_configuration(told) == ("https://a.example/token", True)
    assert not read_configuration(b'{"token_endpoint":"http://127.0.0.1/t"}').v1
    for wrong in (b"", b"{}", b'{"token_endpoint":"http://a.example/t"}', b'{"token_endpoint":"nowhere"}'):
        with pytest.raises(WrongAnswer):
            read_configuration(wrong)


def test_a_token_is_used_until_shortly_before_its_end() -> None:
    raw = b'{"access_token":"s3cret","token_type":"Bearer","expires_in":300,"scope":"a b"}'
    token = read_token(raw, ("c",), 0)
    assert token == ("s3cret", 270 * SECOND, frozenset("ab"))
    assert "s3cret" not in repr(token)
    short = read_token(b'{"access_token":"x","token_type":"bearer","expires_in":"10"}', ("c",), 0)
    assert (short.until, short.scopes) == (5 * SECOND, {"c"})


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b'{"access_token":"x","token_type":"mac","expires_in":1}',
        b'{"access_token":"","token_type":"bearer","expires_in":1}',
        b'{"access_token":"x","token_type":"bearer","expires_in":"soon"}',
    ],
)
def test_what_is_no_token_is_none(raw: bytes) -> None:
    with pytest.raises(WrongAnswer):
        read_token(raw, (), 0)


@pytest.mark.parametrize(
    "scopes, may",
    [
        ("system/Task.rs", True),
        ("system/Task.s system/Task.r", True),
        ("system/*.cruds", True),
        ("system/*.read", True),
        ("system/Task.*", True),
        ("system/Task.rs?code=x", True),
        ("system/Task.r", False),
        ("system/Task.write", False),
        ("system/Patient.rs user/Task.rs", False),
        ("", False),
    ],
)
def test_scopes_of_both_versions_are_understood(scopes: str, may: bool) -> None:
    assert may_search("Task", scopes.split()) is may


def test_scopes_are_asked_for_as_the_server_knows_them() -> None:
    assert scopes_for(("Task",), v1=True) == ("system/Task.read",)
    assert scopes_for(("Task",), v1=False) == ("system/Task.rs",)


def test_a_refusal_is_told_by_its_word_alone() -> None:
    assert refusal(b'{"error":"invalid_scope","error_description":"Jane"}') == "invalid_scope"
    assert refusal(b'{"error":"Jane Doe"}') is None
    assert refusal(b"<html>") is None
