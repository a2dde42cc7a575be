"""The chain in a real browser: what flows appears on it, arrow keys walk along it, a change makes it anew."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from selenium.webdriver.common.keys import Keys
from test_browser_every_page import free_port

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def front(stack: Any) -> Iterator[str]:
    """A web service with a name that leads to an application, and a database."""
    where = f"127.0.0.1:{free_port()}"
    settings = stack.folder / "chain.json"
    settings.write_text(
        json.dumps({"http": {"hosts": ["chained.test"], "destinations": [{"service": "chained-app"}]}})
    )
    pool = ["service", "create", "chained-app", "--protocol", "http", "--tier", "application"]
    stack.run(*pool, "--endpoint", "web-1:9")
    web = ["service", "create", "chained-web", "--listen", where, "--protocol", "http", "--tier", "web"]
    stack.run(*web, "--endpoint", "web-2:9", "--settings", str(settings))
    yield where
    for name in ("chained-web", "chained-app"):
        stack.run("service", "remove", name)


def focused(browser: Any) -> str:
    return str(browser.script("return document.activeElement.closest('[data-node]')?.dataset.node ?? ''"))


def test_arrow_keys_walk_along_the_chain(front: str, stack: Any, browser: Any) -> None:
    """From the name over the balancer and the web servers to the application, and back; the others step back."""
    browser.driver.get(f"{stack.url}/chain/")
    browser.wait(lambda: browser.script("return Boolean(customElements.get('chain-picture'))"), "the element")
    browser.script("document.querySelector('[data-node=\"name:chained-web\"] a').focus()")
    near = browser.script(
        "return [...document.querySelectorAll('.card.near')].map((card) => card.dataset.node)"
    )
    way = [focused(browser)]
    for key in (Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT):
        browser.driver.switch_to.active_element.send_keys(key)
        way.append(focused(browser))

    assert {"name:chained-web", "service:chained-web"} <= set(near)
    assert ["name", "engine", "service", "service", "service"] == [each.partition(":")[0] for each in way]
    assert [way[0], way[3], way[4]] == ["name:chained-web", "service:chained-app", "service:chained-web"]
    assert browser.faults() == []


def test_what_nobody_answers_is_marked_without_a_reload(front: str, stack: Any, browser: Any) -> None:
    """No server listens there: once the engine has tried, the failing requests stand on the line and in the list."""

    browser.driver.get(f"{stack.url}/chain/?q=chained")
    browser.script("window.kept = true")

    def failing() -> bool:
        for _ in range(5):
            httpx.get(f"http://{front}/", headers={"host": "chained.test"}, trust_env=False)
        return "✕" in browser.text('.chain-list [data-node="service:chained-app"] [data-show="word"]')

    browser.wait(failing, "the mark on the application", 30)

    assert browser.script("return window.kept")
    # Services of other tests may be as bad; whose turn it is to be named first is theirs to say.
    assert "endpoints serves" in browser.text('[data-show="verdict"]')
    row = '.chain-list [data-node="service:chained-app"] [data-show="sentence"]'
    assert "chained-app" in browser.text(row)


def test_a_new_service_is_on_the_picture_by_itself(front: str, stack: Any, browser: Any) -> None:
    """The page reads itself anew when what is configured changed."""
    browser.driver.get(f"{stack.url}/chain/")
    stack.run(
        "service",
        "create",
        "chained-db",
        "--protocol",
        "tcp",
        "--tier",
        "database",
        "--endpoint",
        "db-1:5432",
    )
    found = "document.querySelector('.chain [data-node=\"service:chained-db\"]')"
    browser.wait(lambda: browser.script(f"return Boolean({found})"), "the new service", 10)
    stack.run("service", "remove", "chained-db")
    browser.wait(lambda: not browser.script(f"return Boolean({found})"), "its going", 10)
