"""What a browser loads at first stays small."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest

from bench.first_load import MOST_CSS_KB, MOST_JS_KB, first_load
from bench.results import ROOT


@pytest.mark.parametrize("page", ["/", "/hosts/", "/hosts/web-1/", "/chain/", "/services/shop/"])
def test_script_and_style_keep_to_the_budget(page: str, browsers: Any, furnished: Any) -> None:
    """All that the page names and what that imports, as it is sent; every file of it is there."""

    def fetch(path: str) -> tuple[bytes, int]:
        answer = browsers.viewer.get(path, HTTP_ACCEPT_ENCODING="gzip")
        assert answer.status_code == 200, path
        packed = answer.get("Content-Encoding") == "gzip"
        assert packed or not path.startswith("/static/"), path
        return gzip.decompress(answer.content) if packed else bytes(answer.content), len(answer.content)

    loaded = first_load(page, fetch)

    assert loaded.js_kb <= MOST_JS_KB, loaded.js
    assert loaded.css_kb <= MOST_CSS_KB, loaded.css
    assert "/static/js/main.js" in loaded.js


@pytest.mark.parametrize("module", sorted((ROOT / "static/js").glob("*.js")), ids=lambda path: path.stem)
def test_what_modules_import_is_exported(module: Path) -> None:
    """A browser would not run the module, nor any that imports it, and nobody would see why."""
    for names, path in re.findall(r"""^import \{([^}]+)\} from "(\./[^"]+)";""", module.read_text(), re.M):
        other = (module.parent / path).read_text()
        exported = set(re.findall(r"^export (?:async )?(?:function|class|const|let) (\w+)", other, re.M))
        exported |= {
            name.strip()
            for each in re.findall(r"^export \{([^}]+)\}", other, re.M)
            for name in each.split(",")
        }
        imported = {name.split(" as ")[0].strip() for name in names.split(",") if name.strip()}

        assert imported <= exported, path


def test_imports_are_followed_once_each() -> None:
    """Static ones over several lines, those of the moment, and rings of them."""
    files = {
        "/page/": b'<link rel="stylesheet" href="/a.css"><script type="module" src="/js/a.js"></script>',
        "/a.css": b"a { b: c }",
        "/js/a.js": b'import {\n  b,\n} from "./b.js";\nconst c = await import("../dist/c.js");',
        "/js/b.js": b'import "./a.js";\nexport const text = "no import of \'this\'";',
        "/dist/c.js": b"",
    }
    loaded = first_load("/page/", lambda path: (files[path], len(files[path])))

    assert set(loaded.js) == {"/js/a.js", "/js/b.js", "/dist/c.js"}
    assert set(loaded.css) == {"/a.css"}
