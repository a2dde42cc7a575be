"""Titles that are nearly what was typed: abbreviations ("w12" for web-0012) and slips ("wbe-12" for web-12).

Two coarse sieves over all titles at once, as columns, leave a few dozen that are then looked at one by one:
which characters a title has (64 bits) for abbreviations, and which pairs of characters for slips, since one slip
spoils at most three pairs (q-gram lemma: E. Ukkonen, "Approximate string-matching with q-grams and maximal
matches", 1992). The distance is Sellers' (1980), of the token to the best part of the title that begins at a word,
with neighbours exchanged counted as one slip.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

#: Of a title, bytes that are looked at.
WIDTH: Final = 48
PAIRS: Final = 256
#: Titles that pass the sieves and are looked at one by one.
MOST_CLOSELY: Final = 48
SHORTEST: Final = 3
LONGEST: Final = 32


class Nearly:
    """Columns over titles (lower case). 8 bytes and PAIRS bits a title; built in one pass of numpy."""

    def __init__(self, titles: Sequence[str]) -> None:
        self._titles = titles
        cut = np.array([title.encode()[:WIDTH] for title in titles] or [b""], dtype=f"S{WIDTH}")
        letters = cut.view(np.uint8).reshape(len(cut), WIDTH)
        there = letters != 0
        bits = np.where(there, np.uint64(1) << (letters & 63).astype(np.uint64), np.uint64(0))
        self._letters = np.bitwise_or.reduce(bits, axis=1)
        codes = _pair_codes(letters)
        both = there[:, :-1] & there[:, 1:]
        self._pairs = np.zeros((PAIRS, len(cut)), bool)
        for column in range(WIDTH - 1):
            rows = np.flatnonzero(both[:, column])
            if not len(rows):
                break
            self._pairs[codes[rows, column], rows] = True

    def find(self, token: str, most: int) -> list[int]:
        """Positions of titles, nearest first; none for a token too short to be nearly anything."""
        if not SHORTEST <= len(token) <= LONGEST or not self._titles:
            return []
        found: dict[int, tuple[int, int]] = {}
        for at in self._abbreviated(token):
            found[at] = (1, spread(token, self._titles[at]))
        for at in self._slipped(token):
            distance = slips(token, self._titles[at])
            if distance <= allowed(token):
                found[at] = min(found.get(at, (9, 0)), (0, distance))
        return sorted(found, key=lambda at: (found[at], len(self._titles[at]), at))[:most]

    def _abbreviated(self, token: str) -> list[int]:
        wanted = np.bitwise_or.reduce(np.uint64(1) << (_bytes(token) & 63).astype(np.uint64))
        rows = np.flatnonzero((self._letters & wanted) == wanted)
        # Abbreviations begin where the title begins; that also keeps what is looked at closely small.
        return [at for at in rows.tolist() if spread(token, self._titles[at]) >= 0][: MOST_CLOSELY * 4]

    def _slipped(self, token: str) -> list[int]:
        codes = np.unique(_pair_codes(_bytes(token)[None, :])[0])
        shared = self._pairs[codes].sum(axis=0, dtype=np.int16)
        least = max(1, len(codes) - 3)
        rows = np.flatnonzero(shared >= least)
        best = rows[np.argsort(-shared[rows], kind="stable")[:MOST_CLOSELY]]
        return best.tolist()  # type: ignore[no-any-return]


def allowed(token: str) -> int:
    """Slips that are forgiven: one in a short word, two in a longer one."""
    return 1 if len(token) < 7 else 2


def spread(token: str, title: str) -> int:
    """How many characters of title stand between those of token, in order from the first; -1 where they do not."""
    if title[:1] != token[:1]:
        return -1
    place = 0
    for letter in token[1:]:
        place = title.find(letter, place + 1)
        if place < 0:
            return -1
    return place + 1 - len(token)


def slips(token: str, title: str) -> int:
    """The least slips (a character too many, missing, another, or two exchanged) between the token and a part of the
    title that begins where a word begins; of more than are forgiven one more. O(len(token) * len(title)) at worst, and
    most titles are left after a few letters."""
    most = allowed(token)
    fewest = most + 1
    # With no more slips than that, one of the first letters stands among the first ones of the text.
    first = set(token[: most + 1])
    for begin in range(len(title)):
        if begin and title[begin - 1].isalnum():
            continue
        if first.isdisjoint(title[begin : begin + 2 * most + 1]):
            continue
        fewest = min(fewest, _slips_from(token, title[begin : begin + len(token) + 2], fewest))
    return fewest


def _slips_from(token: str, text: str, enough: int) -> int:
    """Of the token to the best beginning of text; `enough` where it is not less."""
    before: list[int] = []
    last = list(range(len(text) + 1))
    for row, letter in enumerate(token, start=1):
        now = [row]
        for column, other in enumerate(text, start=1):
            cost = min(last[column] + 1, now[-1] + 1, last[column - 1] + (letter != other))
            if row > 1 and column > 1 and letter == text[column - 2] and token[row - 2] == other:
                cost = min(cost, before[column - 2] + 1)
            now.append(cost)
        before, last = last, now
        # Rows only grow, and an exchange looks back over one: nothing better can come of this.
        if min(last) >= enough and min(before) >= enough:
            return enough
    return min(last)


def _bytes(token: str) -> np.ndarray:
    return np.frombuffer(token.encode(), np.uint8)


def _pair_codes(letters: np.ndarray) -> np.ndarray:
    """Pairs of neighbours in each row, as numbers below PAIRS."""
    wide = letters.astype(np.uint16)
    return (wide[:, :-1] * 31 + wide[:, 1:]) % PAIRS
