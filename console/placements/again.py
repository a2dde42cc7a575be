"""The request that led to a kept decision, as JSON, as curl and as a command, to be copied and asked again.

A decision keeps what was asked beside the demand, but of long lists only the first names (asked.MOST_NAMED). Such a
request can't be made again from it, and the page says so instead of showing one that asks for something else.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.placements.models import Decision
from console.policies.models import flat

_LISTS = ("pin_hosts", "exclude_hosts")


@dataclass(frozen=True)
class Again:
    """why_not: why the request can't be made again; then the others are "". notes: what is different of it.
    no_command: why the command line has no words for it; then command is ""."""

    body: str = ""
    curl: str = ""
    command: str = ""
    no_command: str = ""
    why_not: str = ""
    notes: tuple[str, ...] = ()


def again(decision: Decision, url: str) -> Again:
    """url: of the placements in the API."""
    asked: Mapping[str, Any] = decision.asked or {}
    cut = [name for name in _LISTS if f"{name}_more" in asked]
    cut += ["spread" for each in asked.get("spread", ()) if "taken_more" in each and not asked.get("group")]
    if cut:
        return Again(why_not=f"Of {', '.join(cut)} more was asked than a decision keeps.")
    request = _request(decision, asked)
    notes = []
    if decision.together is not None:
        notes.append("It was placed together with others; this asks for it alone.")
    if any(asked.get(name) for name in ("spread", "near", "apart")):
        notes.append("Members of groups are counted anew.")
    if decision.kind == "job":
        notes.append("It reserves room and runs nothing.")
    text = json.dumps(request, ensure_ascii=False)
    curl = " ".join(
        [
            f"curl -X POST {shlex.quote(url)}",
            '-H "Authorization: Token $STEELYARD_TOKEN"',
            "-H 'Content-Type: application/json'",
            f"-d {shlex.quote(text)}",
        ]
    )
    command, no_command = "", _unsayable(request)
    if not no_command:
        command = shlex.join(_words(request))
    pretty = json.dumps(request, indent=2, ensure_ascii=False)
    return Again(pretty, curl, command, no_command, notes=tuple(notes))


def _request(decision: Decision, asked: Mapping[str, Any]) -> dict[str, Any]:
    request: dict[str, Any] = {
        "kind": decision.kind,
        "name": decision.name,
        "demand": decision.document.get("demand", {}),
        "policy": decision.policy,
    }
    for name in ("group", "priority", "tenant", "labels", "options", "marks", *_LISTS, "prefer"):
        if name in asked:
            request[name] = asked[name]
    if "spread" in asked:
        # The server counts a group's members by itself; what it counted then is not what is asked now.
        left_out = {"taken", "taken_more"} if asked.get("group") else set()
        request["spread"] = [_without(each, left_out) for each in asked["spread"]]
    for name in ("near", "apart"):
        if name in asked:
            request[name] = [_without(each, {"found", "found_more"}) for each in asked[name]]
    return request


def _without(constraint: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in constraint.items() if name not in names and value is not None}


def _unsayable(request: Mapping[str, Any]) -> str:
    """Why `steelyard place` has no words for this request, "" where it has."""
    if any(each.get("taken") for each in request.get("spread", ())):
        return "The command has no word for counts of its own."
    if any(_odd(each) for each in request.get("spread", ())):
        return "The command has no word for this number in one domain."
    if request.get("marks"):
        return "The command has no word for marks."
    if any(":" in each["group"] for name in ("near", "apart") for each in request.get(name, ())):
        return "The command has no word for a group with a colon in its name."
    if any("." in key for key in _keys(request.get("options", {}))):
        return "The command has no word for an option with a dot in its name."
    return ""


def _odd(spread: Mapping[str, Any]) -> bool:
    most, skew = spread.get("max_per_domain"), spread.get("max_skew")
    return most not in (None, 1) if skew is None else most is not None


def _keys(options: Mapping[str, Any]) -> list[str]:
    found = list(options)
    for value in options.values():
        if isinstance(value, dict):
            found += _keys(value)
    return found


def _words(request: Mapping[str, Any]) -> list[str]:
    words = ["steelyard", "place", request["kind"], request["name"]]
    for name, amount in request["demand"].items():
        words += ["--demand", f"{name}={_plain(amount)}"]
    for key, value in request.get("labels", {}).items():
        words += ["--label", f"{key}={value}"]
    for name, option in (("pin_hosts", "--pin"), ("exclude_hosts", "--exclude")):
        for host in request.get(name, ()):
            words += [option, host]
    for name in ("near", "apart"):
        for each in request.get(name, ()):
            weight = f":{_plain(each['weight'])}" if "weight" in each else ""
            words += [f"--{name}", f"{each['group']}:{each['level']}{weight}"]
    for each in request.get("prefer", ()):
        words += ["--prefer", f"{each['level']}={each['value']}:{_plain(each['weight'])}"]
    for each in request.get("spread", ()):
        skew = each.get("max_skew")
        words += ["--spread", each["level"] if skew is None else f"{each['level']}:{skew}"]
    for name in ("group", "priority", "tenant", "policy"):
        if name in request:
            words += [f"--{name}", str(request[name])]
    for path, value in flat(request.get("options", {})):
        words += ["--option", f"{path}={json.dumps(value, ensure_ascii=False)}"]
    return words


def _plain(number: float) -> str:
    """Exact, and without an exponent where it is whole."""
    return str(int(number)) if float(number).is_integer() else repr(float(number))
