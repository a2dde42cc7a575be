"""The entries of one kind, and how a query finds them.

Theory of operation. An entry is one line of lower-case text: its title, a tab, and further words. A query is a few
tokens, all of which must be in the line. How well a token fits is a tier, from 0 (is the title) to 5 (somewhere
inside another word); an entry's tier is its worst token's. Scanning is Python's own substring search over a list,
about 40 ns a line, which at a hundred thousand lines is less than what an index of n-grams would cost to keep.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import msgspec

from console.search.nearly import Nearly

MOST_TOKENS: Final = 8
LONGEST_TOKEN: Final = 100
#: Hits that are ranked one by one; of a token that is in more lines, those that begin with it go first.
MOST_RANKED: Final = 800

TITLE, BEGINNING, WORD, INSIDE, ELSEWHERE, ANYWHERE, NEARLY = range(7)


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One thing. key: its name or identity within its kind. words: what else it is found by. detail: shown beside."""

    key: str
    title: str
    words: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Hit:
    """An entry that was found, and how well: a tier, the lower the better."""

    tier: int
    entry: Entry


def tokens_of(text: str) -> list[str]:
    """The query's tokens: lower case, at most MOST_TOKENS of at most LONGEST_TOKEN characters."""
    return [token[:LONGEST_TOKEN] for token in text.lower().split()[:MOST_TOKENS]]


class Shelf:
    """Entries in the order in which equals shall be shown. by_length: of equals the shorter title goes first."""

    def __init__(self, entries: Sequence[Entry], *, by_length: bool = True) -> None:
        self.entries = entries
        self._by_length = by_length
        self._titles = [entry.title.lower() for entry in entries]
        self._lines = [
            f"{title}\t{entry.words.lower()}" for title, entry in zip(self._titles, entries, strict=True)
        ]
        # Made with the shelf, beside the questions: who mistypes first must not wait for it.
        self._nearly = Nearly(self._titles)

    def __len__(self) -> int:
        return len(self.entries)

    @cached_property
    def by_key(self) -> dict[str, Entry]:
        return {entry.key: entry for entry in self.entries}

    def find(self, tokens: Sequence[str], most: int) -> list[Hit]:
        """The best entries that have every token in them, best first. O(lines), plus O(log most) a hit."""
        if not tokens:
            return []
        lines = self._lines
        hits: Sequence[int] = range(len(lines))
        for token in sorted(tokens, key=len, reverse=True):
            hits = [at for at in hits if token in lines[at]]
        if len(hits) > MOST_RANKED or (len(tokens) == 1 and len(hits) > most):
            # Nothing is nearer than what begins with it.
            first = [at for at in hits if lines[at].startswith(tokens[0])]
            hits = (first if len(first) >= most else hits)[:MOST_RANKED]
        whole = " ".join(tokens)
        ranked = heapq.nsmallest(most, (self._rank(at, tokens, whole) for at in hits))
        return [Hit(tier, self.entries[at]) for tier, _, at in ranked]

    def find_nearly(self, token: str, most: int) -> list[Hit]:
        """Entries whose title is nearly the token: an abbreviation of it, or a slip of the finger away."""
        return [Hit(NEARLY, self.entries[at]) for at in self._nearly.find(token, most)]

    def _rank(self, at: int, tokens: Sequence[str], whole: str) -> tuple[int, int, int]:
        line, title = self._lines[at], self._titles[at]
        tier = TITLE if title == whole else max([tier_of(line, len(title), token) for token in tokens])
        return tier, len(title) if self._by_length else 0, at


def tier_of(line: str, title: int, token: str) -> int:
    """How well a token that is in the line fits it; title: how many of its characters are the title."""
    place = line.find(token)
    if place == 0:
        return TITLE if len(token) == title else BEGINNING
    at_word = not line[place - 1].isalnum()
    if place < title:
        return WORD if at_word else INSIDE
    return ELSEWHERE if at_word else ANYWHERE
