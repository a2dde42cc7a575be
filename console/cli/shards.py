"""`steelyard shard ...`"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from console.cli.client import api, show
from console.cli.options import Json, amounts

app = typer.Typer(no_args_is_help=True, help="Shards: file trees kept on hosts of different failure domains.")


@app.command("create")
def shard_create(
    name: str,
    size: Annotated[str, typer.Option(help="What one replica takes on disk, for instance 2Gi.")],
    source: Annotated[str, typer.Option(help="HOST:PATH in the import folder of that host's agent.")],
    replicas: Annotated[int | None, typer.Option(help="Copies; left out: as the pool says.")] = None,
    spread: Annotated[str | None, typer.Option(help='A label that no two replicas share, or "host".')] = None,
    pool: Annotated[str, typer.Option(help="The storage pool; left out: default.")] = "",
    growth: Annotated[str, typer.Option(help="What it grows by in a day, for instance 1Gi.")] = "",
    read: Annotated[str, typer.Option(help="What is read of it in a second, for instance 10Mi.")] = "",
    write: Annotated[str, typer.Option(help="What is written to it in a second.")] = "",
    memory: Annotated[str, typer.Option(help="What each replica holds in memory.")] = "",
    as_json: Json = False,
) -> None:
    """Place a shard's replicas and copy them there."""
    host, colon, path = source.partition(":")
    if not colon:
        raise typer.BadParameter("HOST:PATH is needed", param_hint="--source")
    shard = {
        "name": name,
        "bytes": round(amounts([f"disk={size}"], "--size")["disk"]),
        "source_host": host,
        "source_path": path,
        "replicas": replicas,
        "spread": spread,
        "pool": pool,
        **_loads(growth, read, write, memory),
    }
    with api() as client:
        answer = client.post("shards/", shard)
    _show_shards([answer], answer, as_json)


@app.command("measure")
def shard_measure(
    name: str,
    size: Annotated[str, typer.Option(help="What it takes now; growth is learned from it.")] = "",
    growth: Annotated[str, typer.Option(help="What it grows by in a day; no longer learned.")] = "",
    read: Annotated[str, typer.Option(help="What is read of it in a second.")] = "",
    write: Annotated[str, typer.Option(help="What is written to it in a second.")] = "",
    memory: Annotated[str, typer.Option(help="What each replica holds in memory.")] = "",
    as_json: Json = False,
) -> None:
    """Say how large a shard is and how it is used; its hosts' promises follow."""
    said: dict[str, Any] = _loads(growth, read, write, memory)
    if size:
        said["bytes"] = round(amounts([f"disk={size}"], "--size")["disk"])
    with api() as client:
        answer = client.patch(f"shards/{name}/", said)
    _show_shards([answer], answer, as_json)


def _loads(growth: str, read: str, write: str, memory: str) -> dict[str, float]:
    said = {}
    for field, option, text in (
        ("growth_bytes_day", "--growth", growth), ("read_bytes_s", "--read", read),
        ("write_bytes_s", "--write", write), ("memory_bytes", "--memory", memory),
    ):  # fmt: skip
        if text:
            said[field] = amounts([f"disk={text}"], option)["disk"]
    return said


@app.command("list")
def shard_list(as_json: Json = False) -> None:
    """The shards and how far their copies are."""
    with api() as client:
        shards = client.get("shards/", limit=1000)["results"]
    _show_shards(shards, shards, as_json)


def _show_shards(shards: list[dict[str, Any]], answer: Any, as_json: bool) -> None:
    rows = (
        answer
        if as_json
        else [
            {**shard, "replicas": [f"{each['host']} {each['state']}" for each in shard["replicas"]]}
            for shard in shards
        ]
    )
    show(rows, as_json, "name", "pool", "bytes", "spread_level", "replicas")


@app.command("verify")
def shard_verify(name: str, as_json: Json = False) -> None:
    """Have every copy read again; what is damaged is made anew from a good one."""
    with api() as client:
        answer = client.post(f"shards/{name}/verify/")
    _show_shards([answer], answer, as_json)


@app.command("remove")
def shard_remove(name: str, as_json: Json = False) -> None:
    """Give up a shard; its hosts delete their copies."""
    with api() as client:
        client.delete(f"shards/{name}/")
    show({"name": name, "state": "removed"}, as_json, "name", "state")
