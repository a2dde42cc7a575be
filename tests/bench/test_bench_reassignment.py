"""The judge of rebalancing on the example of the challenge's own text, and the benchmark on it as a whole."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from bench.challenge import Instance, Refused, judge, read
from bench.reassignment import posed, run
from bench.registry import Settings

#: Section 2.1 of problem_definition_v1.pdf.
EXAMPLE = """
2  1 100  0 10
4
0 0  30 400  16 80   0 1 4 5
0 0  10 240  8 160   1 0 3 4
1 1  15 100  12 80   4 3 0 2
1 2  10 100  8 80    5 4 2 0
2  2 0  1 1 0
3
0  12 10  1000
0  10 20  100
1  6 200  1
1  0 1 20  10
1 10 100
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The example under the name of an instance, the assignment gzipped."""
    folder = tmp_path / "roadef2012"
    folder.mkdir()
    (folder / "model_a1_1.txt").write_text(EXAMPLE)
    (folder / "assignment_a1_1.txt.gz").write_bytes(gzip.compress(b"0 3 0\n"))
    header = "instance,initial,lower_bound_J12_repo,best_competition,best_public_later"
    (folder / "published_A_B.csv").write_text(f"{header}\na1_1,4200,0,3510,2411\n")
    return folder


@pytest.fixture
def example(folder: Path) -> Instance:
    """The example."""
    return read(folder, "a1_1")


@pytest.mark.parametrize(("assignment", "cost"), [([0, 3, 0], 4200), ([0, 2, 0], 3510), ([0, 2, 1], 2411)])
def test_the_judge_says_what_the_text_says(example: Instance, assignment: list[int], cost: int) -> None:
    """The three totals of section 2.2."""
    assert cost == judge(example, assignment)


@pytest.mark.parametrize(
    ("assignment", "section"),
    [
        ([1, 3, 0], "1.2.1"),  # 12 of resource 0 on a machine with 10
        ([0, 0, 1], "1.2.2"),
        ([2, 2, 2], "1.2.1"),
        ([2, 3, 0], "1.2.4"),
        ([0, 1, 0], "1.2.3"),
        ([0, 3], "every process"),
        ([0, 3, 4], "there is not"),
        ([0, 3, -1], "there is not"),
    ],
)
def test_the_judge_refuses_what_the_rules_forbid(
    example: Instance, assignment: list[int], section: str
) -> None:
    """Every hard constraint by its section."""
    with pytest.raises(Refused, match=section.replace(".", r"\.")):
        judge(example, assignment)


def test_the_judge_counts_transient_use_on_the_machine_that_is_left(folder: Path) -> None:
    """What is copied away is held on both sides, so that two loads that fill a machine each can't change places."""
    services_and_loads = "2 1 0 1 0 2 0 6 0 1 9 0 0 1 1 1"
    for transient, machine in ((0, "0 0 10 10 0 0 "), (1, "0 0 15 15 0 0 ")):
        (folder / "model_a1_1.txt").write_text(f"1 {transient} 1 2 {machine * 2}{services_and_loads}")
        (folder / "assignment_a1_1.txt.gz").write_bytes(gzip.compress(b"0 1"))
        assert judge(read(folder, "a1_1"), [1, 0]) == 1  # one load moved of each service
    (folder / "model_a1_1.txt").write_text(f"1 1 1 2 {'0 0 14 14 0 0 ' * 2}{services_and_loads}")
    with pytest.raises(Refused, match=r"1\.2\.5"):
        judge(read(folder, "a1_1"), [1, 0])


def test_the_core_is_told_the_same_problem(example: Instance) -> None:
    """Costs before the first move agree."""
    problem = posed(example)
    assert (problem.hosts, problem.loads, problem.groups) == (4, 3, 2)
    assert problem.needs.tolist() == [[1, 0]]


def test_a_file_with_leftovers_is_refused(folder: Path) -> None:
    """A format that was misread shows at its end."""
    (folder / "model_a1_1.txt").write_text(EXAMPLE + " 7")
    with pytest.raises(ValueError, match="goes on"):
        read(folder, "a1_1")


async def test_the_benchmark_solves_and_judges(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own: the example's optimum is found, which is a gap of nothing."""
    monkeypatch.setenv("STEELYARD_TRACES", str(folder.parent))
    monkeypatch.setenv("STEELYARD_SOLVE_SECONDS", "1.5")
    rows = {row.id: row for row in await run(Settings(fast=True, say=lambda line: None))}
    assert rows.keys() == {"B3.roadef.a1_1", "B3.roadef.a_gap"}
    assert rows["B3.roadef.a1_1"].ours == 0.0
    assert "2,411" in rows["B3.roadef.a1_1"].note


async def test_without_traces_nothing_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And it is said."""
    monkeypatch.setenv("STEELYARD_TRACES", str(tmp_path))
    said: list[str] = []
    assert await run(Settings(say=said.append)) == []
    assert "not measured" in said[0]
