"""The engine of the whole product: told at once, shown with what it has."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

import pytest
from product import Product
from stack_host import ROOT
from waiting import eventually

pytestmark = pytest.mark.stack


def test_the_command_shows_the_engine(product: Product) -> None:
    """One node, connected, with all that it shall have, and a picker with its reason."""

    def whole() -> bool:
        engine = product.engine()
        return engine["ready"] and engine["applied"] == engine["desired"] > 0

    eventually(whole, what="the engine has all")
    answer = subprocess.run(
        [sys.executable, "-c", "from console.cli import main; main()", "engine", "list", "--json"],
        cwd=ROOT, env=product.environment, capture_output=True, check=True, text=True,
    )  # fmt: skip
    (engine,) = json.loads(answer.stdout)["results"]

    assert engine["connected"]
    assert engine["version"].startswith("1.")
    assert engine["picker"]
    assert engine["picker_reason"]
    assert engine["refused"] == ""


def test_a_changed_service_reaches_envoy_at_once(product: Product) -> None:
    """The bell wakes the controller: a drain does not wait for the next second."""
    took = []
    for number in range(6):
        drain = number % 2 == 0
        verb = "drain" if drain else "resume"
        endpoint = {"endpoint": f"alpha:{product.hosts['alpha'].port}"}
        began = time.monotonic()
        product.client.post(f"services/web/{verb}-endpoint/", endpoint)
        eventually(lambda drain=drain: (product.health("alpha") == "draining") == drain, what="Envoy is told")
        took.append(time.monotonic() - began)
        time.sleep(0.37)

    assert statistics.median(took) < 0.7
