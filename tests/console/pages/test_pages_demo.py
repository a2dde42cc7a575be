"""The demo fleet's buttons, and the same over REST."""

from __future__ import annotations

from typing import Any

from django.urls import reverse


def test_buttons_and_rest_do_the_same(cluster: Any, browsers: Any, api: Any) -> None:
    """Start on the page, count over REST, remove over REST; a viewer may look."""
    assert "Or try it first" in browsers.operator.get(reverse("add-host")).content.decode()
    assert browsers.viewer.post(reverse("start-demo")).status_code == 403
    assert browsers.operator.post(reverse("start-demo"))["Location"] == reverse("map")
    assert api.viewer.get("/api/v1/demo/").json() == {"hosts": 200}
    shown = browsers.operator.get(reverse("add-host")).content.decode()
    assert "200 simulated hosts are here" in shown and "Remove all of them" in shown
    assert api.viewer.delete("/api/v1/demo/").status_code == 403
    assert api.operator.post("/api/v1/demo/", {}).status_code == 409
    assert api.operator.delete("/api/v1/demo/").status_code == 204
    assert api.viewer.get("/api/v1/demo/").json() == {"hosts": 0}
