"""The alerts' pages and what the API says of one alert."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils import timezone

from console.alerts.models import Alert, Channel, RuleSettings, Silence
from console.alerts.pulse import Pulse

HOSTILE = "<script>alert(1)</script>\"'&"


def test_pages_and_api_show_one_alert(cluster: Any, browsers: Any, api: Any) -> None:
    """Hostile words stay data, links lead to the time; acknowledging is said once; a viewer may not."""
    alert = Alert.objects.create(
        rule="host-lost", severity="critical", subject_kind="host", subject="web-1", domain=HOSTILE,
        state="firing", value=1.0, sentence=HOSTILE, since=timezone.now(), fired_at=timezone.now(),
    )  # fmt: skip
    listed = browsers.viewer.get(reverse("alerts"))
    shown = browsers.viewer.get(reverse("alert", args=[alert.pk]))
    for answer in (listed, shown):
        text = answer.content.decode()
        assert answer.status_code == 200
        assert "<script>alert" not in text
        assert "/hosts/web-1/?at=" in text
    assert "Asks for the role operator" in shown.content.decode()
    url = f"/api/v1/alerts/{alert.pk}/acknowledge/"
    assert api.viewer.post(url, {}).status_code == 403
    assert browsers.operator.post(reverse("acknowledge-alert", args=[alert.pk])).status_code == 302
    assert api.operator.post(url, {}).json()["type"] == "acknowledged"
    assert api.viewer.get("/api/v1/alerts/?state=firing").json()["results"][0]["acknowledged_by"]
    assert len(api.viewer.get("/api/v1/alert-rules/").json()) >= 12
    assert browsers.viewer.get(reverse("alert", args=[999999])).status_code == 404


def test_pages_of_silences_rules_and_channels(cluster: Any, browsers: Any) -> None:
    """Each acts for its role, says why not to others, and shows hostile words as words."""
    silenced = {"rule": "", "subject": HOSTILE, "domain": "", "hours": "4", "reason": HOSTILE}
    assert browsers.operator.post(reverse("silences"), silenced).status_code == 302
    assert browsers.viewer.post(reverse("silences"), silenced).status_code == 403
    silence = Silence.objects.get()
    assert browsers.operator.post(reverse("end-silence", args=[silence.pk])).status_code == 302
    silence.refresh_from_db()
    assert silence.ended_at is not None
    change = reverse("change-rule", args=["host-lost"])
    assert browsers.operator.post(change, {"raise_after_s": "nonsense"}).status_code == 302
    assert not RuleSettings.objects.exists()
    browsers.operator.post(change, {"is_on": "on", "raise_after_s": "12.5", "threshold": ""})
    kept = {"name": "hook", "kind": "webhook", "address": "http://127.0.0.1:9/", "least_severity": "warning"}
    assert browsers.operator.post(reverse("channels"), kept).status_code == 403
    assert browsers.admin.post(reverse("channels"), kept).status_code == 302
    browsers.operator.post(reverse("try-channel", args=["hook"]))
    pages = {
        name: browsers.viewer.get(reverse(name)).content.decode() for name in ("silences", "alert-rules")
    }
    pages["channels"] = browsers.operator.get(reverse("channels")).content.decode()

    for text in pages.values():
        assert "<script>alert" not in text
    assert "Asks for the role operator" in pages["silences"]
    assert 'value="12.5"' in pages["alert-rules"]
    assert "A test of Steelyard" in pages["channels"] and "Asks for the role admin" in pages["channels"]
    assert "http://127.0.0.1:9/" not in pages["channels"]
    assert browsers.admin.post(reverse("remove-channel", args=["hook"])).status_code == 302
    assert not Channel.objects.exists()


def test_the_pulse_changes_with_what_a_list_would_show(cluster: Any) -> None:
    """And is read at most once a second, however many ask."""
    watch = Pulse()
    first = watch.beat(0.0)
    Silence.objects.create(rule="*", until=timezone.now(), reason="work", created_by="ada")

    assert watch.beat(0.5) == first
    assert watch.beat(1.5)["version"] != first["version"]
    assert watch.beat(1.5)["firing"] == 0
