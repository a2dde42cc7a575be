"""One state of an endpoint from all who know something of it, with their reasons."""

from __future__ import annotations

import pytest

from console.traffic.health import DrainWord, EngineWord, HostWord, health_of

HEARD = HostWord("web-1", 1.0)
LOST = HostWord("web-1", 90.0, silent=True, lost=True)
WELL = EngineWord("healthy")
FAILING = EngineWord("unhealthy", ("failed_active_health_check",))
NEW = EngineWord("unhealthy", ("failed_active_health_check", "pending_active_hc"))
EJECTED = EngineWord("ejected", ("failed_outlier_check",))
BOTH = EngineWord("ejected", ("failed_active_health_check", "failed_outlier_check"))


@pytest.mark.parametrize(
    ("words", "host", "state", "said"),
    [
        ([WELL], HEARD, "healthy", []),
        ([], HEARD, "unknown", ["No engine"]),
        ([FAILING], HEARD, "unhealthy", ["its check"]),
        ([NEW], HEARD, "unhealthy", ["first check"]),
        ([EJECTED], HEARD, "ejected", ["its requests"]),
        ([BOTH], HEARD, "ejected", ["its check", "its requests"]),
        ([EngineWord("unhealthy")], HEARD, "unhealthy", ["declared"]),
        ([WELL], LOST, "unwatched", ["agent of web-1 is lost: it was last heard of 90 s ago"]),
        ([WELL], HostWord("web-1", None, silent=True), "unwatched", ["is silent: it was never heard of"]),
        ([FAILING], LOST, "unhealthy", ["its check", "is lost"]),
    ],
)
def test_engines_and_agents_words_join(
    words: list[EngineWord], host: HostWord, state: str, said: list[str]
) -> None:
    """What engines found out comes before what the agent says, and nobody's word is left out."""
    found = health_of(words, host)

    assert state == found.state
    assert len(found.reasons) == len(said)
    assert all(part in reason for part, reason in zip(said, found.reasons, strict=True))


@pytest.mark.parametrize(
    ("drain", "state", "said"),
    [
        (DrainWord(by_host=False), "draining", "an operator drains it; requests under way end."),
        (DrainWord(True, 30.0, 270.0), "draining", "its host is draining for 30 s; requests under way end"),
        (DrainWord(False, 400.0), "draining", "an operator drains it for 7 min; requests under way end."),
        (DrainWord(False, 300.0, 0.0), "closed", "longer than it may take"),
    ],
)  # fmt: skip
def test_a_drain_goes_before_what_engines_say(drain: DrainWord, state: str, said: str) -> None:
    """Nobody is told that a draining endpoint is unhealthy; what else is wrong with it is said after."""
    for word in (EngineWord("draining"), EngineWord("unhealthy"), FAILING, WELL):
        found = health_of([word], HEARD, drain)

        assert state == found.state
        assert said in found.reasons[0]
    assert "its check" in health_of([FAILING], LOST, drain).reasons[1]


def test_engines_that_disagree_are_counted_and_named() -> None:
    """Where one of three does not reach it, it is partly in use, and it is said whose."""
    words = [
        EngineWord("healthy", engine="edge-1"),
        EngineWord("unhealthy", ("failed_active_health_check",), "edge-2"),
        EngineWord("healthy", engine="edge-3"),
    ]

    found = health_of(words, HEARD)
    everyone = health_of([EngineWord("ejected", (), f"edge-{number}") for number in range(2)], HEARD)

    assert found.state == "partly"
    assert "(1 of 3 engines: edge-2)" in found.reasons[0]
    assert everyone.state == "ejected"
    assert "(all 2 engines)" in everyone.reasons[0]
