"""What each person keeps on the server: keys with schemas, and the theme on the first paint."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client


def test_a_preference_is_kept_for_its_owner(api: Any) -> None:
    """Until it is chosen the default holds; others keep theirs; forgotten, the default holds again."""
    path = "/api/v1/preferences/theme/"
    assert api.viewer.get(path).json()["document"] == "system"
    assert api.viewer.put(path, {"document": "dark"}).json()["chosen"] is True

    assert api.viewer.get(path).json()["document"] == "dark"
    assert api.operator.get(path).json()["document"] == "system"
    assert api.viewer.delete(path).status_code == 204
    assert api.viewer.get(path).json()["chosen"] is False


@pytest.mark.parametrize(
    ("key", "document"),
    [
        ("theme", "pink"),
        ("keys", "yes"),
        ("columns.hosts", ["x" * 65]),
        ("views.hosts", [{"name": "mine"}]),
        ("views.hosts", [{"name": "mine", "query": "", "more": 1}]),
        ("views.hosts", [{"name": "n", "query": "q" * 2000}] * 20),
        ("recents", [{"kind": "host", "key": "a"}] * 13),
    ],
)
def test_what_the_schema_does_not_know_is_refused(key: str, document: Any, api: Any) -> None:
    """400 with the place in the document; what was kept stays."""
    path = f"/api/v1/preferences/{key}/"
    answer = api.viewer.put(path, {"document": document})

    assert answer.status_code == 400
    assert "document" in answer.content.decode()
    assert api.viewer.get(path).json()["chosen"] is False


@pytest.mark.parametrize("key", ["planet", "columns.", "columns", "columns." + "x" * 60])
def test_a_key_must_be_declared(key: str, api: Any) -> None:
    """404 for keys that nobody declared, so that nothing is kept that nothing reads."""
    assert api.viewer.put(f"/api/v1/preferences/{key}/", {"document": []}).status_code == 404


def test_families_have_a_document_for_each_list(api: Any) -> None:
    """Columns and views of a list, by the list's name; listed with the others."""
    views = [{"name": "north", "query": "label=zone%3Dnorth"}]
    api.viewer.put("/api/v1/preferences/views.hosts/", {"document": views})
    listed = {each["key"]: each["document"] for each in api.viewer.get("/api/v1/preferences/").json()}

    assert listed["views.hosts"] == views
    assert {"theme", "density", "keys", "recents"} <= set(listed)
    assert "columns.hosts" not in listed


def test_one_person_does_not_keep_without_end(api: Any) -> None:
    """409 beyond the most keys; those that are there can still be changed."""
    from console.accounts.preferences import MOST_KEYS

    for number in range(MOST_KEYS):
        api.viewer.put(f"/api/v1/preferences/columns.l{number}/", {"document": []})

    assert api.viewer.put("/api/v1/preferences/columns.more/", {"document": []}).status_code == 409
    assert api.viewer.put("/api/v1/preferences/columns.l1/", {"document": ["a"]}).status_code == 200


def test_the_first_paint_has_the_theme(user: Any) -> None:
    """The form of the frame keeps theme, density and keys; the next page's own text says them."""
    client = Client()
    client.force_login(user("viewer"))
    form = {"theme": "dark", "density": "compact", "next": "/events/"}

    assert client.post("/look/", form)["Location"] == "/events/"
    text = client.get("/events/").content.decode()
    assert 'data-theme="dark" data-density="compact"' in text
    assert '<meta name="color-scheme" content="dark">' in text
    assert 'data-keys="off"' in text
    assert client.post("/look/", {**form, "next": "https://evil.example/"})["Location"] == "/"


def keys_of(client: Client) -> dict[str, str]:
    """By page, as its links say them."""
    page = client.get("/settings/").content.decode()
    return dict(re.findall(r'<a href="([^"]+)" data-key="(.)"', page))


def test_keys_of_pages_are_chosen_and_stay_one_page_s_each(user: Any, api: Any, live: None) -> None:
    """Whose key is taken gets the other one; the search says them too; what is no key is refused, and nothing kept."""
    client = Client()
    client.force_login(user("viewer"))
    before = keys_of(client)
    client.post("/look/", {"go.map": "h", "go.jobs": "k", "next": "/settings/"})
    chosen = keys_of(client)
    client.post("/look/", {f"go.{name}": key for name, key in (("map", "h"), ("hosts", "m"), ("jobs", "k"))})
    again = keys_of(client)
    client.post("/look/", {"go.map": "?"})
    client.post("/look/", {"go.map": ""})
    kept = keys_of(client)
    found = api.viewer.get("/api/v1/search/?q=hosts&kind=page").json()["results"]
    client.post("/look/", {"go.map": "m"})

    assert (before["/"], before["/hosts/"], before["/jobs/"]) == ("m", "h", "j")
    assert (chosen["/"], chosen["/hosts/"], chosen["/jobs/"]) == ("h", "m", "k")
    assert len(set(chosen.values())) == len(chosen)
    assert chosen == again == kept
    assert [each["detail"] for each in found if each["key"] == "hosts"] == ["g m"]
    assert keys_of(client) == before
