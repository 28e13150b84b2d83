"""The description of the API is right by its own rules, and is what the API has."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from hub.api.app import make_app
from hub.api.openapi import openapi, write_openapi
from tests.hub.api.live_hub import LiveHub, cloud_event, served

ROOT = Path(__file__).resolve().parents[3]


def test_it_is_openapi() -> None:
    OpenAPIV31SpecValidator(openapi()).validate()


def test_the_published_one_is_that_of_the_code() -> None:
    published = (ROOT / "docs" / "openapi.json").read_text(encoding="utf-8")
    assert published == write_openapi(), (
        "run: python -c 'from hub.api.openapi import write_openapi as w; print(w(), end=\"\")' > docs/openapi.json"
    )


def test_every_route_is_told_and_every_path_is_a_route(tmp_path: Path) -> None:
    hub = LiveHub(tmp_path)
    app = make_app(hub.intake, hub.store.reader, lambda: hub.now)
    routes = {
        (route.path, method.lower())
        for route in app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    told = {(path, method) for path, methods in openapi()["paths"].items() for method in methods}
    assert told == routes
    hub.store.close()


def schema_of(path: str, method: str, status: str) -> Draft202012Validator:
    whole = openapi()
    [(_, content)] = whole["paths"][path][method]["responses"][status]["content"].items()
    return Draft202012Validator({**content["schema"], "components": whole["components"]})


@pytest.mark.anyio
async def test_what_is_answered_is_what_is_told(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await site.hub.take(cloud_event("result.final", 0, order_id="a"))
        site.hub.move(90)
        await site.hub.alerts(1)
        alerts: dict[str, Any] = (await site.client.get("/v1/alerts")).json()
        id_ = alerts["alerts"][0]["id"]
        asked = [
            ("/v1/alerts", "get", "/v1/alerts"),
            ("/v1/alerts/{id}", "get", f"/v1/alerts/{id_}"),
            ("/v1/alerts/{id}", "get", "/v1/alerts/al-none"),
            ("/v1/alerts", "get", "/v1/alerts?limit=0"),
            ("/v1/events", "post", "/v1/events"),
            *((path, "get", path) for path in ("/livez", "/readyz", "/healthz", "/openapi.json", "/asyncapi.json")),
        ]
        for path, method, url in asked:
            answer = await site.client.request(method, url)
            validator = schema_of(path, method, str(answer.status_code))
            assert [error.message for error in validator.iter_errors(answer.json())] == [], url
        headers = {"content-type": "application/cloudevents-batch+json"}
        body = json.dumps([cloud_event("result.viewed", 80, order_id="a"), {}]).encode()
        answer = await site.client.post("/v1/events", headers=headers, content=body)
        assert schema_of("/v1/events", "post", "202").is_valid(answer.json())


def test_every_kind_of_problem_is_told_in_the_documents() -> None:
    text = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`([a-z-]+)`", text.partition("## Problems")[2]))
    source = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "hub" / "api").glob("*.py")))
    kinds = set(re.findall(r'HTTPStatus\.\w+,\s*"([a-z-]+)"', source))
    kinds |= set(re.findall(r'(?:unavailable|problem_type)\("([a-z-]+)"', source))
    kinds |= set(re.findall(r'\d{3}: \("([a-z-]+)"', source))
    assert kinds
    assert kinds - told == set()
