"""By hand: for administrators; every change is in the audit trail, which is not itself changed; no secret."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse

from console.actions import SYSTEM
from console.alerts.models import Channel
from console.breakglass.tables import tables
from console.events.models import Event
from console.fleet.models import Host
from console.jobs.models import Tenant
from console.live.intent import Intent
from console.placements.models import Ledger


@pytest.fixture
def by(user: Any) -> Any:
    """by(role): a session of that role."""

    def make(role: str) -> Client:
        client = Client()
        client.force_login(user(role))
        return client

    return make


def every_path() -> list[str]:
    """Of the site itself, and of each table its list and what is done to a row."""
    plain = [reverse("tables:index"), reverse("tables:app_list", args=["fleet"])]
    for model in tables._registry:
        name = f"tables:{model._meta.app_label}_{model._meta.model_name}"
        plain += [reverse(f"{name}_changelist"), reverse(f"{name}_add")]
        plain += [reverse(f"{name}_{what}", args=["1"]) for what in ("change", "delete", "history")]
    return plain


def test_every_table_of_ours_is_there_and_no_other() -> None:
    """Tokens, sessions and factors of other libraries are not."""
    ours = {model for model in apps.get_models() if model.__module__.startswith("console.")}

    assert set(tables._registry) == ours
    assert Host in ours


@pytest.mark.parametrize("method", ["get", "post"])
def test_only_administrators_come_in(method: str, database: None, by: Any) -> None:
    """Others are turned away at each of its pages, strangers to the login."""
    nearest = by("policy-admin")  # who has less is in no role that this one is not in
    for path in every_path():
        stranger = getattr(Client(), method)(path)
        assert (stranger.status_code, stranger["location"]) == (302, f"/login/?next={path}")
        assert getattr(nearest, method)(path, follow=True).status_code == 403, path
    for role in ("viewer", "operator"):
        assert getattr(by(role), method)("/tables/", follow=True).status_code == 403


def test_an_administrator_sees_every_table(cluster: Any, by: Any) -> None:
    """The list of each."""
    cluster.add("web-1")
    client = by("admin")

    assert "For when no page helps" in client.get("/tables/").content.decode()
    for model in tables._registry:
        path = reverse(f"tables:{model._meta.app_label}_{model._meta.model_name}_changelist")
        assert client.get(path).status_code == 200, path


def form_of(page: Any) -> dict[str, Any]:
    """What a browser would send back of the row's form, unchanged."""
    form = page.context["adminform"].form
    given = {}
    for field in form:
        value = field.value()
        if isinstance(value, bool):
            given |= {field.html_name: "on"} if value else {}
        elif hasattr(value, "isoformat"):
            day, _, hour = value.strftime("%Y-%m-%d %H:%M:%S").partition(" ")
            names = (field.html_name, field.html_initial_name)
            given |= {f"{name}_{part}": said for name in names for part, said in enumerate((day, hour))}
        else:
            given[field.html_name] = "" if value is None else value
    return given


def test_a_change_is_made_and_recorded(cluster: Any, by: Any) -> None:
    """What differs, before and after, and by whom; those who follow hosts see a changed line of the ledger."""
    cluster.add("web-1")
    line = Ledger.objects.get(host__name="web-1", resource="cpu")
    following = Intent()
    following.look()
    path = reverse("tables:placements_ledger_change", args=[line.pk])
    client = by("admin")

    answer = client.post(path, form_of(client.get(path)) | {"reserved": "1.5"})

    assert answer.status_code == 302, answer.context["errors"]
    line.refresh_from_db()
    assert line.reserved == 1.5
    event = Event.objects.get(action="breakglass.change")
    assert (event.actor, event.subject_kind, event.subject) == ("a-admin", "ledger", str(line.pk))
    assert (event.before, event.after) == ({"reserved": 0.0}, {"reserved": 1.5})
    look = following.look()
    assert look.lines[line.host_id]["cpu"][1] == 1.5


