"""Errors as problem documents (RFC 9457): one shape for every refusal of the API.

type is a short code, errors a list of {field, code, detail} where fields are at fault,
and hosts a list of {host, code, reason} where a load fits nowhere; preemption says there what would have to
leave, where something of a lower priority could.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from balancer_core.placement import InvalidLoad
from console.actions import Conflict, Invalid, NotAllowed, Unknown
from console.placements.actions.commit import FitsNowhere

log = logging.getLogger(__name__)

RETRY_AFTER_S = 5


class ProblemRenderer(JSONRenderer):
    media_type = "application/problem+json"


def problem(
    status: int, code: str, detail: str, headers: dict[str, str] | None = None, **more: Any
) -> Response:
    """A response of media type application/problem+json."""
    body = {"type": code, "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return Response(body, status=status, headers=headers, content_type=ProblemRenderer.media_type)


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception hook. Returns None for what is a defect of ours, so that it is a 500 and logged."""
    match error:
        case FitsNowhere():
            plain = error.decision.to_dict()
            preemption = {"preemption": error.preemption} if error.preemption else {}
            return problem(
                409,
                "fits-nowhere",
                str(error),
                decision=str(error.decision_id),
                hosts=plain["rejections"],
                changes=plain["changes"],
                **preemption,
            )
        case Invalid() | InvalidLoad():
            return _invalid([{"field": error.field, "code": error.code, "detail": error.reason}])
        case Unknown() | Http404():
            return problem(404, "unknown", str(error) or "Nothing is here.")
        case Conflict():
            return problem(409, error.code, error.reason)
        case IntegrityError():
            # Two that were each right alone: the database let one of them through.
            log.warning("refused by a constraint: %s", error)
            return problem(
                409, "at-once", "Somebody changed the same thing at this moment; look again, then try again."
            )
        case OperationalError():
            log.error("the database can't be written: %s", error)
            wait = {"Retry-After": str(RETRY_AFTER_S)}
            return problem(503, "database-away", "The database does not answer; nothing was changed.", wait)
        case NotAllowed() | PermissionDenied():
            return problem(403, "not-allowed", str(error) or "Not allowed.")
        case exceptions.ValidationError():
            return _invalid(list(_flatten(error.detail, "")))
        case exceptions.APIException():
            headers = {}
            if header := getattr(error, "auth_header", None):
                headers["WWW-Authenticate"] = header
            if wait := getattr(error, "wait", None):
                headers["Retry-After"] = str(int(wait))
            return problem(error.status_code, str(error.default_code), str(error.detail), headers)
    return None


def _invalid(errors: list[dict[str, str]]) -> Response:
    detail = "; ".join(f"{error['field']}: {error['detail']}" for error in errors)
    return problem(400, "invalid", detail, errors=errors)


def _flatten(detail: Any, path: str) -> Any:
    """DRF's nested error details as a flat list with dotted field paths."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            field = path if key == "non_field_errors" else f"{path}.{key}".lstrip(".")
            yield from _flatten(value, field)
    elif isinstance(detail, list):
        for index, value in enumerate(detail):
            # A list of dicts is a list of items; a list of strings is several faults of one field.
            yield from _flatten(value, f"{path}.{index}".lstrip(".") if isinstance(value, dict) else path)
    else:
        yield {
            "field": path or "body",
            "code": str(getattr(detail, "code", "invalid")),
            "detail": str(detail),
        }
