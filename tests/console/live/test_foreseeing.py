"""A web process's forecasts: from the reports it heard, into the columns that decide."""

from __future__ import annotations

import pytest

from balancer_core.placement import Load
from console.fleet.models import Host
from console.live.picture import FORECAST_EVERY_S, Picture
from console.placements.models import Ledger

pytestmark = pytest.mark.django_db


@pytest.fixture
def heard() -> Picture:
    """Two equal hosts; one's memory has grown by 0.2 GB a second for a minute, the other's stood still."""
    for name in ("grows", "stands"):
        host = Host.objects.create(name=name, address="10.0.0.1", credential_digest=name)
        Ledger.objects.create(host=host, resource="memory", capacity=48e9, reserved=0.0)
    picture = Picture()
    picture.load()
    for second in range(0, 61, 2):
        picture.report("grows", {"memory": 20e9 + 0.2e9 * second}, 1000.0 + second)
        picture.report("stands", {"memory": 33e9}, 1000.0 + second)
    return picture


def test_what_grows_is_expected_to_go_on(heard: Picture) -> None:
    """A minute later it would hold 44 GB more or less; the other is not expected to hold anything new."""
    assert 2 == heard.foresee(1060.0)
    snapshot, _ = heard.view()
    r = snapshot.dimensions.index("memory")
    assert pytest.approx(44e9, rel=1e-3) == snapshot.expected[snapshot.rows["grows"], r]
    assert 0.0 == snapshot.expected[snapshot.rows["stands"], r]
    # Measured alone the growing host looks the emptier one.
    assert "stands" == heard.decide(Load("job", "j", {"memory": 1e9})).host


def test_a_forecast_is_looked_at_again_and_taken_back(heard: Picture) -> None:
    """Not before its time; and what no longer rises is forgotten."""
    heard.foresee(1060.0)
    assert 0 == heard.foresee(1060.0 + FORECAST_EVERY_S / 2)
    for second in range(62, 400, 2):
        heard.report("grows", {"memory": 32e9}, 1000.0 + second)
    assert 2 == heard.foresee(1400.0)
    snapshot, _ = heard.view()
    assert not snapshot.expected.any()
