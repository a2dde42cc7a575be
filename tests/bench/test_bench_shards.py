"""B4's judge refuses what breaks a rule at any moment, and counts what a plan comes to."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bench.registry import FRONTIER
from bench.shards.clusters import posed, synthetic
from bench.shards.frontier import PEERS
from bench.shards.frontier_picture import PANELS, draw, pairs
from bench.shards.judge import Move, Refused, judge


def cluster() -> dict[str, Any]:
    """Three hosts of a disk each, in racks of their own; a set of two replicas, and one alone."""
    return {
        "disks": [{"disk": f"o{n}", "host": f"h{n}", "rack": f"r{n}", "gib": 100.0, "iops": 1.0} for n in range(3)],
        "hosts": [{"host": f"h{n}", "net": 1.0} for n in range(3)],
        "replica_columns": ["replica", "group", "leader", "apart_by", "gib", "iops", "net", "disk"],
        "replicas": [
            ["a0", "a", 1, "rack", 40.0, 0.1, 0.1, "o0"],
            ["a1", "a", 0, "rack", 40.0, 0.1, 0.1, "o1"],
            ["b0", "b", 1, "rack", 50.0, 0.1, 0.1, "o0"],
        ],
    }  # fmt: skip


def verdict(*moves: Move, per_host: int = 1, drained: str = "") -> Any:
    return judge(cluster(), moves, full=0.95, per_host=per_host, drained=drained)


def test_a_legal_plan_is_counted() -> None:
    """The fullest over the mean, what moved, what is left on a drained host."""
    found = verdict(("b0", "o0", "o2", 0.0, 1.0))

    assert (1, 50.0) == (found.moves, found.moved)
    assert found.peaks["gib"] == pytest.approx(50 / (130 / 3))
    assert verdict(("b0", "o0", "o2", 0.0, 1.0), drained="h0").on_drained == (90.0, 40.0)


@pytest.mark.parametrize(
    ("moves", "why"),
    [
        ([("a0", "o0", "o1", 0.0, 1.0)], "meet another"),
        ([("a0", "o1", "o2", 0.0, 1.0)], "can't go"),
        ([("b0", "o0", "o2", 0.0, 2.0), ("a0", "o0", "o2", 1.0, 3.0)], "more than 1"),
        ([("b0", "o0", "o1", 0.0, 1.0), ("a0", "o0", "o2", 1.0, 2.0), ("b0", "o1", "o2", 2.0, 3.0),
          ("a1", "o1", "o0", 3.0, 4.0), ("a0", "o2", "o1", 4.0, 5.0), ("a1", "o0", "o2", 5.0, 6.0),
          ("a1", "o2", "o1", 6.0, 7.0)], "meet another"),
    ],
)  # fmt: skip
def test_what_breaks_a_rule_is_refused(moves: list[Move], why: str) -> None:
    """Domains, sources and caps, at the moment when they break."""
    with pytest.raises(Refused, match=why):
        verdict(*moves)


def test_a_disk_must_not_be_filled_on_the_way() -> None:
    """Both ends of a move hold its bytes."""
    whole = cluster()
    whole["replicas"].append(["c0", "c", 1, "rack", 50.0, 0.1, 0.1, "o2"])

    with pytest.raises(Refused, match="full"):
        judge(whole, [("b0", "o0", "o2", 0.0, 1.0)], full=0.95, per_host=1)


def test_clusters_made_here_are_legal_and_the_same_again() -> None:
    """No set has two replicas in a rack, and the core takes them."""
    made = synthetic(50, 200, copies=3)

    assert made == synthetic(50, 200, copies=3)
    assert judge(made, [], full=0.95, per_host=1).moves == 0
    assert posed(made).demand.shape == (600, 3)


def test_every_peer_of_the_frontier_has_its_row_and_its_point() -> None:
    """The registry names them all; the picture says ours and theirs in words, each panel by itself."""
    rows = [
        {"id": f"B4.frontier.{name}", "ours": 1.5, "peer_value": peer.moved_pct}
        for name, peer in PEERS.items()
    ]

    assert list(FRONTIER) == list(PEERS)
    for panel in PANELS:
        found = pairs(rows, panel)
        assert len(found) == sum(name.startswith(f"{panel}.") for name in PEERS)
        assert [pair.peer.excess for pair in found] == sorted(
            (pair.peer.excess for pair in found), reverse=True
        )
    root = ET.fromstring(draw(rows) or "")
    spoken = root.get("aria-label") or ""
    assert all(f"{peer.name} {peer.moved_pct:g} %" in spoken for peer in PEERS.values())
    assert draw([{"id": "B4.link_share", "ours": 1.0, "peer_value": None}]) is None


def test_names_of_peers_that_are_as_even_lie_below_each_other() -> None:
    """In the picture of all rows no two names of a panel meet."""
    rows = [
        {"id": f"B4.frontier.{name}", "ours": 1.5, "peer_value": peer.moved_pct}
        for name, peer in PEERS.items()
    ]
    root = ET.fromstring(draw(rows) or "")
    for panel in PANELS:
        names = {pair.peer.name for pair in pairs(rows, panel)}
        places = sorted(float(each.get("y", "nan")) for each in root if each.text in names)
        assert min(below - above for above, below in pairwise(places)) >= 14
