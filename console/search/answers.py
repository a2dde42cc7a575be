"""The one question: a text, and who asks; the answer ranked, in groups of one kind each."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlencode

from django.urls import reverse

from console.accounts.models import User
from console.accounts.preferences import preferences_of
from console.jobs.models import Job
from console.pages.frame import places_of
from console.pages.lists import uuid_of
from console.placements.models import Decision, Placement
from console.search.doings import DOINGS, STATES, Doing, States
from console.search.index import index
from console.search.kinds import KINDS
from console.search.shelf import BEGINNING, NEARLY, TITLE, Entry, Hit, tokens_of

#: Kinds as they stand under each other where they are equally near.
ORDER: Final = ("page", *(name for name in KINDS if name != "page"), "action", "list")
MOST: Final = 24
MOST_OF_KIND: Final = 6
LONGEST_QUERY: Final = 200
#: With so few found as they were typed, what is only nearly that is looked for as well.
FEW: Final = 3
#: Things that a doing is offered for.
MOST_DONE_TO: Final = 4


@dataclass(frozen=True)
class Result:
    """path: where it leads. why_not: of an action, why this caller can't do it, "" where they can."""

    kind: str
    key: str
    title: str
    detail: str
    path: str
    why_not: str = ""
    tier: int = field(default=TITLE, compare=False)


@dataclass(frozen=True)
class Answer:
    """results: best kind first, best of each kind first; recent things where nothing was asked.

    took_ms: to find them. age_s: since the index was last compared with the database.
    """

    query: str
    results: Sequence[Result]
    took_ms: float
    age_s: float


def answer(text: str, user: User, *, kind: str = "", most: int = MOST, wait: bool = True) -> Answer:
    """What text leads to for this user. kind: only of that one. wait: for a look at the database.

    Cost: tens of nanoseconds a line of the index and token, and at most three queries.
    """
    began = time.perf_counter()
    index.refresh(wait=wait)
    text = text.replace("\0", "").strip()[:LONGEST_QUERY]
    tokens = tokens_of(text)
    found = _found(text, tokens, user, kind, most) if tokens else recent(user)
    keys = {place.name: place.key for place in places_of(user)}
    found = [replace(one, detail=f"g {keys[one.key]}") if one.kind == "page" else one for one in found]
    took_ms = (time.perf_counter() - began) * 1000
    return Answer(text, found[:most], round(took_ms, 2), round(max(0.0, index.age_s), 2))


def recent(user: User) -> list[Result]:
    """What this user opened last; what is gone since is left out."""
    opened = [each for each in preferences_of(user).get("recents") if each["kind"] in KINDS]
    return [
        _result(each["kind"], Hit(TITLE, entry))
        for each in opened
        if (entry := index[each["kind"]].by_key.get(each["key"]))
    ]


def _found(text: str, tokens: Sequence[str], user: User, kind: str, most: int) -> list[Result]:
    each = most if kind else MOST_OF_KIND
    kinds = [name for name in KINDS if kind in ("", name)]
    groups = {name: [_result(name, hit) for hit in index[name].find(tokens, each)] for name in kinds}
    if identity := uuid_of(text):
        for result in _by_identity(identity):
            if result.kind in groups and result not in groups[result.kind]:
                groups[result.kind].insert(0, result)
    if len(tokens) == 1 and sum(map(len, groups.values())) < FEW:
        for name in kinds:
            known = {result.key for result in groups[name]}
            nearly = [_result(name, hit) for hit in index[name].find_nearly(tokens[0], each)]
            groups[name] += [result for result in nearly if result.key not in known]
    if kind in ("", "action"):
        groups["action"] = _doable(tokens, groups.get("host", []), user)[:each]
    if kind == "":
        groups["list"] = list(_lists(text, groups))
    full = [(name, found) for name, found in groups.items() if found]
    full.sort(key=lambda group: (min(result.tier for result in group[1]), ORDER.index(group[0])))
    return [result for _, found in full for result in found]


def _result(kind: str, hit: Hit) -> Result:
    entry = hit.entry
    return Result(kind, entry.key, entry.title, entry.detail, KINDS[kind].path(entry.key), tier=hit.tier)


