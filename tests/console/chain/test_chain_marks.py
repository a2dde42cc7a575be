"""What is marked as narrow or broken, by a word and a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from console.chain.graph import build
from console.chain.inputs import EndpointKnown, EngineKnown, Known, ServiceKnown
from console.chain.marks import marks_of_engine, marks_of_service


def end(host: str = "a", **more: Any) -> EndpointKnown:
    return EndpointKnown(
        **{"host": host, "port": 80, "state": "healthy", "rate_per_s": 10.0, "errors_per_s": 0.0, **more}
    )


@pytest.mark.parametrize(
    ("endpoints", "more", "expected"),
    [
        ((end(),), {}, []),
        ((end(), end("b", state="unhealthy", serves=False)), {}, [("thin", False)]),
        ((end(), end("b", state="draining", serves=False)), {}, []),
        ((end(serves=False, state="unhealthy"),), {}, [("nobody serves", True)]),
        ((end(errors_per_s=0.1),), {}, []),
        ((end(errors_per_s=0.11),), {}, [("failing", True)]),
        ((end(used=0.89, busiest="cpu"),), {}, []),
        ((end(used=0.9, busiest="cpu"),), {}, [("full", False)]),
        ((end(latency_ms=60.0), end("b", latency_ms=20.0)), {}, [("slow", False)]),
        ((end(latency_ms=59.0), end("b", latency_ms=20.0)), {}, []),
        ((end(latency_ms=9.0), end("b", latency_ms=1.0)), {}, []),
        ((end(latency_ms=90.0, rate_per_s=0.0), end("b", latency_ms=1.0)), {}, []),
        ((end(),), {"p99_ms": 1000.0}, [("slow", False)]),
        (
            (end(used=0.95, busiest="cpu"),),
            {"refused": ("Engine e refuses it.",)},
            [("refused", True), ("full", False)],
        ),
        ((end(rate_per_s=None, errors_per_s=None, state="unknown"),), {}, []),
        ((), {}, []),
    ],
)
def test_a_service_is_marked_by_what_it_shows(endpoints: Any, more: Any, expected: Any) -> None:
    """At the bound, not below; the unknown is not marked; what loses requests stands first."""
    found = marks_of_service(ServiceKnown("web", endpoints=endpoints, **more))

    assert [(mark.word, mark.grave) for mark in found] == expected


def test_sentences_have_the_figures() -> None:
    """Who, how much, beside whom."""
    web = ServiceKnown(
        "web",
        endpoints=(
            end("a", latency_ms=90.0, errors_per_s=2.0, used=0.97, busiest="cpu"),
            end("b", latency_ms=30.0, state="ejected", serves=False, used=0.93, busiest="net_out"),
        ),
    )

    assert {
        "failing": "10.0% of web's requests fail.",
        "thin": "1 of 2 endpoints do not serve: b:80 (ejected).",
        "full": "a uses 97% of its cpu, and 1 more host.",
        "slow": "a:80 takes 90 ms, web's others 30 ms.",
    } == {mark.word: mark.sentence for mark in marks_of_service(web)}


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        (EngineKnown("e"), []),
        (EngineKnown("e", connected=False, ready=False), ["away"]),
        (EngineKnown("e", ready=False), ["starting"]),
        (EngineKnown("e", refused="web: in use"), ["refuses"]),
    ],
)
def test_an_engine_is_marked_by_its_state(engine: EngineKnown, words: list[str]) -> None:
    """One that is away is not told off for more."""
    assert [mark.word for mark in marks_of_engine(engine)] == words


def test_the_verdict_is_the_worst() -> None:
    """A grave one before one that only waits; the unknown is not praised."""
    full, failing = end(used=0.95, busiest="cpu"), end(errors_per_s=5.0)
    both = (ServiceKnown("a", endpoints=(full,)), ServiceKnown("b", endpoints=(failing,)))

    assert build(Known(both)).verdict == "50.0% of b's requests fail. 1 more marked below."
    assert build(Known((ServiceKnown("a", endpoints=(end(),)),))).verdict == "Nothing holds it up."
    assert "unknown" in build(Known((ServiceKnown("a", endpoints=(end(),)),), fresh=False)).verdict
