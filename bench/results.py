"""The rows that benchmarks come to, and the file that keeps them: bench/results.json, one object a row."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.figures import Compared

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Limit:
    """What bounds a figure. of: ours or ratio; least or most: the bound, if it has a number."""

    what: str
    of: str = "ours"
    least: float | None = None
    most: float | None = None

    def room(self, ours: float, ratio: float | None) -> float | None:
        """How far inside the bound the figure is, as a share of it; negative outside, None for no number."""
        value = ratio if self.of == "ratio" else ours
        if value is None:
            return None
        if self.least is not None:
            return value / self.least - 1
        if self.most == 0:
            return 0.0 - value  # of nothing there is no share
        return None if self.most is None else 1 - value / self.most


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of ours beside its peer's. spread: smallest and largest round, of ours, peer and ratio."""

    id: str
    ours: float
    unit: str
    peer: str | None
    peer_value: float | None
    ratio: float | None
    rounds: int
    spread: dict[str, Any]
    limit: dict[str, Any]
    command: str
    versions: dict[str, str]
    commit: str = ""
    fast: bool = False
    note: str = ""
    machine: dict[str, Any] = field(default_factory=dict)


def row(
    identity: str,
    compared: Compared,
    unit: str,
    limit: Limit,
    *,
    peer: str | None = None,
    packages: Iterable[str] = (),
    note: str = "",
) -> Row:
    """A row of compared samples. packages: distributions whose versions matter for it."""
    ratio = compared.ratio.value if compared.ratio else None
    room = limit.room(compared.ours.value, ratio)
    return Row(
        id=identity,
        ours=_short(compared.ours.value),
        unit=unit,
        peer=peer,
        peer_value=_short(compared.peer.value) if compared.peer else None,
        ratio=None if ratio is None else _short(ratio),
        rounds=compared.ours.rounds,
        spread={
            "kind": "min-max",
            **{
                side: [_short(bound) for bound in figure.range]
                for side, figure in (
                    ("ours", compared.ours),
                    ("peer", compared.peer),
                    ("ratio", compared.ratio),
                )
                if figure is not None
            },
        },
        limit={
            **{key: value for key, value in asdict(limit).items() if value is not None},
            "room": None if room is None else _short(room),
        },
        command=f"make bench ONLY={identity}",
        versions={"python": platform.python_version(), **{name: version(name) for name in packages}},
        note=note,
    )


def load(path: Path) -> list[dict[str, Any]]:
    """The rows of a results file, none if there is no file yet."""
    if not path.exists():
        return []
    rows: list[dict[str, Any]] = json.loads(path.read_text())
    return rows


def merge(kept: Iterable[dict[str, Any]], new: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Both by id, sorted; a new row takes the place of an old one, except a fast row that of a full one."""
    rows = {each["id"]: each for each in kept}
    for each in new:
        if not each["fast"] or rows.get(each["id"], each)["fast"]:
            rows[each["id"]] = each
    return [rows[identity] for identity in sorted(rows)]


def save(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write the file whole or not at all."""
    draft = path.with_name(f"{path.name}.new")
    draft.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    draft.replace(path)


def commit() -> str:
    """The commit that was measured, with "+dirty" where the tree differs from it beyond earlier results."""
    head = _git("rev-parse", "HEAD").strip()
    changed = _git("status", "--porcelain", "--", ".", ":!bench/results.json", ":!docs/bench").strip()
    return f"{head}+dirty" if changed else head


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    # An unpacked archive has no history; the figures are worth having all the same.
    return answer.stdout if answer.returncode == 0 else "unknown"


def _short(value: float) -> float:
    """Four digits: the rest is noise."""
    return float(f"{value:.4g}")
