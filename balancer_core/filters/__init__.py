"""Rules that say whether a host may take a load: one file each, with NAME, REASONS, assumptions and cost.

FILTERS is the registry, in the order in which they are asked; a host's reason is the first that said no.
add() takes rules of others (README.md says how).
healthy, schedulable and fits are computed again by the kernel in its one pass; tests hold both to the same
answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from balancer_core.extending import InvalidRule, check_callables, check_name
from balancer_core.filters import company, excluded, fits, healthy, labels, marks, pinned, schedulable, spread
from balancer_core.question import Question

__all__ = [
    "COMPILED",
    "FILTERS",
    "FLAG_CODES",
    "MAX_FILTERS",
    "MAX_VERDICTS",
    "PRECOMPUTED",
    "VERDICT_BITS",
    "Filter",
    "add",
    "code",
    "discard",
    "first_noes",
    "judgements",
    "noes",
    "refusals",
]


class Filter(Protocol):
    """What a module in this folder offers."""

    @property
    def NAME(self) -> str:
        """The rule's id."""

    @property
    def REASONS(self) -> Mapping[str, str]:
        """Reason code to sentence template; verdict v is the v-th code, counted from 1."""

    @property
    def PHRASES(self) -> Mapping[str, str]:
        """Reason code to the words that follow a number of hosts in a summary."""

    def judge(self, question: Question) -> NDArray[np.uint8] | None:
        """uint8[H] of verdicts, 0 for yes; None if the rule has nothing to say about this load."""

    def reason(self, question: Question, row: int, verdict: int) -> str:
        """The sentence for one host that was said no to."""

    def step(self, question: Question, row: int, verdict: int) -> str:
        """What would have to change for this rule to say yes, as an order without its full stop."""


#: The kernel computes these itself, from flags and columns.
COMPILED: Final[dict[str, Filter]] = {healthy.NAME: healthy, schedulable.NAME: schedulable, fits.NAME: fits}

#: These are asked before the kernel's pass, which leaves out the hosts they refuse.
PRECOMPUTED: Final[dict[str, Filter]] = {
    module.NAME: module for module in (excluded, pinned, labels, spread, company, marks)
}

FILTERS: Final[dict[str, Filter]] = {
    module.NAME: module for module in (healthy, schedulable, *PRECOMPUTED.values(), fits)
}

#: A refusal is one byte: the rule's place in FILTERS, and in the lowest bits its verdict.
VERDICT_BITS: Final = 3
MAX_VERDICTS: Final = 2**VERDICT_BITS - 1

#: Code 255 says that a host is not part of a pass, so the last place stays empty.
MAX_FILTERS: Final = 31

_FIRST_CODES: Final[dict[str, int]] = {}


def code(name: str, verdict: int = 0) -> int:
    """The byte of a rule's verdict."""
    return _FIRST_CODES[name] | verdict


def add(rule: Filter) -> None:
    """Ask one more rule, before fits. Errors: InvalidRule naming what the rule lacks or that its name is
    taken."""
    name = check_name(rule, FILTERS)
    if len(FILTERS) >= MAX_FILTERS:
        raise InvalidRule(name, "too_many", f"at most {MAX_FILTERS} rules can be asked.")
    check_callables(rule, name, ("judge", "reason", "step"))
    reasons, phrases = getattr(rule, "REASONS", None), getattr(rule, "PHRASES", None)
    if not isinstance(reasons, Mapping) or not 1 <= len(reasons) <= MAX_VERDICTS:
        raise InvalidRule(
            f"{name}.REASONS", "invalid", f"a rule has 1 to {MAX_VERDICTS} reasons, code to sentence."
        )
    if not isinstance(phrases, Mapping) or phrases.keys() != reasons.keys():
        raise InvalidRule(f"{name}.PHRASES", "invalid", "a phrase belongs to each reason.")
    taken = {known for each in FILTERS.values() for known in each.REASONS} & reasons.keys()
    if taken:
        raise InvalidRule(f"{name}.REASONS", "duplicate", f"the code {sorted(taken)[0]} is another rule's.")
    PRECOMPUTED[name] = rule
    last = FILTERS.pop(fits.NAME)
    FILTERS.update({name: rule, fits.NAME: last})
    _number()


def discard(name: str) -> None:
    """Ask a rule that was added no more. Errors: KeyError."""
    del FILTERS[name]
    del PRECOMPUTED[name]
    _number()


def _number() -> None:
    _FIRST_CODES.clear()
    _FIRST_CODES.update({name: place << VERDICT_BITS for place, name in enumerate(FILTERS)})


_number()


def _flag_codes() -> NDArray[np.uint8]:
    flags, codes = np.arange(256, dtype=np.uint8), np.zeros(256, dtype=np.uint8)
    for rule in (healthy, schedulable):
        verdicts = rule.verdicts(flags)
        np.copyto(codes, verdicts + np.uint8(code(rule.NAME)), where=(codes == 0) & (verdicts > 0))
    return codes


#: uint8[256]: the code of the first rule that refuses a host with these flags, 0 where none does.
FLAG_CODES: Final = _flag_codes()


def judgements(question: Question) -> dict[str, NDArray[np.uint8]]:
    """What each precomputed rule that has something to say says: its name -> uint8[H] of verdicts."""
    said = ((name, rule.judge(question)) for name, rule in PRECOMPUTED.items())
    return {name: verdicts for name, verdicts in said if verdicts is not None}


def first_noes(judged: Mapping[str, NDArray[np.uint8]]) -> NDArray[np.uint8] | None:
    """uint8[H]: the code of the first of these rules that refuses each host, 0 where none does; None of no rules."""
    codes: NDArray[np.uint8] | None = None
    for name, verdicts in judged.items():
        codes = np.zeros(len(verdicts), dtype=np.uint8) if codes is None else codes
        np.copyto(codes, verdicts + np.uint8(code(name)), where=(codes == 0) & (verdicts > 0))
    return codes


def refusals(question: Question) -> NDArray[np.uint8] | None:
    """first_noes() of all precomputed rules."""
    return first_noes(judgements(question))


def noes(
    question: Question, judged: Mapping[str, NDArray[np.uint8]], rows: Sequence[int]
) -> list[list[tuple[Filter, int]]]:
    """For each of these rows every rule that says no to it and its verdict, in the order in which rules are asked.

    judged: judgements() of the same question. O(rows) for each rule.
    """
    at = np.asarray(rows, dtype=np.intp)
    flags = question.snapshot.flags[at]
    said = {healthy.NAME: healthy.verdicts(flags), schedulable.NAME: schedulable.verdicts(flags)}
    said |= {name: verdicts[at] for name, verdicts in judged.items()}
    said[fits.NAME] = fits.verdicts(question, at)
    found: list[list[tuple[Filter, int]]] = [[] for _ in rows]
    for name, rule in FILTERS.items():
        verdicts = said.get(name)
        if verdicts is not None:
            for place in np.flatnonzero(verdicts).tolist():
                found[place].append((rule, int(verdicts[place])))
    return found
