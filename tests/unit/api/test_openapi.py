"""The OpenAPI document is complete, and holds under generated requests of every role."""

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


def test_times_and_numbers_have_examples_and_units(hospital: Hospital) -> None:
    schemas = hospital.app.openapi()["components"]["schemas"]
    for name, schema in schemas.items():
        for field, body in schema.get("properties", {}).items():
            if field.endswith("_at") or field == "at":
                text = str(body)
                assert "us since 1970" in text or "us" in text, (name, field)


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
