"""What the core says about input it will not take: which field, a code for programs, a reason for people."""

from __future__ import annotations


class InvalidInput(ValueError):
    """Input that was refused before anything changed.

    field: dotted path of the offending value, e.g. "demand.cpu".
    code: stable word for programs, e.g. "negative".
    reason: one sentence for people, without the field's name in front.
    """

    def __init__(self, field: str, code: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.code = code
        self.reason = reason

    def __reduce__(self) -> tuple[type[InvalidInput], tuple[str, str, str]]:
        """Pickle by the three parts; ValueError alone would keep only the joined sentence."""
        return type(self), (self.field, self.code, self.reason)
