"""The chain as a graph: what is drawn is configured, and what is not known is not guessed."""

from __future__ import annotations

import random
from typing import Any

import pytest

from console.chain.graph import COLUMNS, MOST_ALONE, MOST_PARTS, Chain, Edge, build
from console.chain.inputs import EndpointKnown, EngineKnown, Known, ServiceKnown
from console.chain.narrow import narrowed
from console.engines.target.settings import settings_of

EDGE = EngineKnown("edge")


def service(name: str, rate: float | None = None, **more: Any) -> ServiceKnown:
    """One endpoint with a rate; document: its settings."""
    document = more.pop("document", {})
    endpoints = more.pop(
        "endpoints", (EndpointKnown(f"{name}-1", 80, "healthy", rate_per_s=rate, errors_per_s=0.0),)
    )
    return ServiceKnown(name, endpoints=endpoints, settings=settings_of(document), **more)


def edges(chain: Chain) -> dict[str, Edge]:
    return {each.id: each for each in chain.edges}


def columns(chain: Chain) -> dict[str, list[str]]:
    return {key: [node.label for node in chain.nodes if node.column == key] for key in COLUMNS}


def split(*shares: tuple[str, int]) -> dict[str, Any]:
    return {"http": {"destinations": [{"service": name, "weight": weight} for name, weight in shares]}}


def test_each_thing_stands_in_its_column() -> None:
    """Names to databases; what has no tier stands with the web servers if it listens, behind them if not."""
    chain = build(
        Known(
            (
                service(
                    "shop",
                    listen="127.0.0.1:80",
                    document={"http": {"hosts": ["shop.test", "www.shop.test"]}},
                ),
                service("blue"),
                service("red", tier="web"),
                service("redis", tier="cache", protocol="tcp", listen="127.0.0.1:6379"),
                service("pg", tier="database", protocol="tcp", listen="127.0.0.1:5432"),
            ),
            (EDGE,),
        )
    )

    assert columns(chain) == {
        "names": ["127.0.0.1:5432", "127.0.0.1:6379", "shop.test +1"],
        "balancers": ["edge"],
        "web": ["red", "shop"],
        "application": ["blue"],
        "cache": ["redis"],
        "database": ["pg"],
    }
    assert not any(each.missing for each in chain.columns)


def test_what_is_not_configured_is_missing() -> None:
    """An address that nobody gave a name is no name."""
    chain = build(Known((service("shop", listen="127.0.0.1:80"),)))

    assert ["names", "balancers", "application", "cache", "database"] == [
        each.key for each in chain.columns if each.missing
    ]
    assert build(Known()).verdict == "Nothing is configured yet."


def test_names_come_from_settings_and_else_from_certificates() -> None:
    """Hosts, routes' hosts and SNI; a certificate's names only where the settings say none."""
    tls = {"tls": {"certificates": ["c"]}}
    document = {"http": {"hosts": ["a.test"], "routes": [{"match": {"hosts": ["a.test"]}}]}, "front": tls}
    sni = {"front": {"sni": [{"hosts": ["*.b.test"], "service": "lines"}]}}
    chain = build(
        Known(
            (
                service("said", listen="127.0.0.1:1", document=document),
                service("shown", listen="127.0.0.1:2", document={"front": tls}),
                service("handed", listen="127.0.0.1:3", protocol="tcp", document=sni),
                service("lines", protocol="tcp"),
            ),
            certificates={"c": ("c.test",)},
        )
    )

    assert {"name:said": ("a.test",), "name:shown": ("c.test",), "name:handed": ("*.b.test",)} == {
        node.id: node.names for node in chain.nodes if node.kind == "name"
    }


def test_figures_go_along_the_ways_that_are_alone() -> None:
    """A pool with one way in gives that way its figures; a front's are its pools' together."""
    shop = service("shop", 40.0, listen="127.0.0.1:80", document=split(("shop", 9), ("canary", 1)))
    found = edges(build(Known((shop, service("canary", 10.0)), (EDGE,))))

    route = found["service:shop>service:canary:route"]
    assert (0.1, 10.0) == (route.asked_share, route.flow.rate_per_s if route.flow else None)
    flow = found["engine:edge>service:shop"].flow
    assert flow is not None
    assert (50.0, 1.0) == (flow.rate_per_s, flow.share)


