"""Settings, Policies: forms made from policies' schemas, versions to go back to, the reason where one may not."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from balancer_core import policies
from balancer_core.policies import spread
from console.actions import SYSTEM
from console.policies.actions.defaults import SetDefaultPolicy
from console.policies.models import PolicyVersion
from console.policies.option_fields import OptionsForm

JOB = "/settings/policies/job/"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def admin(user: Any) -> Client:
    """A policy administrator's browser."""
    client = Client()
    client.force_login(user("policy-admin"))
    return client


def test_a_default_is_set_by_the_form_of_its_policy(cluster: Any, admin: Client) -> None:
    """The URL chooses the policy, the form has its options, and what was filled in holds."""
    cluster.add("web-1", gpu=1.0)
    page = admin.get(JOB, {"policy": "tenant_fair"}).content.decode()
    assert (
        'name="tenant_weight"' in page and 'name="weights.gpu"' in page and "turns by dominant share" in page
    )
    filled = {
        "policy": "tenant_fair",
        "weights.gpu": "2.5",
        "tenant_weight": "3",
        "reason": "fair",
        "based_on": "0",
    }

    done = admin.post(JOB, filled, follow=True).content.decode()

    made = PolicyVersion.objects.get()
    assert (made.policy, made.options) == ("tenant_fair", {"weights": {"gpu": 2.5}, "tenant_weight": 3.0})
    assert (made.made_by, made.reason) == ("a-policy-admin", "fair")
    assert "Version 1 holds" in done and "weights.gpu=2.5, tenant_weight=3.0" in done


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"weights.cpu": "many"}, "Enter a number"), ({"weights.cpu": "-1"}, "greater than or equal to 0"),
     ({"reason": ""}, "say why"), ({"based_on": "4"}, "look at it first")],
)  # fmt: skip
def test_what_is_wrong_is_said_where_it_stands(
    cluster: Any, admin: Client, wrong: dict[str, str], says: str
) -> None:
    """What was filled in stays; nothing is kept."""
    filled = {"policy": "pack", "weights.memory": "7", "reason": "r", **wrong}
    page = admin.post(JOB, filled).content.decode()

    assert says in page and 'value="7"' in page
    assert not PolicyVersion.objects.exists()


def test_one_goes_back_from_the_list_of_versions(cluster: Any, admin: Client) -> None:
    """Before and after of each stand there; hostile reasons are text."""
    for policy in ("pack", "balanced"):
        SetDefaultPolicy("job", policy, reason=HOSTILE).run(SYSTEM)
    page = admin.get(JOB).content.decode()
    assert "Go back to version 1" in page and "&lt;script&gt;" in page and HOSTILE not in page

    admin.post(reverse("restore-policy", args=["job"]), {"version": "1", "reason": "r", "based_on": "2"})

    newest = PolicyVersion.objects.order_by("-number").first()
    assert newest is not None and (newest.number, newest.policy, newest.restored) == (3, "pack", 1)


def test_who_may_not_sees_why(browsers: Any) -> None:
    """The form is there, disabled, with the role that it asks for; the door behind it is closed."""
    page = browsers.operator.get(JOB).content.decode()

    assert "Asks for the role policy-admin; you have the role operator." in page
    assert page.count("disabled") >= len(spread.SCHEMA["properties"]) + 2
    assert browsers.operator.post(JOB, {"policy": "pack", "reason": "r"}).status_code == 403
    assert browsers.viewer.get("/settings/policies/cat/").status_code == 404


def test_the_decision_says_whose_policy_it_was(cluster: Any, api: Any, admin: Client) -> None:
    """With a link to the version."""
    cluster.add("web-1")
    SetDefaultPolicy("job", "pack", reason="r").run(SYSTEM)
    placed = api.operator.post(
        "/api/v1/placements/", {"kind": "job", "name": "j", "demand": {"cpu": 1}}
    ).json()
    page = admin.get(reverse("decision", args=[placed["decision"]])).content.decode()

    assert f'<a href="{JOB}#v1">default for jobs, version 1</a>' in page


def test_a_policy_of_others_gets_the_fields_of_its_schema() -> None:
    """Numbers, choices, yes and no, texts, numbers by name, and JSON for whatever else a schema says."""
    schema = {
        "type": "object",
        "properties": {
            "most": {"type": "integer", "minimum": 1},
            "mode": {"enum": ["fast", "slow"]},
            "strict": {"type": "boolean"},
            "note": {"type": "string"},
            "weights": {"type": "object", "additionalProperties": {"type": "number"}},
            "bands": {"type": "array", "items": {"type": "number"}},
        },
    }
    posted = {
        "most": "3", "mode": '"slow"', "strict": "false", "note": "", "weights.cpu": "0", "bands": "[1, 2]",
    }  # fmt: skip
    form = OptionsForm(posted, schema, {"weights": {"old": 2.0}}, ["cpu"])

    assert form.is_valid(), form.errors
    assert {
        "most": 3,
        "mode": "slow",
        "strict": False,
        "weights": {"cpu": 0.0},
        "bands": [1, 2],
    } == form.options()
    assert "weights.old" in form.fields
    broken = OptionsForm({"bands": "[", "most": "0"}, schema, {}, [])
    assert set(broken.errors) == {"bands", "most"}


def test_every_installed_policy_has_a_form(cluster: Any, admin: Client) -> None:
    """Of each, all its options can be set."""
    for name, policy in policies.POLICIES.items():
        page = admin.get(JOB, {"policy": name}).content.decode()
        assert all(option in page for option in policy.SCHEMA["properties"])


def test_a_policy_that_is_gone_is_said(cluster: Any, admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page warns, and offers the others."""
    SetDefaultPolicy("job", "pack", reason="r").run(SYSTEM)
    monkeypatch.delitem(policies.POLICIES, "pack")
    page = admin.get(JOB).content.decode()

    assert "The policy pack is not installed any more" in page
    assert admin.post(JOB, {"policy": "balanced", "reason": "r"}).status_code == 302
