"""Choosing benchmarks by id, and the command as a whole on the one that needs no servers."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from bench import __main__ as command
from bench.empty.server import serve_instead
from bench.figures import Compared
from bench.registry import BENCHMARKS, Settings, UnknownBenchmark, chosen
from bench.results import Limit, Row, row


def test_everything_is_chosen_without_a_name() -> None:
    """make bench runs all."""
    assert list(BENCHMARKS) == chosen([])


@pytest.mark.parametrize(
    ("only", "modules"),
    [
        (["B2"], ["bench.decisions", "bench.batching", "bench.hashing"]),
        (["B2.growth"], ["bench.decisions"]),
        (["B8.p99"], ["bench.placing"]),
        (["B7.agent_rss", "B8"], ["bench.agent", "bench.placing"]),
    ],
)
def test_names_choose_by_id_or_beginning(only: list[str], modules: list[str]) -> None:
    """A group, a row, or several of both."""
    assert modules == chosen(only)


@pytest.mark.parametrize("name", ["B", "B77", "B8.p9"])
def test_a_name_that_chooses_nothing_is_refused(name: str) -> None:
    """A typing mistake must not look like a run without results."""
    with pytest.raises(UnknownBenchmark, match=name):
        chosen(["B2", name])


def test_every_registered_module_can_run() -> None:
    """A benchmark is a module with run()."""
    assert all(callable(import_module(module).run) for module in BENCHMARKS)


def test_no_row_has_two_benchmarks() -> None:
    """Ids are unique over all modules."""
    rows = [row for rows in BENCHMARKS.values() for row in rows]

    assert len(set(rows)) == len(rows)


def test_the_empty_view_runs_as_the_console_does() -> None:
    """The same command line but for the application, its port, and the lifespan it does not have."""
    ours = ["uvicorn", "console.asgi:application", "--port", "1", "--lifespan", "on", "--no-access-log"]
    empty = ["uvicorn", "django.core.asgi:get_asgi_application", "--port", "2", "--lifespan", "off"]

    assert serve_instead(ours, 2) == [*empty, "--no-access-log", "--factory"]


def test_the_command_prints_a_table_and_keeps_the_rows(tmp_path: Path, project: Path) -> None:
    """`python -m bench --fast --only B2.growth` measures, writes its rows with a picture each, and says so."""
    results, pictures = tmp_path / "results.json", tmp_path / "pictures"
    ran = subprocess.run(
        [
            sys.executable, "-m", "bench", "--fast", "--only", "B2.growth",
            "--results", str(results), "--pictures", str(pictures),
        ],
        cwd=project, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    rows = {each["id"]: each for each in json.loads(results.read_text())}

    assert set(BENCHMARKS["bench.decisions"]) == set(rows)
    made = {f"{identity}.svg" for identity in rows} | {"README.md"}
    assert made == {each.name for each in pictures.iterdir()}
    assert all(identity in ran.stdout for identity in rows)
    assert all(each["fast"] and each["commit"] for each in rows.values())
    # What is left of two noisy times of a short run may be below nothing.
    assert all(each["ours"] > 0 for each in rows.values() if each["id"] != "B2.explain_overhead")
    assert str(project) not in results.read_text()


def test_what_was_measured_is_kept_though_something_fails_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first benchmark's rows are in the file when the second one breaks."""

    async def one(settings: Settings) -> list[Row]:
        return [row("B2.growth", Compared.of([2.0]), "times", Limit("3 times", most=3.0))]

    async def broken(settings: Settings) -> list[Row]:
        raise ConnectionError

    results, pictures = tmp_path / "results.json", tmp_path / "pictures"
    monkeypatch.setattr(command, "chosen", lambda _: ["one", "broken"])
    monkeypatch.setattr(command, "runner", {"one": one, "broken": broken}.__getitem__)

    with pytest.raises(ConnectionError):
        command.main(["--results", str(results), "--pictures", str(pictures)])
    assert [each["id"] for each in json.loads(results.read_text())] == ["B2.growth"]


def test_an_unknown_benchmark_ends_the_command(project: Path) -> None:
    """Exit code 2 and the names there are."""
    ran = subprocess.run(
        [sys.executable, "-m", "bench", "--only", "B99"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 2
    assert "B8.place_one" in ran.stderr
