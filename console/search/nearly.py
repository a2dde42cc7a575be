"""Titles that are nearly what was typed: abbreviations ("w12" for web-0012) and slips ("wbe-12" for web-12).

Two coarse sieves over all titles at once, as columns, leave a few dozen that are then looked at one by one:
which characters a title has (64 bits) for abbreviations, and which pairs of characters for slips, since one slip
spoils at most three pairs (q-gram lemma: E. Ukkonen, "Approximate string-matching with q-grams and maximal
matches", 1992). The distance is Sellers' (1980), of the token to the best part of the title that begins at a word,
with neighbours exchanged counted as one slip.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from typing import Final

import numpy as np

#: Of a title, bytes that are looked at.
WIDTH: Final = 48
PAIRS: Final = 256
#: Titles that pass the sieves and are looked at one by one.
MOST_CLOSELY: Final = 48
SHORTEST: Final = 3
LONGEST: Final = 32
#: Of a title, words at which a slip is looked for.
MOST_WORDS: Final = 8
#: Titles that have all characters of an abbreviation, of which those are looked for that have them in order.
MOST_LIKELY: Final = 3000
_BETWEEN = re.compile(r"[\W_]")


class Nearly:
    """Columns over titles (lower case). 8 bytes and PAIRS bits a title; built in one pass of numpy."""

    def __init__(self, titles: Sequence[str]) -> None:
        self._titles = titles
        cut = np.array([title.encode()[:WIDTH] for title in titles] or [b""], dtype=f"S{WIDTH}")
        letters = cut.view(np.uint8).reshape(len(cut), WIDTH)
        there = letters != 0
        bits = np.where(there, np.uint64(1) << (letters & 63).astype(np.uint64), np.uint64(0))
        self._letters = np.bitwise_or.reduce(bits, axis=1)
        self._first = letters[:, 0].copy()
        codes = _pair_codes(letters)
        both = there[:, :-1] & there[:, 1:]
        self._pairs = np.zeros((PAIRS, len(cut)), np.uint8)
        for column in range(WIDTH - 1):
            rows = np.flatnonzero(both[:, column])
            if not len(rows):
                break
            self._pairs[codes[rows, column], rows] = 1

    def find(self, token: str, most: int) -> list[int]:
        """Positions of titles, nearest first; none for a token too short to be nearly anything."""
        if not SHORTEST <= len(token) <= LONGEST or not self._titles:
            return []
        found: dict[int, tuple[int, int]] = {}
        for at in self._abbreviated(token):
            found[at] = (1, spread(token, self._titles[at]))
        close = self._slipped(token)
        for at, distance in zip(close, slips(token, [self._titles[at] for at in close]), strict=True):
            if distance <= allowed(token):
                found[at] = min(found.get(at, (9, 0)), (0, distance))
        return sorted(found, key=lambda at: (found[at], len(self._titles[at]), at))[:most]

    def _abbreviated(self, token: str) -> list[int]:
        wanted = np.bitwise_or.reduce(np.uint64(1) << (_bytes(token) & 63).astype(np.uint64))
        # Abbreviations begin where the title begins; that also keeps what is looked at closely small.
        rows = np.flatnonzero(((self._letters & wanted) == wanted) & (self._first == _bytes(token)[0]))
        likely = rows[:MOST_LIKELY].tolist()
        return list(islice((at for at in likely if spread(token, self._titles[at]) >= 0), MOST_CLOSELY * 4))

    def _slipped(self, token: str) -> list[int]:
        codes = np.unique(_pair_codes(_bytes(token)[None, :])[0])
        shared = self._pairs[codes].sum(axis=0, dtype=np.uint8)
        least = max(1, len(codes) - 3)
        rows = np.flatnonzero(shared >= least)
        best = rows[np.argsort(PAIRS - shared[rows].astype(np.int16), kind="stable")[:MOST_CLOSELY]]
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


def slips(token: str, titles: Sequence[str]) -> list[int]:
    """For each title the least slips (a character too many, missing, another, or two exchanged) between the token and
    a part of it that begins where a word begins.

    All parts side by side, a row of numpy for each of the token's characters: O(len(token)^2) a part.
    """
    width = len(token) + allowed(token)
    parts = [
        (place, title[begin : begin + width])
        for place, title in enumerate(titles)
        for begin in [0, *(found.end() for found in _BETWEEN.finditer(title))][:MOST_WORDS]
    ]
    # Beyond its end a part is of characters that no token has.
    texts = (
        np.array([part for _, part in parts], dtype=f"U{width}").view(np.uint32).reshape(len(parts), width)
    )
    columns = np.arange(width + 1, dtype=np.int16)
    before = last = np.broadcast_to(columns, (len(parts), width + 1))
    for row, letter in enumerate(token, start=1):
        same = texts == ord(letter)
        now = np.empty_like(last)
        now[:, 0] = row
        now[:, 1:] = np.minimum(last[:, 1:] + 1, last[:, :-1] + ~same)
        if row > 1:
            exchanged = same[:, :-1] & (texts[:, 1:] == ord(token[row - 2]))
            fewest = np.where(exchanged, before[:, :-2] + 1, now[:, 2:])
            now[:, 2:] = np.minimum(now[:, 2:], fewest)
        # What is missing in the token: from every column on to the right, each step one slip.
        now = np.minimum.accumulate(now - columns, axis=1) + columns
        before, last = last, now
    found = [LONGEST] * len(titles)
    for (place, _), distance in zip(parts, last.min(axis=1).tolist(), strict=True):
        found[place] = min(found[place], distance)
    return found


def _bytes(token: str) -> np.ndarray:
    return np.frombuffer(token.encode(), np.uint8)


def _pair_codes(letters: np.ndarray) -> np.ndarray:
    """Pairs of neighbours in each row, as numbers below PAIRS."""
    wide = letters.astype(np.uint16)
    return (wide[:, :-1] * 31 + wide[:, 1:]) % PAIRS
