"""Options that several commands share, and what their values mean."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Annotated

import typer

from balancer_core.errors import InvalidInput
from balancer_core.resources import STANDARD, parse_amount

Json = Annotated[bool, typer.Option("--json", help="Print the API's answer.")]
Why = Annotated[str, typer.Option("--reason", help="For the audit trail.")]
Demand = Annotated[
    list[str], typer.Option("--demand", "-d", help="RESOURCE=AMOUNT, for instance cpu=0.5 or memory=2Gi.")
]
Labels = Annotated[list[str], typer.Option("--label", "-l", help="KEY=VALUE that the host must carry.")]
Policy = Annotated[str, typer.Option("--policy", help="How to choose; left out: the default.")]

_UNITS = {resource.name: resource.unit for resource in STANDARD}


def pairs(items: list[str], option: str) -> dict[str, str]:
    """KEY=VALUE options as a mapping; anything else ends the command naming the option."""
    found = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"{item!r} is not KEY=VALUE", param_hint=option)
        found[key] = value
    return found


def read_text(path: Path, option: str) -> str:
    """A file's text; what can't be read ends the command with a sentence that names the option."""
    try:
        return path.read_text()
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{path} holds no text", param_hint=option) from None
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}", param_hint=option) from None


def known_id(text: str, kind: str) -> str:
    """The id of a thing of that kind; what can be none ends the command before anything is asked."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no {kind}'s id, for instance {uuid.UUID(int=0)}", param_hint=kind.upper()
        ) from None


def amounts(items: list[str], option: str = "--demand") -> dict[str, float]:
    """RESOURCE=AMOUNT options in base units."""
    found = {}
    for resource, text in pairs(items, option).items():
        try:
            found[resource] = parse_amount(text, _UNITS.get(resource, ""), resource)
        except InvalidInput as error:
            raise typer.BadParameter(str(error), param_hint=option) from None
    return found
