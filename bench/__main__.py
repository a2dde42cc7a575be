"""`python -m bench [--only B7,B8] [--fast]`: run the benchmarks, print a table, keep rows and pictures."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bench import machine, results
from bench.page import MANY, page
from bench.picture import draw
from bench.registry import Settings, UnknownBenchmark, chosen, runner
from bench.table import show

#: Above this load average before it starts, a run says in every row that the machine was busy.
BUSY_LOAD = 0.7


def run(modules: Sequence[str], settings: Settings) -> Iterator[list[dict[str, Any]]]:
    """Run these benchmarks one after the other; the rows of each as soon as it is done."""
    commit, about = results.commit(), machine.describe()
    busy = ""
    if about["load_before"] > BUSY_LOAD:
        busy = f"the machine was busy with other work (load {about['load_before']:g} before the run)"
    for module in modules:
        settings.say(f"{module} ...")
        rows = []
        for row in asyncio.run(runner(module)(settings)):
            note = "; ".join(part for part in (row.note, busy) if part)
            command = row.command + (" FAST=1" if settings.fast else "")
            whole = replace(row, commit=commit, fast=settings.fast, machine=about, command=command, note=note)
            rows.append(asdict(whole))
        yield rows


def keep(rows: Sequence[dict[str, Any]], file: Path, pictures: Path) -> None:
    """Merge the rows into the results file, and draw every picture and write the page anew from it."""
    kept = results.merge(results.load(file), rows)
    results.save(file, kept)
    pictures.mkdir(parents=True, exist_ok=True)
    for row in kept:
        (pictures / f"{row['id']}.svg").write_text(draw(row))
    for many in MANY:
        drawn = many.draw(kept)
        if drawn is not None:
            (pictures / f"{many.NAME}.svg").write_text(drawn)
    (pictures / "README.md").write_text(page(kept))


def main(argv: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code: 2 for a benchmark that does not exist."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--only", default="", help="ids or their beginnings, comma separated: B7,B8.place_one"
    )
    parser.add_argument("--fast", action="store_true", help="short and few rounds: does it work?")
    parser.add_argument(
        "--results", type=Path, default=results.ROOT / "bench/results.json", help="the file to merge into"
    )
    parser.add_argument(
        "--pictures", type=Path, default=results.ROOT / "docs/bench", help="the folder of the pictures"
    )
    options = parser.parse_args(argv)
    try:
        only = [name for name in options.only.split(",") if name]
        modules = chosen(only)
    except UnknownBenchmark as error:
        print(error, file=sys.stderr)
        return 2
    settings = Settings(options.fast, lambda line: print(line, file=sys.stderr, flush=True), only)
    rows = []
    for some in run(modules, settings):
        # Hours of measuring are not lost with what fails after them.
        keep(some, options.results, options.pictures)
        rows += some
    show(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
