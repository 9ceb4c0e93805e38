"""Errors as RFC 9457 ``application/problem+json``; the reason of each is an enum."""

import logging
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

CONTENT_TYPE: Final = "application/problem+json"
_log = logging.getLogger(__name__)


class Reason(StrEnum):
    """Why a request was refused."""

    INVALID_REQUEST = "invalid-request"  # 422: the fields in ``errors``
    INVALID_CURSOR = "invalid-cursor"
    RANGE_TOO_LONG = "range-too-long"  # ask for less time, or a coarser step
    UNKNOWN_QUANTITY = "unknown-quantity"
    UNKNOWN_SITE = "unknown-site"
    NOT_SIGNED_IN = "not-signed-in"
    BAD_CREDENTIALS = "bad-credentials"
    PASSWORD_CHANGE_REQUIRED = "password-change-required"  # noqa: S105 - a reason, not a secret
    TOO_MANY_ATTEMPTS = "too-many-attempts"
    NOT_ALLOWED = "not-allowed"  # the role may not do this
    CROSS_SITE = "cross-site"  # Origin is another site than Host
    BAD_HOST = "bad-host"  # the demo answers to loopback names only
    NOT_FOUND = "not-found"  # also: exists, but at a site outside the actor's scope
    METHOD_NOT_ALLOWED = "method-not-allowed"
    NOT_ACCEPTABLE = "not-acceptable"
    ILLEGAL_TRANSITION = "illegal-transition"
    LETHAL_ALERT = "lethal-alert"  # nobody can silence it
    NOT_SILENCEABLE = "not-silenceable"
    NO_DEAD_LETTER = "no-dead-letter"  # nothing of the notification was given up
    COMMAND_OPEN = "command-open"  # the same command to the same device waits for its reply
    TOO_MANY_OPEN = "too-many-open"  # commands of one unit
    UNIT_REVOKED = "unit-revoked"
    NOT_A_BED = "not-a-bed"
    TURN_TOO_OLD = "turn-too-old"  # they have lain as they lie for less long
    PROPOSAL_LAPSED = "proposal-lapsed"  # or what it was based on is over
    PROPOSAL_DONE = "proposal-done"
    ALREADY_ON = "already-on"  # service mode or training
    TOO_LONG = "too-long"
    NOT_ON = "not-on"
    UNKNOWN_UNIT = "unknown-unit"
    PATIENT_ALERTS = "patient-alerts"  # no training while a patient's alert is open
    SAME_SERIAL = "same-serial"  # the box stands there already
    SERIAL_IN_USE = "serial-in-use"
    BEFORE_PRESENT = "before-present"  # the present box came later
    ALREADY_EXISTS = "already-exists"
    ALREADY_ASSOCIATED = "already-associated"
    ALREADY_ENDED = "already-ended"
    LIMIT_EXISTS = "limit-exists"  # for this person and alert
    PLAN_EXISTS = "plan-exists"  # a plan of this kind counts, and it is not the one that was to be replaced
    PLAN_REFUSED = "plan-refused"  # nothing would follow from it for this person
    UNKNOWN_ALERT = "unknown-alert"
    NO_LIMIT = "no-limit"  # the alert has no single limit
    LIMIT_OUT_OF_RANGE = "limit-out-of-range"
    OTHER_POPULATION = "other-population"  # the alert is not made for this person
    BEYOND_GRAVER = "beyond-graver"  # a graver alert would be raised before
    CROSSES = "crosses"  # low and high limit would cross
    LAST_ADMIN = "last-admin"  # would leave nobody who can manage accounts
    TOO_LARGE = "too-large"
    BAD_REQUEST = "bad-request"
    INTERNAL = "internal"


_BY_STATUS: Final = {
    400: Reason.BAD_REQUEST,
    401: Reason.NOT_SIGNED_IN,
    403: Reason.NOT_ALLOWED,
    404: Reason.NOT_FOUND,
    405: Reason.METHOD_NOT_ALLOWED,
    406: Reason.NOT_ACCEPTABLE,
    413: Reason.TOO_LARGE,
    422: Reason.INVALID_REQUEST,
}


class ProblemError(Exception):
    """Ends a request with a problem document."""

    def __init__(self, status: int, reason: Reason, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.headers = headers


def problem(
    status: int, reason: Reason, detail: str, headers: dict[str, str] | None = None, **extra: Any
) -> JSONResponse:
    """The problem document as a response."""
    body = {
        "type": f"urn:lastmile:problem:{reason}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "reason": reason,
        **extra,
    }
    return JSONResponse(body, status, headers=headers, media_type=CONTENT_TYPE)


def not_found(what: str) -> ProblemError:
    """The same answer for "does not exist" and "not at your sites"."""
    return ProblemError(404, Reason.NOT_FOUND, f"no such {what}")


async def _on_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return problem(error.status, error.reason, error.detail, error.headers)


async def _on_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    reason = _BY_STATUS.get(error.status_code, Reason.BAD_REQUEST)
    headers = dict(error.headers) if error.headers else None
    return problem(error.status_code, reason, str(error.detail), headers)


async def _on_validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # the input itself is left out: it may hold a password
    errors = [
        {"where": [str(part) for part in e["loc"]], "message": e["msg"], "code": e["type"]} for e in error.errors()
    ]
    return problem(422, Reason.INVALID_REQUEST, "the request does not fit its schema, see errors", errors=errors)


async def _on_crash(request: Request, error: Exception) -> Response:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(500, Reason.INTERNAL, "the gateway failed to answer; the log has the cause")


def install(app: FastAPI) -> None:
    """Makes every error of ``app`` a problem document."""
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(Exception, _on_crash)
