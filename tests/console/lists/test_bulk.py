"""Actions on many things: foreseen as they happen, grouped in one act, taken back where nobody changed it since."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient, Client

from console.events.models import Event
from console.fleet.models import Host
from console.lists.export import as_csv, guarded


@pytest.fixture
def three(cluster: Any) -> None:
    for name in ("web-1", "web-2", "web-3"):
        cluster.add(name)
    Host.objects.filter(name="web-3").update(state="cordoned")


def ask(api: Any, action: str, items: list[str], **more: Any) -> Any:
    return api.operator.post("/api/v1/bulk/", {"action": action, "items": items, **more})


def states() -> dict[str, str]:
    return dict(Host.objects.values_list("name", "state"))


@pytest.mark.parametrize("verb", ["host.cordon", "host.drain", "host.uncordon"])
def test_what_is_foreseen_is_what_happens(verb: str, api: Any, three: None) -> None:
    """The dry run changes nothing; each thing then goes as it said, the refused ones with the same reason."""
    items = ["web-1", "web-3", "nobody"]
    before = states()
    dry = ask(api, verb, items).json()
    assert (before, None) == (states(), dry["id"])
    real = ask(api, verb, items, dry_run=False, reason="fans").json()

    for foreseen, done in zip(dry["results"], real["results"], strict=True):
        assert foreseen["reason"] == done["reason"]
        assert done["done"] == (not foreseen["reason"])
        if done["done"]:
            assert states()[done["item"]] == foreseen["after"] == done["after"]
    events = Event.objects.filter(action=verb)
    assert {real["id"]} == {str(event.act) for event in events}
    assert events.count() == sum(each["done"] for each in real["results"])


def test_undo_brings_each_back_to_its_own_state(api: Any, three: None) -> None:
    """Not to active for all; what was changed since stays; a second undo is refused."""
    act = ask(api, "host.drain", ["web-1", "web-2", "web-3"], dry_run=False).json()["id"]
    ask(api, "host.cordon", ["web-2"], dry_run=False)
    back = api.operator.post(f"/api/v1/bulk/{act}/undo/").json()

    assert states() == {"web-1": "active", "web-2": "cordoned", "web-3": "cordoned"}
    assert [each["item"] for each in back["results"] if not each["done"]] == ["web-2"]
    assert api.operator.post(f"/api/v1/bulk/{act}/undo/").status_code == 409


def test_jobs_are_cancelled_and_retried_once(api: Any, three: None) -> None:
    """A cancelled job has no undo; retrying it twice hands it in once."""
    from console.actions import SYSTEM
    from console.jobs.actions.submit import Submit
    from console.jobs.models import Job

    job = str(Submit("demo.add", demand={"cpu": 0.5}).run(SYSTEM).pk)
    act = ask(api, "job.cancel", [job, "no-job"], dry_run=False).json()
    assert [True, False] == [each["done"] for each in act["results"]]
    assert api.operator.post(f"/api/v1/bulk/{act['id']}/undo/").status_code == 409
    for _ in range(2):
        assert ask(api, "job.retry", [job], dry_run=False).json()["results"][0]["done"]

    assert Job.objects.count() == 2


def test_bad_requests_change_nothing(api: Any, three: None) -> None:
    """An action that is none, nothing to act on, too much at once, a viewer."""
    assert ask(api, "host.remove", ["web-1"]).status_code == 400
    assert ask(api, "host.drain", []).status_code == 400
    assert ask(api, "host.drain", [f"h-{n}" for n in range(1001)]).status_code == 400
    body = {"action": "host.drain", "items": ["web-1"], "dry_run": False}
    assert api.viewer.post("/api/v1/bulk/", body).status_code == 403
    assert states()["web-1"] == "active"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "\uff1d1"])
def test_no_cell_is_a_formula(text: str) -> None:
    """Texts that a spreadsheet would run are quoted; a number stays one."""
    row = next(csv.reader(io.StringIO("".join(as_csv([{"a": text, "b": -1.5}])).partition("\r\n")[2])))

    assert row == [f"'{text}", "-1.5"]
    assert guarded("web-1") == "web-1"


@pytest.mark.parametrize(
    "listing",
    [
        "hosts",
        "services",
        "endpoints",
        "jobs",
        "shards",
        "decisions",
        "placements",
        "events",
        "certificates",
        "engines",
        "alerts",
    ],
)
def test_every_list_is_exported(listing: str, three: None, user: Any) -> None:
    """CSV and JSON have the same rows; strangers get none."""
    from console.actions import SYSTEM
    from console.jobs.actions.submit import Submit

    Submit("demo.add", demand={"cpu": 0.5}).run(SYSTEM)
    client = Client()
    client.force_login(user("viewer"))
    rows = json.loads(client.get(f"/lists/{listing}/json/").getvalue())
    lines = list(csv.DictReader(io.StringIO(client.get(f"/lists/{listing}/csv/").getvalue().decode())))

    assert len(rows) == len(lines)
    assert Client().get(f"/lists/{listing}/csv/").status_code == 302
    if rows:
        assert list(rows[0]) == list(lines[0])


def test_an_export_is_what_the_url_asks_for(three: None, user: Any) -> None:
    """The facets of the page narrow it; a list that is none is not found."""
    Host.objects.filter(name="web-1").update(labels={"note": "=cmd()<script>"})
    client = Client()
    client.force_login(user("viewer"))

    def names(query: str) -> list[str]:
        return [each["name"] for each in json.loads(client.get(f"/lists/hosts/json/?{query}").getvalue())]

    assert names("state=cordoned") == ["web-3"]
    assert names("label=note") == ["web-1"]
    assert names("q=WEB-2") == ["web-2"]
    assert client.get("/lists/nothing/csv/").status_code == 404


async def test_the_real_server_streams_it(three: None, user: Any) -> None:
    """Over ASGI the parts come without blocking the event loop, and are the same."""
    client = AsyncClient()
    await sync_to_async(client.force_login)(await sync_to_async(user)("viewer"))
    answer = await client.get("/lists/hosts/json/")
    body = b"".join([part async for part in answer.streaming_content])

    assert answer.is_async
    assert [each["name"] for each in json.loads(body)] == ["web-1", "web-2", "web-3"]
