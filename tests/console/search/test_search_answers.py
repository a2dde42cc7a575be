"""What the search finds, in which order, and for whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from console.search.nearly import slips, spread
from console.search.shelf import BEGINNING, INSIDE, TITLE, WORD, Entry, Shelf, tokens_of


def titles(answer: dict[str, Any], kind: str) -> list[str]:
    return [each["title"] for each in answer["results"] if each["kind"] == kind]


def test_nearer_comes_first() -> None:
    """The name itself, then what begins with it, then words, then what has it inside."""
    shelf = Shelf([Entry(name, name) for name in ("cobweb", "my-web", "web-1", "web")])
    hits = shelf.find(tokens_of("WEB"), 9)

    assert [hit.entry.title for hit in hits] == ["web", "web-1", "my-web", "cobweb"]
    assert [hit.tier for hit in hits] == [TITLE, BEGINNING, WORD, INSIDE]


def test_every_word_must_be_there() -> None:
    """Words may be in the title or beside it, in any order."""
    shelf = Shelf([Entry("web-1", "web-1", "zone=north"), Entry("web-2", "web-2", "zone=south")])

    assert [hit.entry.key for hit in shelf.find(tokens_of("north web"), 9)] == ["web-1"]
    assert shelf.find(tokens_of("north db"), 9) == []


@pytest.mark.parametrize("typed", ["wbe-0012", "web-012", "web-00112", "wxb-0012", "w12"])
def test_slips_and_abbreviations_are_found(typed: str) -> None:
    """Exchanged, missing, further and other characters, and initials, among many like it."""
    shelf = Shelf([Entry(f"web-{n:04}", f"web-{n:04}") for n in range(300)])

    assert "web-0012" in [hit.entry.key for hit in shelf.find_nearly(typed, 30)]


def test_distance_is_counted_in_slips() -> None:
    """One for each exchange, loss or change, to the best word of the title."""
    assert slips("wbe", ["web-1", "the web", "wbe", "x", ""]) == [1, 1, 0, 3, 3]
    assert [slips("north", ["a-norht"]), slips("web", ["web"]), slips("web-012", ["web-0012"])] == [
        [1],
        [0],
        [1],
    ]
    assert [spread("w12", "web-12"), spread("wz", "web"), spread("eb", "web")] == [3, -1, -1]


def test_one_index_of_everything(api: Any, furnished: Any) -> None:
    """Each kind is found by its name, with the page that it leads to."""
    for typed, kind, path in (
        ("web-1", "host", "/hosts/web-1/"),
        ("shop", "service", "/services/shop/"),
        ("web-1:8080", "endpoint", "/endpoints/?service=shop&host=web-1"),
        ("photos", "shard", "/shards/photos/"),
        ("defau", "storage-pool", "/storage-pools/default/"),
        ("report", "decision", f"/decisions/{furnished.placed}/"),
        ("report", "placement", f"/decisions/{furnished.placed}/"),
        ("demo.add", "job", f"/jobs/{furnished.job}/"),
        ("host.join", "event", "/events/?act="),
        ("envoy", "page", "/engines/"),
        (str(furnished.refused), "decision", f"/decisions/{furnished.refused}/"),
        ("new serv", "action", "/services/new/"),
    ):
        answer = api.viewer.get("/api/v1/search/", {"q": typed}).json()
        paths = [each["path"] for each in answer["results"] if each["kind"] == kind]
        assert paths, (typed, kind)
        assert paths[0].startswith(path), (typed, paths)


def test_what_somebody_may_not_do_stands_there_with_the_reason(api: Any, furnished: Any) -> None:
    """The role for a viewer, the state for an operator; never hidden."""

    def drain(caller: Any) -> str:
        answer = caller.get("/api/v1/search/", {"q": "drain web-2"}).json()
        return next(each["why_not"] for each in answer["results"] if each["title"] == "Drain web-2")

    assert drain(api.viewer) == "Asks for the role operator; you have the role viewer."
    assert drain(api.operator) == ""
    assert api.operator.post("/api/v1/hosts/web-2/drain/").status_code == 200
    assert drain(api.operator) == "The host is draining."


def test_what_is_new_is_found_at_once(api: Any, cluster: Any) -> None:
    """Who asks once waits for a look at the database; what is gone is not found any more."""
    cluster.add("web-1")
    before = titles(api.viewer.get("/api/v1/search/", {"q": "db-7"}).json(), "host")
    cluster.add("db-7")
    after = titles(api.viewer.get("/api/v1/search/", {"q": "db-7"}).json(), "host")
    assert api.admin.post("/api/v1/hosts/db-7/remove/").status_code == 204
    from console.live.picture import picture

    picture.load()

    assert (before, after) == ([], ["db-7"])
    assert titles(api.viewer.get("/api/v1/search/", {"q": "db-7"}).json(), "host") == []


def test_what_grows_is_kept_as_a_whole_look_would_have_it(
    api: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what is new is read of jobs, placements, decisions and events; of releases everything."""
    from console.search import kinds
    from console.search.index import Index
    from console.search.kinds import KINDS

    # Everything here is of the same few seconds: without the overlap it would all be read again.
    monkeypatch.setattr(kinds, "OVERLAP", timedelta(0))
    monkeypatch.setattr(kinds, "OVERLAP_ROWS", 0)
    cluster.add("web-1", cpu=64.0)
    index, placed = Index(), []
    for step in range(8):
        if step in (3, 6):
            assert api.operator.post(f"/api/v1/placements/{placed.pop(0)}/release/").status_code == 200
        else:
            load = {"kind": "service", "name": f"pool-{step}", "demand": {"cpu": 1}}
            placed.append(api.operator.post("/api/v1/placements/", load).json()["id"])
            job = {"task": f"demo.step_{step}", "demand": {"cpu": 1}}
            assert api.operator.post("/api/v1/jobs/", job).status_code == 201
        index.refresh(wait=True)
        for name in ("job", "placement", "decision", "event"):
            assert list(index[name].entries) == KINDS[name].read(), (step, name)


