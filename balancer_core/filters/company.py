"""Company: near to the loads that it belongs with, apart from those that it must not share a domain with.

Assumption: the caller counts where they are; a host without the level's label is in no domain that could be
counted, so it takes none. The first of a group that is to be near itself may go anywhere: there is nobody yet
to be near to.
Cost: O(H) for each company that has no weight (those with one are preferences.py's).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer_core.constraints import Company
from balancer_core.domains import domain, holding
from balancer_core.question import Question

NAME: Final = "company"
REASONS: Final = {
    "not_near": "{level} {domain} holds none of {group}, which the load must be near to.",
    "not_apart": "{level} {domain} holds {count} of {group}, which the load must be apart from.",
    "company_unknown": "The host has no label {level}, so it is not known whether {group} is near.",
}
PHRASES: Final = {
    "not_near": "away from what it must be near to",
    "not_apart": "with what it must be apart from",
    "company_unknown": "in no known failure domain",
}
NOT_NEAR, NOT_APART, UNKNOWN = 1, 2, 3


def judge(question: Question) -> NDArray[np.uint8] | None:
    """uint8[H]: 0 good company, 1 not near, 2 not apart, 3 unknown; of the first that says no."""
    rules = _rules(question)
    if not rules:
        return None
    verdict = np.zeros(len(question.snapshot), dtype=np.uint8)
    for company, grade in rules:
        np.copyto(verdict, _judge(question, company, grade), where=verdict == 0)
    return verdict


def misses(question: Question, company: Company, near: bool) -> NDArray[np.bool_]:
    """bool[H]: where this company does not hold; an unknown domain is near to nothing and apart from
    nothing."""
    held = holding(question.snapshot, company.level, company.found)
    first = company.group == question.load.group and not any(company.found.values())
    misses: NDArray[np.bool_] = held != 0 if not near else held < 0 if first else held <= 0
    return misses


def _rules(question: Question) -> list[tuple[Company, int]]:
    load = question.load
    rules = [(company, NOT_NEAR) for company in load.near] + [(company, NOT_APART) for company in load.apart]
    return [(company, grade) for company, grade in rules if company.weight is None]


def _judge(question: Question, company: Company, grade: int) -> NDArray[np.uint8]:
    unknown = holding(question.snapshot, company.level, company.found) < 0
    wrong = misses(question, company, grade == NOT_NEAR)
    return np.where(unknown, UNKNOWN, np.where(wrong, grade, 0)).astype(np.uint8)


def reason(question: Question, row: int, verdict: int) -> str:
    """The sentence for the first company that says no."""
    for company, grade in _rules(question):
        found = int(_judge(question, company, grade)[row])
        if found:
            name = domain(question.snapshot, company.level, row)
            count = company.found.get(name or "", 0)
            sentence = tuple(REASONS.values())[found - 1]
            return sentence.format(level=company.level, domain=name, group=company.group, count=count)
    raise ValueError(f"host {row} is not refused")


def step(question: Question, row: int, verdict: int) -> str:
    """What would have to change, over all of them."""
    steps = []
    for company, grade in _rules(question):
        found, name = (
            int(_judge(question, company, grade)[row]),
            domain(question.snapshot, company.level, row),
        )
        if found == UNKNOWN:
            steps.append(f"label the host with its {company.level}")
        elif found:
            verb, where = ("bring", "to") if found == NOT_NEAR else ("move", "away from")
            steps.append(f"{verb} {company.group} {where} {company.level} {name}")
    return ", ".join(steps)
