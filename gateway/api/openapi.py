"""The OpenAPI document: every error a problem document with an example, every operation with its session cookie."""

from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gateway.api.auth import COOKIE
from gateway.api.problems import CONTENT_TYPE
from gateway.api.schemas import Problem

_OPEN: Final = {"/healthz", "/readyz", "/metrics", "/api/v1/about"}
_SIGN_IN: Final = ("/api/v1/session", "post")
_METHODS: Final = ("get", "post", "put", "patch", "delete")
_EXAMPLES: Final = {
    400: ("bad-request", "There was an error parsing the body"),
    401: ("not-signed-in", "sign in first: POST /api/v1/session"),
    403: ("not-allowed", "the role ops may not acknowledge"),
    404: ("not-found", "no such unit"),
    406: ("not-acceptable", "application/json or application/octet-stream"),
    409: ("illegal-transition", "the alert is resolved"),
    413: ("too-large", "a body may have 65536 bytes"),
    422: ("invalid-request", "the request does not fit its schema, see errors"),
    429: ("too-many-attempts", "try again in 30 s"),
}


def describe(app: FastAPI) -> None:
    """Replaces ``app.openapi`` by one that knows how errors and sessions look here."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the documented way to extend it


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs", {}) | {"Problem": problem}
    components["securitySchemes"] = {"session": {"type": "apiKey", "in": "cookie", "name": COOKIE}}
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if method in operations:
                _complete(path, method, operations[method])
    return document


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    responses: dict[str, Any] = operation["responses"]
    needs_session = path not in _OPEN and (path, method) != _SIGN_IN
    wanted = {401, 403} if needs_session else set()
    if method != "get":
        wanted |= {403}
    if "requestBody" in operation:
        wanted |= {400, 413, 422}
    if needs_session:
        operation["security"] = [{"session": []}]
    for status in wanted | {int(code) for code in responses if code.isdigit() and 400 <= int(code) < 500}:
        responses[str(status)] = _problem_response(status)


def _problem_response(status: int) -> dict[str, Any]:
    reason, detail = _EXAMPLES[status]
    title = HTTPStatus(status).phrase
    example = {
        "type": f"urn:lastmile:problem:{reason}",
        "title": title,
        "status": status,
        "detail": detail,
        "reason": reason,
    }
    content = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}}
    return {"description": title, "content": content}
