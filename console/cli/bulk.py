"""`steelyard bulk ...`"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from console.cli.client import api, err, show
from console.cli.options import Json, Why

app = typer.Typer(no_args_is_help=True, help="One action on many things.")


@app.command("run")
def bulk_run(
    action: Annotated[str, typer.Argument(help="For instance host.drain, job.cancel, placement.release.")],
    items: Annotated[
        list[str], typer.Argument(help="Names of hosts, identities, SERVICE/HOST:PORT of endpoints.")
    ],
    apply: Annotated[bool, typer.Option("--apply", help="Do it; else only say what would happen.")] = False,
    reason: Why = "",
    as_json: Json = False,
) -> None:
    """Say what an action would do to each, or do it."""
    with api() as client:
        answer = client.post(
            "bulk/", {"action": action, "items": items, "dry_run": not apply, "reason": reason}
        )
    _show(answer, as_json)


@app.command("undo")
def bulk_undo(act: str, as_json: Json = False) -> None:
    """Bring back what an act did, where nobody has changed it since."""
    with api() as client:
        answer = client.post(f"bulk/{act}/undo/")
    _show(answer, as_json)


def _show(answer: Any, as_json: bool) -> None:
    if not as_json:
        for warning in answer["warnings"]:
            err.print(warning, style="yellow", markup=False, highlight=False)
        if answer["id"]:
            err.print(f"act {answer['id']}", highlight=False)
    show(answer if as_json else answer["results"], as_json, "item", "done", "before", "after", "reason")
