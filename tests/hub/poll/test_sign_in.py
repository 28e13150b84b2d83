"""Signing in to a FHIR server, over real sockets: tokens that end, scopes that are not granted, keys of both kinds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from joserfc.jwk import ECKey, RSAKey
from starlette.responses import JSONResponse

from hub.fhir_server import NotAnswered
from hub.poll.client import FhirClient
from hub.poll.search import NOT_GRANTED
from hub.site_asks import Asks
from hub.site_fhir import FhirServer
from schemas.errors import WrongUse
from tests.hub.poll.fhir_host import FhirHost, order, outcome, passing, patient
from tests.hub.poll.polling import polling, run


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key.json"
    key = ECKey.generate_key("P-384", {"kid": "ours"})
    path.write_text(json.dumps(key.as_dict(private=True)))
    return path


@pytest.fixture
def host(key_file: Path) -> FhirHost:
    host = FhirHost()
    host.client_key = ECKey.import_key(json.loads(key_file.read_text()))
    host.resources = [patient(f"p{n}", n) for n in range(5)] + [order("o1", "p1", 10)]
    return host


def test_a_token_is_asked_for_once_and_shown(tmp_path: Path, host: FhirHost, key_file: Path) -> None:
    async def scenario() -> None:
        async with polling(tmp_path / "store", host, client_id="us", key_file=key_file) as hub:
            found = await hub.poll()
            assert found["Patient"].accepted == 5
            assert found["ServiceRequest"].accepted == 1
            assert host.tokens == ["secret-0"]
            assert host.scopes == ["system/Patient.rs system/ServiceRequest.rs"]
            assert host.assertions[0]["iss"] == "us"
            assert host.authorizations[:2] == [None, None]  # discovery and sign-in show none

    with host.listening():
        run(scenario())


def test_a_token_is_renewed_before_it_ends_and_when_it_is_refused(
    tmp_path: Path, host: FhirHost, key_file: Path
) -> None:
    async def scenario() -> None:
        async with polling(tmp_path / "store", host, client_id="us", key_file=key_file) as hub:
            await hub.poll()
            hub.hub.move(4.6)  # of five minutes; it is not used in its last half
            assert (await hub.poll())["Patient"].failed is None
            assert len(host.tokens) == 2
            host.tokens.append("revoked")  # what was given is taken no more
            assert (await hub.poll())["Patient"].failed is None
            assert len(host.tokens) == 4
            assert len({claims["jti"] for claims in host.assertions}) == 3

    with host.listening():
        run(scenario())


def test_what_is_not_granted_is_not_asked_for(tmp_path: Path, host: FhirHost, key_file: Path) -> None:
    host.granted = "system/Patient.read openid"

    async def scenario() -> None:
        async with polling(tmp_path / "store", host, client_id="us", key_file=key_file) as hub:
            found = await hub.poll()
            assert found["Patient"].accepted == 5
            assert found["ServiceRequest"].failed == NOT_GRANTED
            assert not any("/fhir/ServiceRequest" in asked for asked in host.asked)

    with host.listening():
        run(scenario())


def test_a_sign_in_that_is_refused_is_told_without_words_of_the_server(
    tmp_path: Path, host: FhirHost, key_file: Path
) -> None:
    async def scenario() -> None:
        async with polling(tmp_path / "store", host, client_id="us", key_file=key_file) as hub:
            refused = {"error": "invalid_client", "error_description": "Jane Doe's key"}
            host.odd.extend([passing, lambda _: JSONResponse(refused, status_code=401)])
            found = await hub.poll()
            assert {asked.failed for asked in found.values()} == {"sign-in: it answers 401 (invalid_client)"}
            host.odd.append(lambda _: JSONResponse({"token_endpoint": "http://elsewhere.example/token"}))
            hub.client._credentials.refused()
            found = await hub.poll()
            assert {asked.failed for asked in found.values()} == {"sign-in: its token_endpoint is no https address"}

    with host.listening():
        run(scenario())


def test_a_token_that_is_never_taken_is_not_asked_for_for_ever(tmp_path: Path, host: FhirHost, key_file: Path) -> None:
    async def scenario() -> None:
        async with polling(tmp_path / "store", host, client_id="us", key_file=key_file, types=("Patient",)) as hub:
            refuses = lambda asked: outcome(401, "login") if asked.url.path == "/fhir/Patient" else None  # noqa: E731
            host.odd.extend([refuses] * 20)
            found = (await hub.poll())["Patient"]
            assert found.failed is not None
            assert found.failed.startswith("it answers 401")
            assert len(host.asked) < 12

    with host.listening():
        run(scenario())


def test_a_token_of_a_file_is_read_each_time(tmp_path: Path) -> None:
    host = FhirHost()
    host.resources = [patient("p1", 1)]
    token = tmp_path / "token"
    token.write_text("one")

    async def scenario() -> None:
        async with polling(tmp_path / "store", host, types=("Patient",), token_file=token) as hub:
            await hub.poll()
            token.write_text("two\n")
            await hub.poll()
            assert host.authorizations == ["Bearer one", "Bearer two"]
            token.unlink()
            failed = (await hub.poll())["Patient"].failed
            assert failed is not None
            assert "cannot be read" in failed
            with pytest.raises(NotAnswered):
                await hub.client.ask("Patient/p1")

    with host.listening():
        run(scenario())


@pytest.mark.parametrize("text", ["", "two words", "ümlaut", "a\nb"])
def test_a_file_that_holds_no_token_is_wrong_use(tmp_path: Path, text: str) -> None:
    path = tmp_path / "token"
    path.write_text(text)
    server = FhirServer(name="ehr", base="https://ehr.example", token_file=path)
    with pytest.raises(WrongUse, match="bearer token"):
        FhirClient(server, lambda: 0)


@pytest.mark.parametrize("text", ["", "{}", '{"kty":"RSA"}', "-----BEGIN PRIVATE KEY-----", "[]"])
def test_a_file_that_holds_no_key_is_wrong_use(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    server = FhirServer(name="ehr", base="https://ehr.example", asks=Asks(client_id="us", key_file=path))
    with pytest.raises(WrongUse, match="key file"):
        FhirClient(server, lambda: 0)


def test_events_that_were_missed_are_asked_for_signed_in(tmp_path: Path, host: FhirHost, key_file: Path) -> None:
    async def scenario() -> None:
        async with polling(tmp_path / "store", host, client_id="us", key_file=key_file) as hub:
            host.odd.extend([passing, passing, lambda _: JSONResponse({"resourceType": "Bundle"})])
            path = "Subscription/s1/$events?eventsSinceNumber=3&eventsUntilNumber=4"
            assert await hub.client.ask(path) == b'{"resourceType":"Bundle"}'
            assert host.authorizations[-1] == "Bearer secret-0"
            with pytest.raises(NotAnswered, match="other_origin"):
                await hub.client.ask("https://elsewhere.example/fhir/Patient")

    with host.listening():
        run(scenario())


def test_an_rsa_key_in_pem_signs_too(tmp_path: Path, host: FhirHost) -> None:
    key = RSAKey.generate_key(2048, private=True)
    pem = tmp_path / "key.pem"
    pem.write_bytes(key.as_pem(private=True))
    host.client_key = key

    async def scenario() -> None:
        async with polling(tmp_path / "store", host, client_id="us", key_file=pem, types=("Patient",)) as hub:
            assert (await hub.poll())["Patient"].accepted == 5

    with host.listening():
        run(scenario())