def test_recent_things_are_kept_newest_first(api: Any, furnished: Any) -> None:
    """Opened again goes to the front; they are one person's own; gone things are left out."""
    for kind, key in (("host", "web-1"), ("service", "shop"), ("host", "gone"), ("host", "web-1")):
        answer = api.viewer.post("/api/v1/search/opened/", {"kind": kind, "key": key})
        assert answer.status_code == 204
    mine = api.viewer.get("/api/v1/search/").json()["results"]

    assert [each["key"] for each in mine] == ["web-1", "shop"]
    assert api.operator.get("/api/v1/search/").json()["results"] == []


@pytest.mark.parametrize("query", [{"q": "\0%_'\\\"<b>"}, {"q": "é" * 999}, {"q": "a " * 400}])
def test_no_query_is_too_strange(query: dict[str, str], api: Any, furnished: Any) -> None:
    """Hostile texts are looked for like others, and find nothing or something."""
    assert api.viewer.get("/api/v1/search/", query).status_code in (200, 400)


@pytest.mark.parametrize("query", [{"kind": "planet"}, {"limit": "0"}, {"limit": "x"}])
def test_what_is_no_question_is_refused(query: dict[str, str], api: Any) -> None:
    """400 naming the field."""
    answer = api.viewer.get("/api/v1/search/", {"q": "web", **query})

    assert answer.status_code == 400
    assert next(iter(query)) in answer.content.decode()


def test_page_of_results_needs_no_script(browsers: Any, furnished: Any) -> None:
    """Groups with links; what can't be done with its reason; nothing found says so; texts stay texts."""
    text = browsers.viewer.get("/search/", {"q": "drain web"}).content.decode()
    nothing = browsers.viewer.get("/search/", {"q": "<b>qqqq"}).content.decode()

    assert "Drain web-1" in text
    assert "Asks for the role operator" in text
    assert "Nothing is like" in nothing
    assert "<b>qqqq" not in nothing
    assert browsers.viewer.get("/search/", {"q": "web-1"})["Location"] == "/hosts/web-1/"
