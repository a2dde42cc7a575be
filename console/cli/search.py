"""`steelyard search`"""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli.client import api, out, show
from console.cli.options import Json


def search(
    words: Annotated[
        list[str], typer.Argument(help="A name, an address, a label, an identity; all must be there.")
    ],
    kind: Annotated[
        str, typer.Option(help="Only of this kind: host, service, job, decision, action, ...")
    ] = "",
    limit: Annotated[int, typer.Option(help="At most so many, up to 100.")] = 24,
    as_json: Json = False,
) -> None:
    """Everything that has a name, and what can be done with it, nearest first."""
    with api() as client:
        answer = client.get("search/", q=" ".join(words), kind=kind or None, limit=limit)
    if as_json:
        show(answer, True)
        return
    if not answer["results"]:
        out.print(f"Nothing is like {' '.join(words)!r}.", markup=False, highlight=False)
        raise typer.Exit(1)
    rows = [
        {**each, "detail": f"not possible: {each['why_not']}" if each["why_not"] else each["detail"]}
        for each in answer["results"]
    ]
    show(rows, False, "kind", "title", "detail", "path")
