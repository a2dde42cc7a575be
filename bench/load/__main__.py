"""python -m bench.load URL --rate R --seconds S [--json]: send Poisson load, print what became of it."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from .generator import Generator, LoadPlan
from .summary import Summary


def read_plan(argv: list[str] | None = None) -> tuple[LoadPlan, bool]:
    """The plan and whether JSON is wanted. Exits with status 2 and a sentence on a bad argument."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description="Open-loop Poisson load.")
    parser.add_argument("url")
    parser.add_argument("--rate", type=float, required=True, help="requests a second, on average")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--deadline-s", type=float, default=10.0)
    parser.add_argument("--max-outstanding", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    found = parser.parse_args(argv)
    try:
        plan = LoadPlan(
            found.url, found.rate, found.seconds, found.seed, found.deadline_s, found.max_outstanding
        )
    except ValueError as error:
        parser.error(str(error))
    return plan, found.json


def format_summary(summary: Summary) -> str:
    """For people."""
    percentiles = f"p50 {summary.p50_ms:.1f} ms   p90 {summary.p90_ms:.1f} ms   p99 {summary.p99_ms:.1f} ms"
    lines = [
        f"requests {summary.requests}   failures {summary.failures} {summary.failures_by or ''}",
        f"{percentiles}   max {summary.max_ms:.1f} ms   (generator late by at most {summary.max_lag_ms:.1f} ms)",
        *(f"{host:24} {share:6.1%}" for host, share in summary.share.items()),
    ]
    return "\n".join(lines)


def main() -> None:
    plan, as_json = read_plan()
    summary = asyncio.run(Generator(plan).run())
    sys.stdout.write((json.dumps(summary.to_dict()) if as_json else format_summary(summary)) + "\n")


if __name__ == "__main__":
    main()
