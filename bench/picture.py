"""One small picture a row: our bar, the peer's, their ranges, and the limit. Plain SVG, light and dark."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape, quoteattr

from bench.table import amount

WIDTH, LEFT, RIGHT = 640, 150, 118
TOP, BAR, GAP = 40, 22, 14
_SPAN = WIDTH - LEFT - RIGHT
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2328}.quiet{fill:#59636e}"
    ".ours{fill:#0b6e99}.peer{fill:#8c959f}.range{stroke:#1f2328;stroke-width:1.5}"
    ".limit{stroke:#b35900;stroke-width:2;stroke-dasharray:5 3}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.quiet{fill:#9198a1}.ours{fill:#4cb3dd}"
    ".peer{fill:#656c76}.range{stroke:#e6edf3}.limit{stroke:#f0883e}}"
)


def draw(row: dict[str, Any]) -> str:
    """The picture of a row of the results, as SVG text."""
    bars = [("Steelyard", "ours", row["ours"], row["spread"].get("ours"))]
    if row["peer_value"] is not None:
        bars.append((row["peer"], "peer", row["peer_value"], row["spread"].get("peer")))
    limit = _limit_value(row)
    largest = max(value for value in (*(max(bar[2], *(bar[3] or ())) for bar in bars), limit or 0.0, 1e-12))
    height = TOP + len(bars) * (BAR + GAP) + 26
    label = f'width="{WIDTH}" height="{height}" aria-label={quoteattr(_sentence(row))}'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" {label}>',
        f"<style>{_STYLE}</style>",
        f'<text x="0" y="18" font-weight="600">{escape(row["id"])}</text>',
        f'<text x="{WIDTH}" y="18" text-anchor="end" class="quiet">{escape(row["unit"])}</text>',
    ]
    for position, (name, kind, value, spread) in enumerate(bars):
        parts += _bar(TOP + position * (BAR + GAP), name, kind, value, spread, _SPAN / largest)
    foot = height - 8
    if limit is not None:
        x = LEFT + limit * _SPAN / largest
        parts.append(f'<line class="limit" x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{foot - 14}"/>')
    parts.append(f'<text x="0" y="{foot}" class="quiet">{escape(row["limit"]["what"])}</text>')
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _bar(y: int, name: str, kind: str, value: float, spread: list[float] | None, scale: float) -> list[str]:
    middle, text_y = y + BAR / 2, y + BAR / 2 + 4.5
    short = name if len(name) <= 22 else name[:21] + "…"
    title = f"<title>{escape(name)}</title>" if short != name else ""
    low, high = (bound * scale for bound in spread or (value, value))
    return [
        f'<text x="{LEFT - 8}" y="{text_y}" text-anchor="end">{title}{escape(short)}</text>',
        f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{value * scale:.1f}" height="{BAR}" rx="2"/>',
        f'<line class="range" x1="{LEFT + low:.1f}" y1="{middle}" x2="{LEFT + high:.1f}" y2="{middle}"/>',
        f'<text x="{LEFT + max(value * scale, high) + 8:.1f}" y="{text_y}">{amount(value)}</text>',
    ]


def _limit_value(row: dict[str, Any]) -> float | None:
    """Where the limit lies on the axis of our figure; one of the ratio, times the peer's figure."""
    limit = row["limit"]
    bound: float | None = limit.get("least", limit.get("most"))
    if bound is None or limit["of"] == "ours":
        return bound
    return None if row["peer_value"] is None else bound * row["peer_value"]


def _sentence(row: dict[str, Any]) -> str:
    said = f"{row['id']}: {amount(row['ours'])} {row['unit']}"
    if row["peer_value"] is None:
        return said
    return f"{said}; {row['peer']}: {amount(row['peer_value'])}"
