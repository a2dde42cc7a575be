"""`steelyard chain`"""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli.client import api, out, show
from console.cli.options import Json


def chain(
    part: Annotated[
        str, typer.Option("--of", help="Only what this is part of the name of, and its neighbours.")
    ] = "",
    as_json: Json = False,
) -> None:
    """From names to databases: what leads where, what flows, what is narrow."""
    with api() as client:
        answer = client.get("chain/", **({"q": part} if part else {}))
    if as_json:
        show(answer, True)
        return
    leads: dict[str, list[str]] = {}
    labels = {node["id"]: node["label"] for node in answer["nodes"]}
    for edge in answer["edges"]:
        leads.setdefault(edge["source"], []).append(labels[edge["target"]])
    for node in answer["nodes"]:
        node["leads_to"] = leads.get(node["id"])
        node["narrow"] = [mark["sentence"] for mark in node["marks"]] or None
    out.print(answer["verdict"], highlight=False, markup=False)
    show(
        answer["nodes"],
        False,
        "column",
        "label",
        "rate_per_s",
        "errors_per_s",
        "p99_ms",
        "leads_to",
        "narrow",
    )
