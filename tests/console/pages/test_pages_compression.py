"""What goes over the wire is compressed, but for what is secret."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from django.urls import reverse

from bench.results import ROOT

GZIP = {"HTTP_ACCEPT_ENCODING": "gzip, deflate, br"}


@pytest.mark.parametrize("path", ["js/live.js", "css/base.css"])
def test_scripts_and_styles_are_sent_compressed(path: str, browsers: Any) -> None:
    """To who can read it, and the same content; a cache is told to keep both apart."""
    plain = (ROOT / "static" / path).read_bytes()
    packed = [browsers.anonymous.get(f"/static/{path}", **GZIP) for _ in range(2)]
    as_it_is = browsers.anonymous.get(f"/static/{path}")

    for answer in packed:
        assert answer["Content-Encoding"] == "gzip"
        assert int(answer["Content-Length"]) == len(answer.content) < len(plain) / 2
        assert gzip.decompress(answer.content) == plain
    assert as_it_is.content == plain
    assert not as_it_is.has_header("Content-Encoding")
    assert "Accept-Encoding" in packed[0]["Vary"] and "Accept-Encoding" in as_it_is["Vary"]


def test_a_part_of_a_static_file_is_sent_as_it_is(browsers: Any) -> None:
    """Ranges count the plain file's bytes."""
    plain = (ROOT / "static/js/live.js").read_bytes()
    answer = browsers.anonymous.get("/static/js/live.js", HTTP_RANGE="bytes=10-19", **GZIP)

    assert (answer.status_code, answer.content) == (206, plain[10:20])
    assert not answer.has_header("Content-Encoding")


def test_a_static_file_that_is_known_is_not_sent_again(browsers: Any) -> None:
    """By the date of the copy that the browser has."""
    first = browsers.anonymous.get("/static/js/live.js", **GZIP)
    again = browsers.anonymous.get("/static/js/live.js", HTTP_IF_NONE_MATCH=first["ETag"], **GZIP)

    assert (again.status_code, again.content) == (304, b"")


def test_pages_and_answers_are_sent_compressed(browsers: Any, furnished: Any) -> None:
    """Each time with another length, so that the length says nothing of the content."""
    answers = [browsers.viewer.get(reverse("hosts"), **GZIP) for _ in range(12)]
    listed = browsers.viewer.get("/api/v1/hosts/", **GZIP)

    assert {answer["Content-Encoding"] for answer in (*answers, listed)} == {"gzip"}
    assert b"web-1" in gzip.decompress(answers[0].content)
    assert len({len(answer.content) for answer in answers}) > 1


@pytest.mark.parametrize("name", ["second-factor", "new-token", "add-host"])
def test_pages_with_secrets_are_sent_as_they_are(name: str, browsers: Any, furnished: Any) -> None:
    """Codes and tokens stand on pages that nobody may keep."""
    answer = browsers.admin.get(reverse(name), **GZIP)

    assert answer.status_code == 200
    assert not answer.has_header("Content-Encoding")