def test_rows_can_be_written_as_they_are(api: Any, cluster: Any, by: Any) -> None:
    """Fields that are empty, or nothing, stay so; what differs in nothing is still said to have been written."""
    cluster.add("web-1")
    api.operator.post("/api/v1/jobs/", {"task": "demo.add", "demand": {"cpu": 1.0}})
    api.operator.post("/api/v1/placements/", {"kind": "job", "name": "j", "demand": {"cpu": 1.0}})
    client, written = by("admin"), set()
    for model in tables._registry:
        row = model._default_manager.first()
        if row is not None and model is not Event:
            path = reverse(f"tables:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk])
            answer = client.post(path, form_of(client.get(path)))
            assert answer.status_code == 302, (path, answer.context["adminform"].errors)
            written.add(model.__name__)

    assert {"Host", "Ledger", "Job", "Placement", "Decision", "User"} <= written
    said = Event.objects.filter(action="breakglass.change")
    assert [(each.subject_kind, each.before, each.after) for each in said if each.before or each.after] == []
    assert said.count() == len(written)


def test_a_row_is_deleted_and_recorded(cluster: Any, by: Any) -> None:
    """Singly and from the list; the event says what it was."""
    for name in ("web-1", "web-2", "web-3"):
        cluster.add(name)
    one, two, three = Host.objects.order_by("name")
    client = by("admin")

    client.post(reverse("tables:fleet_host_delete", args=[one.pk]), {"post": "yes"})
    client.post(
        reverse("tables:fleet_host_changelist"),
        {"action": "delete_selected", "_selected_action": [two.pk, three.pk], "post": "yes"},
    )

    assert not Host.objects.exists()
    gone = Event.objects.filter(action="breakglass.delete").order_by("id")
    assert [event.before["name"] for event in gone] == ["web-1", "web-2", "web-3"]


def test_a_change_that_fails_changes_nothing(cluster: Any, by: Any) -> None:
    """The form says what is wrong, and no event tells of it."""
    cluster.add("web-1")
    path = reverse("tables:fleet_host_change", args=[Host.objects.get().pk])
    client = by("admin")

    answer = client.post(path, form_of(client.get(path)) | {"address": "nowhere"})

    assert "Enter a valid IPv4 or IPv6 address" in answer.content.decode()
    assert not Event.objects.filter(action__startswith="breakglass").exists()


def test_the_audit_trail_is_not_changed(database: None, by: Any) -> None:
    """It is shown; there is nothing to send, and what is sent all the same is refused."""
    event = Event.objects.create(
        actor_kind="user", actor="ann", action="x.y", subject_kind="host", subject="h"
    )
    client, path = by("admin"), reverse("tables:events_event_change", args=[event.pk])

    assert client.get(path).status_code == 200
    assert client.post(path, {"actor": "bob"}).status_code == 403
    assert (
        client.post(reverse("tables:events_event_delete", args=[event.pk]), {"post": "yes"}).status_code
        == 403
    )
    assert Event.objects.get(pk=event.pk).actor == "ann"


def test_no_secret_is_shown(cluster: Any, user: Any, by: Any) -> None:
    """Neither sealed ones nor digests nor passwords; nor are they in the trail."""
    cluster.add("web-1")
    host, admin = Host.objects.get(), user("admin")
    channel = Channel.objects.create(name="pager", kind=Channel.Kind.values[0], sealed="sealed-in-here")
    client = by("admin")
    shown = "".join(
        client.get(reverse(f"tables:{name}", args=[row.pk])).content.decode()
        for name, row in (
            ("fleet_host_change", host), ("alerts_channel_change", channel), ("accounts_user_change", admin),
        )
    )  # fmt: skip

    assert host.name in shown
    for secret in (host.credential_digest, "sealed-in-here", admin.password):
        assert secret not in shown


def test_the_history_of_a_row_is_the_audit_trail(cluster: Any, by: Any) -> None:
    """There is one trail."""
    cluster.add("web-1")

    answer = by("admin").get(reverse("tables:fleet_host_history", args=[Host.objects.get().pk]))

    assert answer["location"] == f"/events/?subject_kind=host&subject={Host.objects.get().pk}"


def test_a_key_is_not_typed_anew(database: None, by: Any) -> None:
    """What is sent for it is not looked at: the row stays what it is, and no other comes."""
    Tenant.objects.create(name="shop", weight=2.0)
    client, path = by("admin"), reverse("tables:jobs_tenant_change", args=["shop"])

    answer = client.post(path, form_of(client.get(path)) | {"name": "other", "weight": "3"})

    assert answer.status_code == 302
    assert list(Tenant.objects.values_list("name", "weight")) == [("shop", 3.0)]


def test_who_is_no_administrator_can_not_act_by_hand(cluster: Any, user: Any) -> None:
    """The action itself refuses, whatever door it came by."""
    from console.actions import Actor, NotAllowed
    from console.breakglass.acts import DeleteByHand

    cluster.add("web-1")
    operator = Actor(kind="user", name="a-operator", user=user("operator"))

    with pytest.raises(NotAllowed):
        DeleteByHand(Host.objects.get()).run(operator)
    DeleteByHand(Host.objects.get()).run(SYSTEM)
    assert not Host.objects.exists()
