"""The alerts' pages and what the API says of one alert."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils import timezone

from console.alerts.models import Alert

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
