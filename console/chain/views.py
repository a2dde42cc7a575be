"""The chain as a picture, and beside it as a list."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache

from console.chain.drawing import BAR_WIDTH, LINE, PADDING, ROW, Card, draw, thickness
from console.chain.graph import COLUMNS, Chain, Edge, Node
from console.chain.invitations import Invitation, invitations
from console.chain.narrow import narrowed
from console.chain.reading import reader
from console.pages.frame import page
from console.pages.lists import text_of
from console.pages.shown import figure, percent

MOST_NAMES = 20
LONGEST_LABEL = 20
LONGEST_DETAIL = 23
LONGEST_PART = 14
_WORDS = {"listens": "is found at", "serves": "serves", "route": "routes to", "sni": "hands on to",
          "copy": "copies to", "keys": "asks for keys"}  # fmt: skip


@page()
def chain(request: HttpRequest) -> HttpResponse:
    """The whole of it, or what ?q= is part of with its neighbours."""
    text = text_of(request, "q")
    shown = narrowed(reader.now(), text)
    asked = invitations(request, shown) if not text else {}
    picture = draw(shown)
    by_id = {node.id: node for node in shown.nodes}
    context = {
        "chain": shown,
        "text": text,
        "empty": bool(text) and not any(node.kind == "service" for node in shown.nodes),
        "picture": picture,
        "cards": [_card(each, asked.get(each.column)) for each in picture.cards if each.node or each.column in asked],
        "lines": [{"line": each, "shows": edge_shown(each.edge), "says": _edge_says(each.edge, by_id)}
                  for each in picture.lines],
        "rows": [_row(node, shown, by_id) for node in shown.nodes],
        "invitations": [(COLUMNS[key], each) for key, each in asked.items()],
        "structure": structure(shown),
    }  # fmt: skip
    return render(request, "chain/chain.html", context)


@page()
@never_cache
def chain_live(request: HttpRequest) -> JsonResponse:
    """The open page's figures, as it shows them. Built once a second for all who look (reading.KEPT_S)."""
    shown = narrowed(reader.now(), text_of(request, "q"))
    return JsonResponse(
        {
            "structure": structure(shown),
            "fresh": shown.fresh,
            "verdict": shown.verdict,
            "nodes": {node.id: node_shown(node) for node in shown.nodes},
            "edges": {edge.id: edge_shown(edge) for edge in shown.edges},
        }
    )


def structure(shown: Chain) -> str:
    """Equal for two chains that differ in figures alone."""
    parts = [f"{node.id} {node.label} {[(each.host, each.port) for each in node.parts]} {node.part_count}"
             for node in shown.nodes]  # fmt: skip
    text = "\n".join([*parts, *(edge.id for edge in shown.edges)])
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def node_shown(node: Node) -> dict[str, Any]:
    """A node's figures as text. mark: the worst; more: how many there are beside it."""
    mark = node.marks[0] if node.marks else None
    return {
        "detail": _shortened(node.detail, LONGEST_DETAIL),
        "rate": figure(node.rate_per_s),
        "errors": figure(node.errors_per_s),
        "p99": figure(node.p99_ms),
        "word": _marked(node),
        "sentence": " ".join(each.sentence for each in node.marks),
        "grave": bool(mark and mark.grave),
        "parts": [
            {"state": each.state, "serves": each.serves, "rate": figure(each.rate_per_s),
             "bar": round((each.share or 0.0) * BAR_WIDTH, 1)}
            for each in node.parts
        ],
    }  # fmt: skip


def _marked(node: Node) -> str:
    """The worst mark as a shape and a word, and how many more there are."""
    if not node.marks:
        return ""
    more = f" +{len(node.marks) - 1}" if len(node.marks) > 1 else ""
    return f"{'✕' if node.marks[0].grave else '▲'} {node.marks[0].word}{more}"


def edge_shown(edge: Edge) -> dict[str, Any]:
    """An edge's figures. text: its rate; asked: the share that the settings ask for, where they split."""
    rate = edge.flow.rate_per_s if edge.flow else None
    return {
        "text": f"{figure(rate)}/s" if rate is not None else "",
        "asked": percent(edge.asked_share) if edge.asked_share is not None else "",
        "width": thickness(rate),
        "flows": bool(rate),
        "fails": bool(edge.flow and rate and edge.flow.errors_per_s / rate > 0.01),
    }


@dataclass(frozen=True, slots=True)
class CardShown:
    """A card with its places, for the template: Django's templates do not add."""

    card: Card
    title: str
    label: str
    url: str
    shows: dict[str, Any]
    rows: list[dict[str, Any]]
    invitation: Invitation | None
    baselines: tuple[float, ...]


def _card(card: Card, invitation: Invitation | None) -> CardShown:
    baselines = tuple(PADDING + LINE * (n + 0.75) for n in range(4))
    node = card.node
    if node is None:
        assert invitation is not None  # noqa: S101 (the caller left out the others)
        url = "" if invitation.why_not else invitation.url
        return CardShown(card, invitation.says, invitation.says, url, {}, [], invitation, baselines)
    shows = node_shown(node)
    rows = [
        {"host": _shortened(f"{part.host}:{part.port}", LONGEST_PART), "text_y": top + 14, "bar_y": top + 18,
         "shows": said}
        for part, said, top in zip(
            node.parts, shows["parts"], (PADDING + 4 * LINE + n * ROW for n in range(len(node.parts))), strict=True
        )
    ]  # fmt: skip
    if node.part_count > len(node.parts):
        top = PADDING + 4 * LINE + len(node.parts) * ROW
        rows.append({"host": f"{node.part_count - len(node.parts)} more", "text_y": top + 14, "shows": None})
    return CardShown(card, node.label, _shortened(node.label), _url(node), shows, rows, None, baselines)


def _row(node: Node, shown: Chain, by_id: dict[str, Node]) -> dict[str, Any]:
    edges = [edge for edge in shown.edges if edge.source == node.id]
    leads = [{"says": _WORDS[edge.kind], "label": by_id[edge.target].label, "url": _url(by_id[edge.target]),
              "shows": edge_shown(edge), "id": edge.id} for edge in edges]  # fmt: skip
    names = node.names[:MOST_NAMES]
    return {"node": node, "column": COLUMNS[node.column], "url": _url(node), "shows": node_shown(node), "leads": leads,
            "names": names if len(node.names) > 1 else (), "more": len(node.names) - len(names)}  # fmt: skip


def _url(node: Node) -> str:
    name = node.id.partition(":")[2]
    return reverse("engines") if node.kind == "engine" else reverse("service", args=[name])


def _edge_says(edge: Edge, by_id: dict[str, Node]) -> str:
    return f"{by_id[edge.source].label} {_WORDS[edge.kind]} {by_id[edge.target].label}"


def _shortened(text: str, most: int = LONGEST_LABEL) -> str:
    """The beginning and the end, which differ where names are long."""
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-(most - most // 2 - 1) :]}"
