"""Static files as in production, except that they are looked for once in a process.

Each client of a test makes middleware of its own, and looking at two hundred files takes longer than most requests.
"""

from __future__ import annotations

from typing import Any, ClassVar

from console.pages import static_files


class StaticFiles(static_files.StaticFiles):
    """The first one looks for the files, the others have what it found."""

    found: ClassVar[dict[str, Any]] = {}

    def add_files_from_finders(self) -> None:
        if not self.found:
            super().add_files_from_finders()
            self.found.update(self.files)
        self.files.update(self.found)
