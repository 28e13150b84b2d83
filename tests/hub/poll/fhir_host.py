"""A small FHIR server of the tests: it searches, pages, signs in and exports over real sockets, in a thread of its own,
and can be told to be odd."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from schemas.instant import read_instant, write_instant

FHIR_JSON = "application/fhir+json"
HOUR = 3_600_000_000
SINCE = read_instant("2026-03-02T09:00:00Z")

Odd = Callable[[Request], Response | None]
"""Answers in place of the server, or lets it answer."""


def stamp(minutes: float) -> str:
    return write_instant(SINCE + round(minutes * 60_000_000))


def patient(id_: str, minutes: float, version: int = 1) -> dict[str, Any]:
    """A version of a patient."""
    meta = {"versionId": str(version), "lastUpdated": stamp(minutes)}
    return {"resourceType": "Patient", "id": id_, "meta": meta, "identifier": [{"system": "urn:n", "value": id_}]}


def order(id_: str, of: str, minutes: float, version: int = 1, status: str = "active") -> dict[str, Any]:
    """A version of an order for a patient."""
    return {
        "resourceType": "ServiceRequest",
        "id": id_,
        "meta": {"versionId": str(version), "lastUpdated": stamp(minutes)},
        "identifier": [{"system": "urn:o", "value": id_}],
        "status": status,
        "intent": "order",
        "subject": {"reference": f"Patient/{of}"},
        "authoredOn": stamp(0),
    }


class FhirHost:
    """`odd` are asked first, one a request; `asked` tells what came in: method, path and query."""

    def __init__(self, *, page: int = 2) -> None:
        self.page = page
        self.resources: list[dict[str, Any]] = []
        self.odd: deque[Odd] = deque()
        self.asked: list[str] = []
        self.authorizations: list[str | None] = []
        self.sorts = True
        self.client_key: RSAKey | ECKey | None = None  # whoever signs in holds its private half
        self.granted: str | None = None  # in place of what is asked for
        self.lives = 300
        self.tokens: list[str] = []  # given, the last one is taken
        self.assertions: list[dict[str, Any]] = []
        self.scopes: list[str] = []
        self.looks = 0  # answers of 202 before an export is made
        self.rests: dict[str, str] = {}
        self.files: dict[str, str] = {}
        self.deleted: list[str] = []
        self.kick_offs: list[dict[str, str]] = []
        self.needs_token = True
        self.file_base: str | None = None
        self.port = 0
        self._searches: dict[str, list[dict[str, Any]]] = {}

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/fhir"

    @contextmanager
    def listening(self, port: int = 0) -> Iterator[FhirHost]:
        listener = socket.create_server(("127.0.0.1", port))
        self.port = listener.getsockname()[1]
        app = Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST", "DELETE"])])
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none"))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.should_exit = server.force_exit = True
            thread.join(10)
            listener.close()

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        self.asked.append(f"{request.method} {path}" + (f"?{request.url.query}" if request.url.query else ""))
        self.authorizations.append(request.headers.get("authorization"))
        if self.odd:
            answer = self.odd.popleft()(request)
            if answer is not None:
                return answer
        if path == "/fhir/.well-known/smart-configuration":
            told = {"token_endpoint": f"http://127.0.0.1:{self.port}/token", "capabilities": ["permission-v2"]}
            return JSONResponse(told)
        if path == "/token":
            return self._sign_in(dict(pair.split("=", 1) for pair in (await request.body()).decode().split("&")))
        if self.client_key is not None and path != "/files/open.ndjson":
            shown = request.headers.get("authorization")
            if not self.tokens or shown != f"Bearer {self.tokens[-1]}":
                return outcome(401, "login")
        if path.startswith("/files/"):
            return Response(self.files[path.removeprefix("/files/")], media_type="application/fhir+ndjson")
        return self._fhir(request, path.removeprefix("/fhir").removeprefix("/"))

    def _sign_in(self, form: dict[str, str]) -> Response:
        from urllib.parse import unquote_plus

        told = {name: unquote_plus(value) for name, value in form.items()}
        assert self.client_key is not None
        claims = jwt.decode(told["client_assertion"], self.client_key, algorithms=["RS384", "ES384"]).claims
        assert claims["aud"] == f"http://127.0.0.1:{self.port}/token"
        assert claims["iss"] == claims["sub"]
        assert 0 < claims["exp"] - claims["iat"] <= 300
        if any(claims["jti"] == one["jti"] for one in self.assertions):
            return JSONResponse({"error": "invalid_client"}, status_code=400)
        self.assertions.append(claims)
        self.scopes.append(told["scope"])
        self.tokens.append(f"secret-{len(self.tokens)}")
        granted = told["scope"] if self.granted is None else self.granted
        return JSONResponse(
            {"access_token": self.tokens[-1], "token_type": "bearer", "expires_in": self.lives, "scope": granted}
        )

    def _fhir(self, request: Request, path: str) -> Response:
        query = dict(request.query_params)
        if path == "metadata":
            types = sorted({r["resourceType"] for r in self.resources})
            resources = [{"type": type_, "interaction": [{"code": "search-type"}]} for type_ in types]
            return fhir({"resourceType": "CapabilityStatement", "rest": [{"mode": "server", "resource": resources}]})
        if path.endswith("$export"):
            self.kick_offs.append(query)
            return Response(status_code=202, headers={"Content-Location": f"{self.base}/status/1"})
        if path == "status/1":
            return self._status(request)
        if path == "":
            found, at = self._searches[query["_pages"]], int(query["_at"])
            return self._page(query["_pages"], found, at)
        since = read_instant(query["_lastUpdated"].removeprefix("ge")) if "_lastUpdated" in query else 0
        found = [r for r in self.resources if r["resourceType"] == path and _updated(r) >= since]
        if self.sorts and query.get("_sort") == "_lastUpdated":
            found.sort(key=_updated)
        name = str(len(self._searches))
        self._searches[name] = found
        return self._page(name, found, 0)

    def _page(self, name: str, found: list[dict[str, Any]], at: int) -> Response:
        asked = "?_sort=_lastUpdated" if self.sorts else ""
        links = [{"relation": "self", "url": f"{self.base}/Type{asked}"}] if at == 0 else []
        if at + self.page < len(found):
            links.append({"relation": "next", "url": f"{self.base}?_pages={name}&_at={at + self.page}"})
        entries = [
            {"fullUrl": f"{self.base}/{r['resourceType']}/{r['id']}", "resource": r, "search": {"mode": "match"}}
            for r in found[at : at + self.page]
        ]
        return fhir({"resourceType": "Bundle", "type": "searchset", "link": links, "entry": entries})

    def _status(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.deleted.append(request.url.path)
            return Response(status_code=202)
        if self.looks:
            self.looks -= 1
            return Response(status_code=202, headers={"X-Progress": "half", **self.rests})
        at = self.file_base or f"http://127.0.0.1:{self.port}/files"
        listed = [
            {"type": name.partition(".")[0], "url": f"{at}/{name}"} for name in self.files if name != "deleted.ndjson"
        ]
        told: dict[str, Any] = {
            "transactionTime": stamp(60),
            "request": self.base,
            "requiresAccessToken": self.needs_token,
            "output": listed,
            "error": [],
        }
        if "deleted.ndjson" in self.files:
            told["deleted"] = [{"type": "Bundle", "url": f"{at}/deleted.ndjson"}]
        return JSONResponse(told)


def _updated(resource: dict[str, Any]) -> int:
    return read_instant(resource["meta"]["lastUpdated"])


def fhir(value: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A resource as an answer."""
    return Response(json.dumps(value), status, headers, media_type=FHIR_JSON)


def outcome(status: int, code: str, headers: dict[str, str] | None = None) -> Response:
    """A refusal that names a patient, as servers do."""
    issue = {"severity": "error", "code": code, "diagnostics": "Patient DOE^JANE 1970-01-01"}
    return fhir({"resourceType": "OperationOutcome", "issue": [issue]}, status, headers)


def refusing(status: int, code: str = "transient", **headers: str) -> Odd:
    """Answers once with a refusal."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: outcome(status, code, named)


def passing(_: Request) -> Response | None:
    """Lets the server answer."""
    return None