def test_a_pool_with_two_ways_in_says_of_neither_how_much() -> None:
    """Nor of the fronts that lead there; the pool's own figure stays."""
    fronts = [service(name, listen=f"127.0.0.1:{n}", endpoints=(), document=split(("pool", 1)))
              for n, name in enumerate(("one", "two"), start=1)]  # fmt: skip
    chain = build(Known((*fronts, service("pool", 10.0)), (EDGE,)))

    assert {None} == {each.flow for each in chain.edges}
    assert [10.0] == [node.rate_per_s for node in chain.nodes if node.label == "pool"]


def test_copies_and_keys_are_no_flow() -> None:
    """A mirror doubles requests: they do not come from the front's clients."""
    document = {
        "http": {
            "mirror": {"service": "shadow", "percent": 10},
            "token_providers": [{"name": "p", "issuer": "i", "jwks": {"service": "keys"}}],
        }
    }
    web = service("web", 5.0, listen="127.0.0.1:80", document=document)
    found = edges(build(Known((web, service("shadow", 1.0), service("keys", 1.0)), (EDGE,))))

    assert found["service:web>service:shadow:copy"].flow is None
    assert found["service:web>service:keys:keys"].flow is None
    assert found["engine:edge>service:web"].flow == found["engine:edge>service:web"].flow
    assert found["engine:edge>service:web"].flow.rate_per_s == 5.0  # type: ignore[union-attr]


def test_each_engine_has_its_part() -> None:
    """As it says itself; where only one speaks, or none, no figure is made up for the other."""

    def flows(engines: tuple[EngineKnown, ...], by_engine: dict[str, float]) -> list[float | None]:
        endpoint = EndpointKnown("h", 80, rate_per_s=30.0, errors_per_s=3.0, by_engine=by_engine)
        chain = build(Known((service("web", listen="127.0.0.1:80", endpoints=(endpoint,)),), engines))
        return [each.flow and each.flow.rate_per_s for each in chain.edges if each.kind == "serves"]

    a, b, silent = EngineKnown("a"), EngineKnown("b"), EngineKnown("b", speaks=False)
    assert [10.0, 20.0] == flows((a, b), {"a": 10.0, "b": 20.0})
    assert [30.0, None] == flows((a, silent), {})
    assert [None, None] == flows((a, b), {})


def test_engines_that_carry_the_same_are_one_when_they_are_many() -> None:
    """Each by itself up to some; their services decide who is alike."""
    limited = service("only", 1.0, listen="127.0.0.1:81", document={"engines": ["e0"]})
    web = service("web", 1.0, listen="127.0.0.1:80")
    many = tuple(EngineKnown(f"e{n}", connected=n != 3) for n in range(MOST_ALONE + 2))
    chain = build(Known((web, limited), many))

    assert [f"{MOST_ALONE + 1} engines", "e0"] == columns(chain)["balancers"]
    assert ["1 not connected"] == [node.detail for node in chain.nodes if node.label.endswith("engines")]
    assert ["engine:e0>service:only"] == [each.id for each in chain.edges if each.target == "service:only"]


def test_a_large_pool_shows_its_first_endpoints_and_counts_all() -> None:
    """The list has no more of them either; their service's page has all."""
    endpoints = tuple(EndpointKnown(f"h{n}", 80, "healthy") for n in range(100))
    node = build(Known((service("web", endpoints=endpoints),))).nodes[0]

    assert (MOST_PARTS, 100) == (len(node.parts), node.part_count)


def test_the_graph_is_the_same_in_any_order() -> None:
    """Of services and of engines."""
    services = [service(f"s{n}", float(n), listen=f"127.0.0.1:{n}") for n in range(1, 9)]
    engines = [EngineKnown(f"e{n}") for n in range(3)]
    first = build(Known(tuple(services), tuple(engines)))
    random.Random(4).shuffle(services)

    assert build(Known(tuple(services), tuple(reversed(engines)))) == first


@pytest.mark.parametrize("text", ["s3", "S3", "s3.test", ""])
def test_a_part_of_a_large_chain_has_whole_edges(text: str) -> None:
    """What is asked for with its neighbours, else what matters most; what is left out is counted."""
    services = [service(f"s{n}", float(n), listen=f"127.0.0.1:{n}", document={"http": {"hosts": [f"s{n}.test"]}})
                for n in range(1, 10)]  # fmt: skip
    part = narrowed(build(Known(tuple(services), (EDGE,))), text, most=2)
    ids = {node.id for node in part.nodes}

    shown = sorted(node.label for node in part.nodes if node.kind == "service")
    assert (["s3"] if text else ["s8", "s9"]) == shown
    assert part.left_out == 9 - len(shown)
    assert {end for each in part.edges for end in (each.source, each.target)} == ids
