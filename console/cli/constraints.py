"""What a load may ask of where it goes, as words of the command line, and what they are in the API's JSON."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

Pins = Annotated[list[str], typer.Option("--pin", help="A host that may take it; repeat for each.")]
Excludes = Annotated[list[str], typer.Option("--exclude", help="A host that must not; repeat for each.")]
Nears = Annotated[
    list[str],
    typer.Option("--near", help="GROUP[:LEVEL[:WEIGHT]]; LEVEL: a label, or host; a WEIGHT makes it a wish."),
]
Aparts = Annotated[list[str], typer.Option("--apart", help="GROUP[:LEVEL[:WEIGHT]], as --near.")]
Prefers = Annotated[
    list[str],
    typer.Option("--prefer", help="LABEL=VALUE[:WEIGHT] or host=NAME[:WEIGHT]; WEIGHT is 1 unless given."),
]
Spreads = Annotated[
    list[str],
    typer.Option(
        "--spread", help="LEVEL: one of the group in each domain; LEVEL:SKEW: at most SKEW more in one."
    ),
]
Replicas = Annotated[int | None, typer.Option("--replicas", help="Place so many, as far as there is room.")]
Group = Annotated[str, typer.Option("--group", help="What it counts as, for spread, near and apart.")]
Priority = Annotated[int, typer.Option("--priority", help="Who may be proposed to leave for whom.")]
Tenant = Annotated[str, typer.Option("--tenant", help="Whose it is, for the policy tenant_fair.")]
Options = Annotated[
    list[str], typer.Option("--option", help="KEY=VALUE of the policy, for instance weights.cpu=2.")
]


def company(items: list[str], option: str) -> list[dict[str, Any]]:
    """GROUP[:LEVEL[:WEIGHT]]. A group whose name has a colon needs the API."""
    found = []
    for item in items:
        group, _, rest = item.partition(":")
        level, colon, weight = rest.partition(":")
        if not group or (":" in item and not level):
            raise typer.BadParameter(f"{item!r} is not GROUP[:LEVEL[:WEIGHT]]", param_hint=option)
        found.append({"group": group, "level": level or "host"})
        if colon:
            found[-1]["weight"] = _number(weight, float, item, option)
    return found


def preferences(items: list[str], option: str = "--prefer") -> list[dict[str, Any]]:
    """LEVEL=VALUE[:WEIGHT]. Of several colons the last stands before the weight: a label's value may have some."""
    found = []
    for item in items:
        level, equals, rest = item.partition("=")
        value, colon, weight = rest.rpartition(":")
        if not level or not equals:
            raise typer.BadParameter(f"{item!r} is not LEVEL=VALUE[:WEIGHT]", param_hint=option)
        charged = _number(weight, float, item, option) if colon else 1.0
        found.append({"level": level, "value": value if colon else rest, "weight": charged})
    return found


def spreads(items: list[str], option: str = "--spread") -> list[dict[str, Any]]:
    """LEVEL[:SKEW]."""
    found: list[dict[str, Any]] = []
    for item in items:
        level, colon, skew = item.partition(":")
        if not level:
            raise typer.BadParameter(f"{item!r} is not LEVEL[:SKEW]", param_hint=option)
        found.append({"level": level})
        if colon:
            found[-1]["max_skew"] = _number(skew, int, item, option)
    return found


def options(items: list[str], option: str = "--option") -> dict[str, Any]:
    """KEY=VALUE, where a dot in KEY goes one deeper and VALUE is JSON, or else a text."""
    found: dict[str, Any] = {}
    for item in items:
        path, equals, text = item.partition("=")
        *deeper, last = path.split(".")
        if not equals or not last or not all(deeper):
            raise typer.BadParameter(f"{item!r} is not KEY=VALUE", param_hint=option)
        inner = found
        for key in deeper:
            inner = inner.setdefault(key, {})
            if not isinstance(inner, dict):
                raise typer.BadParameter(f"{item!r} goes into what is a value already", param_hint=option)
        inner[last] = _value(text)
    return found


def read_json(text: str) -> Any:
    """A value that can be sent again. Raises ValueError, also for NaN, infinity and half characters."""
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value


def _value(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        return text


def _number(text: str, kind: type[int | float], item: str, option: str) -> float:
    try:
        value = read_json(text)
    except ValueError:
        value = None
    if isinstance(value, bool) or not isinstance(value, int | kind):
        whole = "a whole number" if kind is int else "a number"
        raise typer.BadParameter(f"{item!r} does not end in {whole}", param_hint=option)
    return value
