"""The OpenAPI document is complete, and holds under generated requests of every role."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import Connection

from gateway.adapters import accounts
from gateway.api.ports import Actor, Role
from tests.unit.api.conftest import Hospital

EXAMPLES = 10
TIMES = {1_767_225_600_000_000}  # the example of a time
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


class SignedIn:
    """The accounts, with somebody who is always signed in, whatever the requests do."""

    def __init__(self, role: Role) -> None:
        self._actor = Actor(role, role, ("*",), "session")

    def actor(self, connection: Connection, id_hash: str, now: int) -> Actor:
        return self._actor

    def __getattr__(self, name: str) -> Any:
        return getattr(accounts, name)


def operations(hospital: Hospital) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in hospital.app.openapi()["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_operation_explains_itself(hospital: Hospital) -> None:
    for name, operation in operations(hospital):
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["tags"], name
        for parameter in operation.get("parameters", []):
            assert parameter.get("description") or parameter["schema"].get("examples"), (name, parameter)


def test_every_refusal_is_described_as_a_problem_with_an_example(hospital: Hospital) -> None:
    for name, operation in operations(hospital):
        refusals = {code: answer for code, answer in operation["responses"].items() if code.startswith("4")}
        for code, answer in refusals.items():
            content = answer["content"]["application/problem+json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}, name
            assert content["example"]["status"] == int(code), name
        if "security" in operation:
            assert {"401", "403"} <= set(refusals), name
        if "requestBody" in operation:
            assert {"400", "413", "422"} <= set(refusals), name


def said(body: Any, word: str) -> Iterator[Any]:
    """Every value of the keyword in a field's schema, those of its alternatives and items included."""
    if isinstance(body, dict):
        yield from (body[word] for _ in range(word in body))
        for key in ("anyOf", "allOf", "oneOf", "items"):
            yield from said(body.get(key), word)
    elif isinstance(body, list):
        for part in body:
            yield from said(part, word)


def fields(hospital: Hospital) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of every model; not those that are other models, or words of a list: they speak for themselves."""
    schemas = hospital.app.openapi()["components"]["schemas"]
    for name, schema in schemas.items():
        for field, body in schema.get("properties", {}).items():
            if not list(said(body, "$ref")):
                yield f"{name}.{field}", body


def test_every_field_has_an_example(hospital: Hospital) -> None:
    found = list(fields(hospital))
    assert len(found) > 150
    assert [name for name, body in found if not list(said(body, "examples"))] == []


def test_every_time_says_its_unit(hospital: Hospital) -> None:
    """A time is what looks like one: by its name or by its example."""
    times = [
        (name, body)
        for name, body in fields(hospital)
        if re.search(r"(\.|_)(at|since)$", name) or any(example in TIMES for example in flat(body))
    ]
    assert len(times) > 40
    for name, body in times:
        assert any(re.search(r"\bus\b", text) for text in said(body, "description")), name
        assert all(isinstance(example, int) for example in flat(body)), name


def flat(body: dict[str, Any]) -> Iterator[Any]:
    for examples in said(body, "examples"):
        yield from (example for example in examples if not isinstance(example, list | dict))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of the generator, not ours
@pytest.mark.parametrize("role", list(Role))
def test_no_request_breaks_it(build: Callable[..., Hospital], role: Role) -> None:
    hospital = build(accounts=SignedIn(role))
    schema = schemathesis.openapi.from_dict(hospital.app.openapi())
    schema.app = hospital.app
    seen = 0
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()

        @given(case=operation.as_strategy())
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def attempt(case: Case[Any]) -> None:
            response = case.call(cookies={"lastmile_session": "any"}, base_url="http://localhost")
            case.validate_response(response, checks=CHECKS)

        attempt()
        seen += 1
    assert seen >= 30
