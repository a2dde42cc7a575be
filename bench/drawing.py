"""What pictures of many rows have in common: plain SVG, ours blue and thick, light and dark."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import quoteattr

_STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#1f2328}.quiet{fill:#59636e}.grid{stroke:#d1d9e0}"
    ".line{fill:none;stroke-width:1.8;stroke:#59636e}.mark{fill:#59636e}"
    ".ours.line{stroke:#0b6e99;stroke-width:3}.ours.mark{fill:#0b6e99}text.ours{font-weight:600}"
    ".lead{stroke:#8c959f;stroke-width:.7}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.quiet{fill:#9198a1}.grid{stroke:#3d444d}"
    ".line{stroke:#9198a1}.mark{fill:#9198a1}.ours.line{stroke:#4cb3dd}.ours.mark{fill:#4cb3dd}}"
)


def opening(width: int, height: int, said: str) -> list[str]:
    """The first lines of a picture. said: all of it in words."""
    label = f'width="{width}" height="{height}" aria-label={quoteattr(said)}'
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" {label}>',
        f"<style>{_STYLE}</style>",
    ]


def shape(kind: str, x: float, y: float) -> str:
    """The path of a mark around a point: a circle, a square or a diamond."""
    match kind:
        case "circle":
            return f"M{x - 4:.1f} {y:.1f}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z"
        case "square":
            return f"M{x - 3.5:.1f} {y - 3.5:.1f}h7v7h-7z"
        case _:
            return f"M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z"
