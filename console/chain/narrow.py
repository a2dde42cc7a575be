"""A part of a chain that is too large to be seen at once."""

from __future__ import annotations

from typing import Final

import msgspec

from console.chain.graph import Chain, Node

#: Services on one picture; a person can't follow the lines of more.
MOST_SERVICES: Final = 40


def narrowed(chain: Chain, text: str = "", most: int = MOST_SERVICES) -> Chain:
    """What text is part of the name of, and its neighbours; without text the services that matter most.

    Marked ones first, then those with the most requests. Nothing is drawn half: an edge has both its ends.
    O(nodes log nodes + edges).
    """
    services = [node for node in chain.nodes if node.kind == "service"]
    chosen = services
    if text:
        found = {node.id for node in chain.nodes if _matches(node, text.lower())}
        # Between a name and its service stands an engine, which is everybody's neighbour.
        found |= {f"service:{each.partition(':')[2]}" for each in found if each.startswith("name:")}
        near = found | {end for edge in chain.edges if {edge.source, edge.target} & found
                        for end in (edge.source, edge.target)}  # fmt: skip
        chosen = [node for node in services if node.id in near]
    ranked = sorted(chosen, key=lambda node: (not node.marks, -(node.rate_per_s or 0.0), node.label))[:most]
    if not text and len(ranked) == len(services):
        return chain
    kept = {node.id for node in ranked}
    kept |= {f"name:{node.label}" for node in ranked}
    kept |= {node.id for node in chain.nodes if node.kind == "engine"}
    return msgspec.structs.replace(
        chain,
        nodes=tuple(node for node in chain.nodes if node.id in kept),
        edges=tuple(edge for edge in chain.edges if edge.source in kept and edge.target in kept),
        left_out=chain.left_out + len(services) - len(ranked),
    )


def _matches(node: Node, text: str) -> bool:
    return text in node.label.lower() or any(text in name.lower() for name in node.names)
