"""Actions that can be done to many things at once. Page, REST and command line offer whichever declares it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from console.actions import Action

Result = TypeVar("Result")


@dataclass(frozen=True)
class Foreseen:
    """What an action would do to one thing now. before, after: its state. why_not: why it would be refused.

    title: what people call it, where the item is an identity.
    """

    item: str
    before: str = ""
    after: str = ""
    why_not: str = ""
    title: str = ""


class MultiAction(Action[Result]):
    """An action whose first parameter names the thing and that takes a reason.

    LABEL: of its button. LIST: the list whose things they are. UNDO: from the state before to the NAME of the action
    that leads back to it; NO_UNDO: why there is none.
    """

    multi: ClassVar[bool] = True
    LABEL: ClassVar[str]
    LIST: ClassVar[str]
    UNDO: ClassVar[Mapping[str, str]] = {}
    NO_UNDO: ClassVar[str] = ""

    @classmethod
    def of(cls, item: str, reason: str) -> MultiAction[Any]:
        """The action on one thing."""
        return cls(item, reason=reason)  # type: ignore[call-arg]

    @classmethod
    def item_of(cls, row: Any) -> str:
        """What a row of the list is called here."""
        return str(row.pk)

    @classmethod
    def foresee(cls, items: Sequence[str]) -> list[Foreseen]:
        """What it would do to each, in their order. Changes nothing; one question to the database for all."""
        raise NotImplementedError

    @classmethod
    def warnings(cls, items: Sequence[str]) -> list[str]:
        """What only the whole of them would bring about, in sentences."""
        return []
