"""Every page against axe-core's rules, none of them switched off, in both schemes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from browser_rig import AXE
from test_browser_every_page import LISTS

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

#: Swagger's own markup, which is not ours to change: /api/ says the same and is looked at.
FOREIGN = ["/api/explorer/"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(scheme: str, stack: Any, browser: Any) -> None:
    """No violation on any page; what is found is said with its page, rule and element."""
    axe = AXE.read_text()
    browser.scheme(scheme)
    found = {}
    for page in (each for each in LISTS if each not in FOREIGN):
        browser.driver.get(stack.url + page)
        browser.wait(lambda: browser.text("live-indicator") == "Live", f"the live feed on {page}")
        browser.driver.execute_script(axe)
        violations = browser.driver.execute_async_script(
            "const done = arguments[0]; axe.run().then(({ violations }) => done(violations.map("
            "({ id, nodes }) => [id, nodes.slice(0, 3).map((node) => node.html.slice(0, 200))])))"
        )
        if violations:
            found[page] = violations

    assert found == {}, json.dumps(found, indent=1)
