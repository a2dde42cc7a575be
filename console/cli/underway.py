"""`steelyard underway`"""

from __future__ import annotations

from console.cli.client import api, out, show
from console.cli.options import Json


def underway(as_json: Json = False) -> None:
    """What runs now in the whole cluster, and what somebody should know of."""
    with api() as client:
        tasks = client.get("underway/")
    if as_json:
        show(tasks, True)
        return
    if not tasks:
        out.print("Nothing is under way.")
        return
    for task in tasks:
        task["how far"] = f"{task['done']}/{task['total']}" if task["total"] else "-"
    show(tasks, False, "title", "how far", "detail", "since")
