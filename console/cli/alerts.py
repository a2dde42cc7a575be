"""`steelyard alert ...` and `steelyard channel ...`"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from console.cli.client import api, show
from console.cli.options import Json, Why

app = typer.Typer(no_args_is_help=True, help="Alerts: what fires, who sees to it, whom to spare.")
channels = typer.Typer(no_args_is_help=True, help="Channels: the ways by which people hear of alerts.")

SHOWN = ("id", "state", "severity", "rule", "subject", "domain", "since", "acknowledged_by", "sentence")


@app.command("list")
def alert_list(
    state: Annotated[str, typer.Option(help="pending, firing, resolved; empty: all.")] = "firing",
    rule: Annotated[str, typer.Option(help="Only of this rule.")] = "",
    as_json: Json = False,
) -> None:
    """The alerts, newest first."""
    with api() as client:
        found = client.get("alerts/", state=state or None, rule=rule or None, limit=1000)["results"]
    show(found, as_json, *SHOWN)


@app.command("show")
def alert_show(alert: int, as_json: Json = False) -> None:
    """One alert."""
    with api() as client:
        show(client.get(f"alerts/{alert}/"), as_json, *SHOWN, "value", "decision")


@app.command("acknowledge")
def alert_acknowledge(alert: int, reason: Why = "", as_json: Json = False) -> None:
    """Say that you see to it."""
    with api() as client:
        show(client.post(f"alerts/{alert}/acknowledge/", {"reason": reason}), as_json, *SHOWN)


@app.command("silence")
def alert_silence(
    reason: Annotated[str, typer.Option(help="Others will wonder.")],
    rule: Annotated[str, typer.Option(help="A rule or a pattern.")] = "",
    subject: Annotated[str, typer.Option(help="A name or a pattern, such as web-*.")] = "",
    domain: Annotated[str, typer.Option(help="Such as rack=a1.")] = "",
    hours: Annotated[float, typer.Option(min=0.01, max=720, help="For how long.")] = 4.0,
    as_json: Json = False,
) -> None:
    """Tell nobody of alerts that match, for a while."""
    until = (datetime.now(UTC) + timedelta(hours=hours)).isoformat()
    body = {"rule": rule, "subject": subject, "domain": domain, "until": until, "reason": reason}
    with api() as client:
        made = client.post("silences/", body)
    show(made, as_json, "id", "rule", "subject", "domain", "until", "reason")


@app.command("silences")
def alert_silences(as_json: Json = False) -> None:
    """The silences, newest first."""
    with api() as client:
        found = client.get("silences/", limit=1000)["results"]
    show(found, as_json, "id", "rule", "subject", "domain", "until", "ended_at", "created_by", "reason")


@app.command("end-silence")
def alert_end_silence(silence: int, reason: Why = "", as_json: Json = False) -> None:
    """End a silence now: what still fires is told."""
    with api() as client:
        show(client.post(f"silences/{silence}/end/", {"reason": reason}), as_json, "id", "ended_at")


@app.command("rules")
def alert_rules(as_json: Json = False) -> None:
    """The built-in rules with the numbers that hold now."""
    with api() as client:
        found = client.get("alert-rules/")
    show(found, as_json, "name", "is_on", "level", "threshold", "unit", "raise_after_s", "clear_after_s")


@app.command("rule")
def alert_rule(
    name: str,
    on: Annotated[bool, typer.Option("--on/--off", help="Whether it looks at all.")] = True,
    threshold: Annotated[float | None, typer.Option(help="From where on it holds; none: as built.")] = None,
    raise_after: Annotated[
        float | None, typer.Option(help="Seconds before it fires; none: as built.")
    ] = None,
    clear_after: Annotated[float | None, typer.Option(help="Seconds before it is over.")] = None,
    reason: Why = "",
    as_json: Json = False,
) -> None:
    """Change a rule's numbers. What is not named is as it was built."""
    body = {
        "is_on": on, "threshold": threshold, "raise_after_s": raise_after, "clear_after_s": clear_after,
        "reason": reason,
    }  # fmt: skip
    with api() as client:
        made = client.put(f"alert-rules/{name}/", body)
    show(made, as_json, "name", "is_on", "threshold", "unit", "raise_after_s", "clear_after_s")


@channels.command("list")
def channel_list(as_json: Json = False) -> None:
    """The channels, without their addresses."""
    with api() as client:
        show(client.get("channels/"), as_json, "name", "kind", "place", "least_severity", "is_on")


@channels.command("put")
def channel_put(
    name: str,
    kind: Annotated[str, typer.Argument(help="apprise, webhook or alertmanager")],
    address: Annotated[
        str, typer.Option(prompt=True, hide_input=True, envvar="STEELYARD_CHANNEL_ADDRESS", help="Asked for.")
    ],
    secret: Annotated[
        str, typer.Option(envvar="STEELYARD_CHANNEL_SECRET", help="Signs a webhook; Alertmanager's token.")
    ] = "",
    least: Annotated[str, typer.Option(help="From this severity on: warning or critical.")] = "warning",
    as_json: Json = False,
) -> None:
    """Keep a channel under a name, or change the one there."""
    body = {"name": name, "kind": kind, "address": address, "secret": secret, "least_severity": least}
    with api() as client:
        show(client.post("channels/", body), as_json, "name", "kind", "place", "least_severity")


@channels.command("remove")
def channel_remove(name: str, as_json: Json = False) -> None:
    """Forget a channel and its secret."""
    with api() as client:
        client.delete(f"channels/{name}/")
    show({"name": name, "state": "removed"}, as_json, "name", "state")


@channels.command("test")
def channel_test(name: str, as_json: Json = False) -> None:
    """Send a notice that says it is a test."""
    with api() as client:
        show(client.post(f"channels/{name}/test/"), as_json, "id", "channel", "delivery")
