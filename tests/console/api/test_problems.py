"""What all of the API has in common: problem documents, pages, its schema."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError
from django.test import Client


def test_the_schema_is_the_committed_one(project: Path) -> None:
    """Generated without a warning, equal to docs/openapi.json. To renew it:
    `python manage.py spectacular --format openapi-json --file docs/openapi.json --fail-on-warn`."""
    said = StringIO()

    call_command("spectacular", "--format", "openapi-json", "--fail-on-warn", stdout=said)

    assert json.loads((project / "docs/openapi.json").read_text()) == json.loads(said.getvalue())


PROBLEMS = [
    ("anonymous", "GET", "/api/v1/hosts/", "", 401, "not_authenticated"),
    ("viewer", "POST", "/api/v1/placements/", "{}", 403, "permission_denied"),
    ("viewer", "GET", "/api/v1/hosts/nobody/", "", 404, "unknown"),
    ("viewer", "GET", "/api/v1/hosts/%00/", "", 404, "unknown"),
    ("viewer", "GET", "/api/v1/nothing/", "", 404, "unknown"),
    ("anonymous", "POST", "/api/v1/nothing/", "{}", 404, "unknown"),
    ("operator", "PUT", "/api/v1/placements/", "{}", 405, "method_not_allowed"),
    ("operator", "POST", "/api/v1/placements/", "{}", 400, "invalid"),
    ("operator", "POST", "/api/v1/placements/", "{", 400, "parse_error"),
    ("operator", "POST", "/api/v1/hosts/nobody/cordon/", "{}", 404, "unknown"),
    ("viewer", "GET", "/api/v1/placements/?kind=%00", "", 400, "invalid"),
]


@pytest.mark.parametrize(("role", "method", "url", "body", "status", "code"), PROBLEMS)
def test_every_refusal_is_a_problem_document(
    api: Any, role: str, method: str, url: str, body: str, status: int, code: str
) -> None:
    """Of one shape, whatever refused."""
    client = getattr(api, role)
    answer = client.generic(method, url, body, content_type="application/json")

    problem = answer.json()
    assert (status, code) == (answer.status_code, problem["type"])
    assert status == problem["status"]
    assert "application/problem+json" == answer["content-type"]
    assert problem["title"]
    assert problem["detail"]


def test_another_media_type_is_refused(api: Any) -> None:
    """415 for a form: nothing is guessed."""
    answer = api.operator.post("/api/v1/placements/", {"kind": "job"}, format=None, content_type="text/plain")

    assert (415, "unsupported_media_type") == (answer.status_code, answer.json()["type"])


def test_a_session_writes_only_with_its_csrf_token(api: Any, user: Any) -> None:
    """Another site's form in a logged-in browser is refused; unknown paths answer as ever."""
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user("operator"))

    answer = browser.post("/api/v1/placements/", {}, content_type="application/json")

    assert (403, "permission_denied") == (answer.status_code, answer.json()["type"])
    assert 404 == browser.post("/api/v1/nothing/", {}, content_type="application/json").status_code


@pytest.mark.parametrize(("query", "shown"), [("", 3), ("limit=2", 2), ("limit=99999", 3), ("limit=-1", 3), ("offset=99999999999999999999999", 0), ("limit=x&offset=x", 3)])  # fmt: skip
def test_lists_come_in_pages(api: Any, cluster: Any, query: str, shown: int) -> None:
    """Whatever is asked, at most a thousand rows and never an error of the database."""
    for number in range(3):
        cluster.add(f"web-{number}")

    answer = api.viewer.get(f"/api/v1/hosts/?{query}")

    assert (200, shown, 3) == (answer.status_code, len(answer.json()["results"]), answer.json()["count"])


def test_a_page_is_at_most_a_thousand_rows(api: Any) -> None:
    """However many are asked for."""
    from console.events.models import Event

    Event.objects.bulk_create(Event(actor="a", actor_kind="user", action="x", subject="s") for _ in range(1200))

    assert 1000 == len(api.viewer.get("/api/v1/events/?limit=5000").json()["results"])


def test_a_database_that_does_not_answer_is_said_so(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with when to come back, not 500."""
    from console.placements.actions.place import Place

    def away(*_: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(Place, "run", away)
    answer = api.operator.post("/api/v1/placements/", {"kind": "job", "name": "j", "demand": {}})

    assert (503, "database-away", "5") == (answer.status_code, answer.json()["type"], answer["retry-after"])


def test_the_state_of_the_whole(api: Any, cluster: Any) -> None:
    """Numbers for programs, and the same for Prometheus."""
    cluster.add("web-1")

    status = api.viewer.get("/api/v1/status/").json()
    metrics = api.viewer.get("/metrics").content.decode()

    assert (1, 1, None) == (status["hosts"], status["reporting"], status["leader"])
    assert "steelyard_hosts_reporting 1.0" in metrics
    assert ["ok\n", "ready\n"] == [api.anonymous.get(path).content.decode() for path in ("/healthz", "/readyz")]
