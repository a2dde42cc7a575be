"""Rollouts by themselves: who gets what when. Times, answers and figures are arguments."""

from __future__ import annotations

from console.engines.envoy.catalogue import Catalogue, Key
from console.engines.envoy.render import CLUSTER, ENDPOINTS, LISTENER, render
from console.engines.envoy.rollout import ANSWER_S, RETRY_S, WATCH_S, Counts, Rollout, Told
from console.engines.target import EndpointTarget, ServiceTarget, TrafficTarget

WEB: Key = (LISTENER, "web")


def catalogue(port: int = 80, weight: int = 1, name: str = "web") -> Catalogue:
    web = ServiceTarget(name, "http", "127.0.0.1", port, (EndpointTarget("h", "10.0.0.1", 80, weight),))
    return Catalogue.of(1, render(TrafficTarget((web,))))


class Nodes:
    """A rollout, with nodes that take all they are given unless told otherwise."""

    def __init__(self, *names: str) -> None:
        self.rollout = Rollout()
        self.now = 100.0
        self.names = names
        self.figures: dict[str, Counts] = {}
        self.deaf: set[str] = set()

    def want(self, wanted: Catalogue) -> None:
        self.rollout.want(dict.fromkeys(self.names, wanted), self.now)
        self.rollout.begin(self.now)

    def tick(self, seconds: float = 0.0) -> list[Told]:
        self.now += seconds
        return self.rollout.tick(
            self.now, lambda node: node not in self.deaf, lambda node: self.figures.get(node, {})
        )

    def has(self, key: Key = WEB) -> list[str | None]:
        """The version of a resource that each node shall have now."""
        found = []
        for name in self.names:
            offered = self.rollout.catalogue(name)
            assert offered is not None
            found.append(offered.version(key))
        return found

    def roll_out(self, wanted: Catalogue) -> None:
        self.want(wanted)
        self.has()
        self.tick()
        self.tick(WATCH_S)
        assert self.has() == [wanted.version(WEB)] * len(self.names)


def test_one_node_first_and_the_others_after_it_was_watched() -> None:
    """A changed listener is at the canary alone until WATCH_S went by."""
    nodes = Nodes("a", "b", "c")
    old, new = catalogue(), catalogue(port=81)
    nodes.roll_out(old)

    nodes.want(new)
    first = nodes.has()
    nodes.tick()
    nodes.tick(WATCH_S / 2)
    still = nodes.has()
    told = nodes.tick(WATCH_S / 2)

    assert first == still == [new.version(WEB), old.version(WEB), old.version(WEB)]
    assert [(each.kind, each.node) for each in told] == [("passed", "a")]
    assert nodes.has() == [new.version(WEB)] * 3


def test_weights_go_straight_to_all() -> None:
    """Endpoints are on nobody's trial."""
    nodes = Nodes("a", "b")
    nodes.roll_out(catalogue())
    heavier = catalogue(weight=7)

    nodes.want(heavier)

    assert nodes.has((ENDPOINTS, "web")) == [heavier.version((ENDPOINTS, "web"))] * 2
    assert nodes.rollout.canary is None


def test_a_refused_resource_goes_back_and_is_kept_from_the_others() -> None:
    """The canary's NACK is told once, the last good version stays, and it is tried again after RETRY_S."""
    nodes = Nodes("a", "b")
    old, new = catalogue(), catalogue(port=81)
    nodes.roll_out(old)
    nodes.want(new)

    told = nodes.rollout.refused("a", WEB, new.version(WEB), "address in use", nodes.now)
    back = nodes.has()
    nodes.tick()
    nodes.tick(WATCH_S)
    quiet = nodes.rollout.canary
    nodes.tick(RETRY_S)
    again = nodes.has()
    repeated = nodes.rollout.refused("a", WEB, new.version(WEB), "address in use", nodes.now)

    assert told == Told("refused", "a", (WEB,), "address in use")
    assert back == [old.version(WEB)] * 2
    assert quiet is None
    assert again == [new.version(WEB), old.version(WEB)]
    assert repeated is None


def test_errors_that_rise_take_the_change_back() -> None:
    """What the canary's clients got is compared with before; the others never had it; nobody tries it again."""
    nodes = Nodes("a", "b")
    old, new = catalogue(), catalogue(port=81)
    nodes.roll_out(old)
    for requests in (1000, 1100):
        nodes.figures["a"] = {"web": (requests, 3)}
        nodes.tick(1.0)
    nodes.want(new)
    nodes.has()
    nodes.tick(1.0)
    nodes.figures["a"] = {"web": (1300, 103)}

    told = nodes.tick(1.0)
    nodes.tick(10 * RETRY_S)

    assert [(each.kind, each.node) for each in told] == [("errors-rose", "a")]
    assert "100 of 200 requests failed after the change" in told[0].text
    assert nodes.has() == [old.version(WEB)] * 2


