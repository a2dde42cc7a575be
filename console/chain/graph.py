"""The chain as a graph: from the names by which clients come to the servers at which they end.

Rules:
1. What is drawn is configured; a figure that is not known is None, never nought and never a guess.
2. A pool's requests are known, and which route they came by is not: an edge between services has a figure only where
   the pool has no other way in.
3. The same input gives the same graph: ids are names, order is by column and name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from console.chain.flows import Flow, Flows
from console.chain.inputs import EngineKnown, Known, ServiceKnown
from console.chain.marks import Mark, marks_of_engine, marks_of_service
from console.engines.target.named import services_named

#: Key -> what stands over it. Services of no particular tier stand with the web servers if they listen, behind if not.
COLUMNS: Final[Mapping[str, str]] = {
    "names": "Names",
    "balancers": "Balancers",
    "web": "Web servers",
    "application": "Applications",
    "cache": "Caches",
    "database": "Databases",
}
#: Engines that carry the same services are drawn one by one up to so many, then as one.
MOST_ALONE: Final = 4
MOST_PARTS: Final = 6


class Part(msgspec.Struct, frozen=True):
    """One endpoint within a service."""

    host: str
    port: int
    state: str
    rate_per_s: float | None
    share: float | None
    serves: bool


class Node(msgspec.Struct, frozen=True):
    """kind: name, address, engine or service. names: what it stands for, where it is a group; else its own.

    protocol: of a service. rate_per_s, errors_per_s, p99_ms: None while unknown. parts: a service's first endpoints;
    part_count: of all.
    """

    id: str
    column: str
    kind: str
    label: str
    detail: str = ""
    names: tuple[str, ...] = ()
    protocol: str = ""
    rate_per_s: float | None = None
    errors_per_s: float | None = None
    p99_ms: float | None = None
    parts: tuple[Part, ...] = ()
    part_count: int = 0
    marks: tuple[Mark, ...] = ()


class Edge(msgspec.Struct, frozen=True):
    """kind: listens, serves, route, sni, copy or keys. asked_share: what the settings ask for, where they split.

    flow: what goes along it; None while unknown.
    """

    id: str
    source: str
    target: str
    kind: str
    asked_share: float | None = None
    flow: Flow | None = None


class Column(msgspec.Struct, frozen=True):
    """key, label of COLUMNS. missing: nothing is configured there yet."""

    key: str
    label: str
    missing: bool


class Chain(msgspec.Struct, frozen=True):
    """The graph. verdict: what is worst, in a sentence. left_out: services that are there and not drawn."""

    columns: tuple[Column, ...]
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    verdict: str
    fresh: bool = True
    left_out: int = 0


def build(known: Known) -> Chain:
    """The chain of what is known. O(services x engines + endpoints + routes)."""
    services = sorted(known.services, key=lambda each: each.name)
    flows = Flows(services)
    engines = _engine_nodes(known.engines, services)
    fronts = [each for each in services if each.listen]
    nodes = (
        _name_nodes(fronts, known.certificates) + engines + [_service_node(each, flows) for each in services]
    )
    order = {key: place for place, key in enumerate(COLUMNS)}
    nodes.sort(key=lambda node: (order[node.column], node.label, node.id))
    edges = [
        *_edges_of_names(nodes, engines, fronts),
        *_edges_of_engines(engines, fronts, flows, {each.name for each in known.engines if each.speaks}),
        *_edges_of_services(services, flows),
    ]
    # A name that nothing but an address stands for is no name: the column still asks for one.
    taken = {node.column for node in nodes if node.kind != "address"}
    columns = tuple(Column(key, label, missing=key not in taken) for key, label in COLUMNS.items())
    return Chain(columns, tuple(nodes), tuple(edges), _verdict(nodes, known), known.fresh)


def column_of(service: ServiceKnown) -> str:
    """Where a service stands."""
    if service.tier in COLUMNS:
        return service.tier
    return "web" if service.listen else "application"


def names_of(service: ServiceKnown, certificates: Mapping[str, Sequence[str]]) -> list[str]:
    """The names by which clients find a service: said in its settings, else by the certificates that it shows."""
    settings = service.settings
    said = [*settings.http.hosts, *(host for route in settings.http.routes for host in route.match.hosts)]
    said += [host for each in settings.front.sni for host in each.hosts]
    if not said and settings.front.tls is not None:
        said = [name for each in settings.front.tls.certificates for name in certificates.get(each, ())]
    return sorted(set(said))


def carries(engine: EngineKnown, service: ServiceKnown) -> bool:
    """Whether the service's listener is this engine's."""
    return bool(service.listen) and (not service.settings.engines or engine.name in service.settings.engines)


def _name_nodes(fronts: Iterable[ServiceKnown], certificates: Mapping[str, Sequence[str]]) -> list[Node]:
    """One node a set of names that lead to the same service; its address where it has none."""
    found = []
    for front in fronts:
        names = names_of(front, certificates)
        kind = "name" if names else "address"
        more = f" +{len(names) - 1}" if len(names) > 1 else ""
        label = f"{names[0]}{more}" if names else front.listen
        found.append(
            Node(
                f"name:{front.name}", "names", kind, label, front.listen if names else "no name", tuple(names)
            )
        )
    return found


def _engine_nodes(engines: Iterable[EngineKnown], services: Sequence[ServiceKnown]) -> list[Node]:
    alike: dict[tuple[str, ...], list[EngineKnown]] = {}
    for engine in sorted(engines, key=lambda each: each.name):
        carried = tuple(each.name for each in services if carries(engine, each))
        alike.setdefault(carried, []).append(engine)
    groups: list[list[EngineKnown]] = []
    for members in alike.values():
        groups += [members] if len(members) > MOST_ALONE else [[each] for each in members]
    return [_engine_node(members) for members in groups]


def _engine_node(members: Sequence[EngineKnown]) -> Node:
    first = members[0]
    away = sum(not each.connected for each in members)
    state = "connected" if not away else "not connected" if away == len(members) else f"{away} not connected"
    return Node(
        id=f"engine:{first.name}",
        column="balancers",
        kind="engine",
        label=first.name if len(members) == 1 else f"{len(members)} engines",
        detail=state,
        names=tuple(each.name for each in members),
        rate_per_s=_sum(each.rate_per_s for each in members),
        marks=tuple(mark for each in members for mark in marks_of_engine(each)),
    )


def _service_node(service: ServiceKnown, flows: Flows) -> Node:
    parts = [
        Part(each.host, each.port, each.state, each.rate_per_s, each.share, each.serves)
        for each in service.endpoints[:MOST_PARTS]
    ]
    pool = flows.of_pool(service)
    return Node(
        id=f"service:{service.name}",
        column=column_of(service),
        kind="service",
        label=service.name,
        detail=f"{service.protocol} on {service.listen}" if service.listen else f"{service.protocol} pool",
        names=(service.name,),
        protocol=service.protocol,
        rate_per_s=pool.rate_per_s if pool else None,
        errors_per_s=pool.errors_per_s if pool else None,
        p99_ms=service.p99_ms,
        parts=tuple(parts),
        part_count=len(service.endpoints),
        marks=marks_of_service(service),
    )


def _edges_of_names(
    nodes: Iterable[Node], engines: Iterable[Node], fronts: Iterable[ServiceKnown]
) -> Iterable[Edge]:
    by_name = {front.name: front for front in fronts}
    for node in nodes:
        if node.column == "names":
            front = by_name[node.id.partition(":")[2]]
            for engine in engines:
                if any(carries(EngineKnown(name), front) for name in engine.names):
                    yield Edge(f"{node.id}>{engine.id}", node.id, engine.id, "listens")


def _edges_of_engines(
    engines: Sequence[Node], fronts: Iterable[ServiceKnown], flows: Flows, speaking: Collection[str]
) -> Iterable[Edge]:
    for front in fronts:
        target = f"service:{front.name}"
        heard = {name for name in speaking if carries(EngineKnown(name), front)}
        for engine in engines:
            if any(carries(EngineKnown(name), front) for name in engine.names):
                flow = flows.through(front, engine.names, heard)
                yield Edge(f"{engine.id}>{target}", engine.id, target, "serves", flow=flow)


def _edges_of_services(services: Sequence[ServiceKnown], flows: Flows) -> Iterable[Edge]:
    """One edge a kind between two services, however many routes say so; of a service that is not drawn none."""
    drawn = {each.name for each in services}
    for service in services:
        kinds = {(name, _kind(path)) for path, name in services_named(service.settings).items()}
        for name, kind in sorted(kinds):
            if name == service.name or name not in drawn:
                continue
            source, target = f"service:{service.name}", f"service:{name}"
            flow = flows.between(service.name, name) if kind in ("route", "sni") else None
            share = _asked_share(service, name) if kind == "route" else None
            yield Edge(f"{source}>{target}:{kind}", source, target, kind, share, flow)


def _kind(path: str) -> str:
    """Of a field path of services_named()."""
    if path.startswith("front.sni"):
        return "sni"
    return "copy" if "mirror" in path else "keys" if "jwks" in path else "route"


def _asked_share(service: ServiceKnown, name: str) -> float | None:
    """Of what no route takes; None where it is not split, or several routes lead there with shares of their own."""
    destinations = service.settings.http.destinations
    total = sum(each.weight for each in destinations)
    found = [each.weight for each in destinations if each.service == name]
    return found[0] / total if found and total and len(destinations) > 1 else None


def _verdict(nodes: Sequence[Node], known: Known) -> str:
    if not known.services:
        return "Nothing is configured yet."
    marks = [mark for node in nodes for mark in node.marks]
    worst = next((mark for mark in marks if mark.grave), marks[0] if marks else None)
    if worst is not None:
        more = f" {len(marks) - 1} more marked below." if len(marks) > 1 else ""
        return worst.sentence.rstrip(".") + "." + more
    if not known.fresh:
        return "The controller has not spoken for some seconds: what flows is unknown."
    return "Nothing holds it up."


def _sum(values: Iterable[float | None]) -> float | None:
    known = [each for each in values if each is not None]
    return sum(known) if known else None