def _by_identity(identity: object) -> Iterable[Result]:
    """What goes by an identity, also when it is too old for the index."""
    if job := Job.objects.filter(pk=identity).only("task").first():
        yield _result("job", Hit(TITLE, Entry(str(job.pk), job.task, detail=str(job.pk))))
    held = Placement.objects.filter(pk=identity).values_list("decision_id", "name", "host__name").first()
    if held:
        yield _result("placement", Hit(TITLE, Entry(str(held[0]), held[1], detail=f"on {held[2]}")))
    decision = Decision.objects.filter(pk=identity).only("name", "sentence").first()
    if decision:
        entry = Entry(str(decision.pk), decision.name, detail=decision.sentence[:120])
        yield _result("decision", Hit(TITLE, entry))


def _lists(text: str, groups: dict[str, list[Result]]) -> Iterable[Result]:
    """The whole list of each kind that has more than is shown, and of the decisions, which go further back."""
    for name, found in groups.items():
        if name in KINDS and (listed := KINDS[name].listed) and len(found) >= MOST_OF_KIND:
            page, parameter = listed
            path = f"{reverse(page)}?{urlencode({parameter: text})}"
            yield Result("list", page, f"All {page} with “{text}”", "the list", path, tier=NEARLY + 1)


# -- what can be done -------------------------------------------------------------------------------


def _doable(tokens: Sequence[str], hosts: Sequence[Result], user: User) -> list[Result]:
    """Actions by name ("drain web-1", "new service"), and those of a host that was named in full."""
    named: list[tuple[Doing, Hit | None]] = []
    for doing in DOINGS:
        rest = _after_verb(doing.verb, tokens)
        if rest is None:
            continue
        if not doing.of:
            if not rest:
                named.append((doing, None))
            continue
        named += [(doing, hit) for hit in _done_to(doing.of, rest)]
    if hosts and hosts[0].tier == TITLE:
        entry = Entry(hosts[0].key, hosts[0].title)
        named += [(doing, Hit(NEARLY, entry)) for doing in DOINGS if doing.of == "host"]
    states = _states(named)
    found = [_offered(doing, hit, states, user) for doing, hit in named]
    return sorted(found, key=lambda result: (result.tier, bool(result.why_not)))


def _after_verb(verb: str, tokens: Sequence[str]) -> Sequence[str] | None:
    """The tokens behind the verb's words, of which the last may be half typed; None where it is another verb."""
    words = verb.split()
    if len(tokens) == 1 and len(words) > 1 and len(tokens[0]) >= 2:
        return [] if any(word.startswith(tokens[0]) for word in words) else None
    said = tokens[: len(words)]
    fits = all(word.startswith(token) for word, token in zip(words, said, strict=False))
    if not fits or len(said[0]) < 2 or (len(tokens) > len(said) and len(said) < len(words)):
        return None
    return tokens[len(words) :]


def _done_to(kind: str, rest: Sequence[str]) -> list[Hit]:
    """The things of a kind that the rest of the query names; the first ones where it names none yet."""
    shelf = index[kind]
    if not rest:
        return [Hit(BEGINNING, entry) for entry in shelf.entries[:2]]
    hits = shelf.find(rest, MOST_DONE_TO)
    return hits or (shelf.find_nearly(rest[0], MOST_DONE_TO) if len(rest) == 1 else [])


def _states(named: Sequence[tuple[Doing, Hit | None]]) -> dict[str, States]:
    """The present states of what is offered: one query a kind that has any."""
    found = {}
    for kind, read in STATES.items():
        keys = {hit.entry.key for doing, hit in named if hit and doing.of == kind}
        found[kind] = read(sorted(keys)) if keys else {}
    return found


def _offered(doing: Doing, hit: Hit | None, states: dict[str, States], user: User) -> Result:
    explains = " ".join((doing.action.__doc__ or "").split())
    if hit is None:
        verb = doing.verb.capitalize()
        return Result(
            "action", doing.verb, verb, explains, doing.path(""), doing.refusal(user, None), BEGINNING
        )
    entry = hit.entry
    state = states.get(doing.of, {}).get(entry.key)
    offered = Result("action", f"{doing.verb} {entry.key}", f"{doing.verb.capitalize()} {entry.title}", explains,
                     doing.path(entry.key), doing.refusal(user, state), hit.tier)  # fmt: skip
    return replace(offered, detail=entry.detail or explains) if doing.of in ("job", "endpoint") else offered