def test_errors_that_were_there_before_take_nothing_back() -> None:
    """A service that fails as much as it did is not worse for the change; nor is another service's trouble."""
    nodes = Nodes("a", "b")
    nodes.roll_out(catalogue())
    for requests in (1000, 1100):
        nodes.figures["a"] = {"web": (requests, requests // 4), "other": (1000, 0)}
        nodes.tick(1.0)
    new = catalogue(port=81)
    nodes.want(new)
    nodes.tick()
    nodes.figures["a"] = {"web": (1300, 330), "other": (2000, 900)}

    told = nodes.tick(WATCH_S)

    assert [each.kind for each in told] == ["passed"]
    assert nodes.has() == [new.version(WEB)] * 2


def test_a_new_service_that_fails_is_not_taken_away() -> None:
    """It has no before; without its listener nobody would be better off, and its servers may come."""
    nodes = Nodes("a")
    nodes.roll_out(catalogue())
    new = catalogue(port=81, name="new")
    nodes.want(new)
    nodes.tick()
    nodes.figures["a"] = {"new": (50, 50)}

    told = nodes.tick(WATCH_S)

    assert [each.kind for each in told] == ["passed"]


def test_a_canary_that_does_not_answer_is_relieved() -> None:
    """Another node tries, and the one that hangs holds nothing up."""
    nodes = Nodes("a", "b")
    nodes.roll_out(catalogue())
    nodes.deaf.add("a")
    nodes.want(catalogue(port=81))

    nodes.tick()
    nodes.tick(ANSWER_S + 1)
    nodes.tick()

    assert nodes.rollout.canary == "b"


def test_a_canary_that_leaves_takes_the_trial_with_it() -> None:
    """The rest goes on with another."""
    nodes = Nodes("a", "b")
    nodes.roll_out(catalogue())
    new = catalogue(port=81)
    nodes.want(new)
    nodes.names = ("b",)

    nodes.want(new)
    nodes.tick()
    nodes.tick()

    assert nodes.rollout.canary == "b"


def test_with_one_node_newer_configuration_does_not_wait() -> None:
    """There is nobody to protect, and somebody waits for the change."""
    nodes = Nodes("only")
    newest = catalogue(port=83)
    for wanted in (catalogue(), catalogue(port=81), newest):
        nodes.want(wanted)

    assert nodes.has() == [newest.version(WEB)]


def test_with_several_nodes_newer_configuration_waits_for_the_trial() -> None:
    """Else a canary would be watched for ever while changes keep coming."""
    nodes = Nodes("a", "b")
    old, new, newest = catalogue(), catalogue(port=81), catalogue(port=82)
    nodes.roll_out(old)
    nodes.want(new)
    nodes.want(newest)
    first = nodes.has()
    nodes.tick()
    nodes.tick(WATCH_S)

    assert first == [new.version(WEB), old.version(WEB)]
    assert nodes.has() == [newest.version(WEB), old.version(WEB)]


def test_what_nodes_run_when_they_connect_is_proven() -> None:
    """A new leader tries nothing out that is in force already."""
    nodes = Nodes("a", "b")
    wanted = catalogue()
    for name in nodes.names:
        nodes.rollout.meet(name, wanted, wanted.versions)

    nodes.want(wanted)

    assert nodes.rollout.canary is None
    assert nodes.has() == [wanted.version(WEB)] * 2


def test_a_node_keeps_what_nobody_here_knows_while_something_is_tried() -> None:
    """A new leader has not the bytes of the old version: it leaves that resource alone, and removes nothing."""
    nodes = Nodes("a", "b")
    wanted = catalogue(port=81)

    nodes.want(wanted)
    other = nodes.rollout.catalogue("b")

    assert nodes.rollout.canary == "a"
    assert other is not None
    assert {WEB, (CLUSTER, "web")} <= other.left
    assert other.version(WEB) is None


def test_a_removed_service_leaves_the_canary_first() -> None:
    """Removals are changes too; where the cluster stays, its endpoints do."""
    nodes = Nodes("a", "b")
    old = catalogue()
    nodes.roll_out(old)
    nodes.want(Catalogue.of(2, render(TrafficTarget())))

    first = nodes.has()
    endpoints = nodes.has((ENDPOINTS, "web"))
    nodes.tick()
    nodes.tick(WATCH_S)

    assert first == [None, old.version(WEB)]
    assert endpoints == [None, old.version((ENDPOINTS, "web"))]
    assert nodes.has() == [None, None]
