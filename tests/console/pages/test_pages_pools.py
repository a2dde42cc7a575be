"""Storage pools and their capacity on pages."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from console.events.models import Event
from console.storage.models import Shard, StoragePool


def test_pools_on_pages(furnished: Any, browsers: Any) -> None:
    """Made and changed with a form, by operators; its shards and events are there; wrong ones say why."""
    pools, form = reverse("storage-pools"), {
        "name": "p", "data": 1, "parity": 2, "spread_level": "zone", "low": 0.8, "high": 0.9, "mover": "tree",
        "slots": 64, "keep_days": 0, "automatic": "propose", "threshold": 1.2, "hold_s": 600, "margin": 0.05,
        "bytes_s": 1e6,
    }  # fmt: skip
    page = reverse("storage-pool", args=["p"])

    assert browsers.viewer.post(pools, form).status_code == 403
    assert browsers.operator.post(pools, form)["location"] == page
    assert "3 copies" in browsers.viewer.get(page).content.decode()
    assert "storage-pool.put" in browsers.viewer.get(page).content.decode()
    wrong = browsers.operator.post(page, {**form, "low": 0.95}, follow=True).content.decode()
    assert "the low watermark is not above" in wrong
    browsers.operator.post(page, {**form, "low": 0.7})
    assert StoragePool.objects.get(pk="p").low == 0.7
    assert f'href="{page}"' in browsers.viewer.get(pools).content.decode()
    assert (
        reverse("storage-pool", args=["default"]) in browsers.viewer.get(reverse("shards")).content.decode()
    )
    assert browsers.operator.post(reverse("remove-storage-pool", args=["p"]))["location"] == pools
    browsers.operator.post(reverse("remove-storage-pool", args=["default"]))
    assert StoragePool.objects.filter(pk="default").exists()


def test_how_long_the_room_lasts(furnished: Any, browsers: Any) -> None:
    """Pools and hosts; what-if says what would be beside what is, and what it can't be asked."""
    url = reverse("storage-capacity")
    page = browsers.viewer.get(url).content.decode()
    assert "default" in page
    assert "web-1" in page

    asked = {"without": "web-1, db-1", "count": "2", "disk": "2Ti", "labels": "zone=c"}
    page = browsers.viewer.get(url, asked).content.decode()
    assert "new-2" in page
    assert "As it is" in page
    assert (
        "no host with a disk is called nobody"
        in browsers.viewer.get(url, {"without": "nobody"}).content.decode()
    )
    assert "Disk of each" in browsers.viewer.get(url, {"count": "2", "disk": "much"}).content.decode()


def test_a_shard_is_measured_and_removed_on_its_page(furnished: Any, browsers: Any) -> None:
    """By operators, with what is wrong said; what was given up is gone, with the reason in its event."""
    page = reverse("shard", args=["photos"])
    measure, remove = reverse("measure-shard", args=["photos"]), reverse("remove-shard", args=["photos"])
    assert browsers.viewer.post(measure, {}).status_code == 403
    assert browsers.viewer.post(remove, {}).status_code == 403
    assert "Asks for the role operator" in browsers.viewer.get(page).content.decode()

    browsers.operator.post(measure, {"growth_bytes_day": 2.0**20, "read_bytes_s": ""})
    assert "1 MiB a day" in browsers.viewer.get(page).content.decode()
    for wrong in ({"read_bytes_s": "much"}, {"read_bytes_s": -1}):
        assert "Not done" in browsers.operator.post(measure, wrong, follow=True).content.decode()
    assert browsers.operator.get(remove)["location"] == page
    assert browsers.operator.post(remove, {"reason": "old"})["location"] == reverse("shards")
    assert not Shard.objects.exists()
    assert Event.objects.get(action="shard.remove").reason == "old"
