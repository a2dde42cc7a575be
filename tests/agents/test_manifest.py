"""Which trees a shard may be, and what tells two apart."""

from __future__ import annotations

import os
import posixpath
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.manifest import WrongTree, check_path, check_target, summarise, walk
from agents.shards import remove_tree

PARTS = st.sampled_from(["a", "b", "c", "..", ".", "", "é", "x\0y"])
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=12).filter(
    lambda name: name not in {".", ".."} and len(name.encode()) < 200
)
TREES = st.recursive(
    st.binary(max_size=40), lambda inner: st.dictionaries(NAMES, inner, max_size=4), max_leaves=10
)


def build(root: Path, tree: object) -> None:
    """Write a tree of nested dictionaries (directories) and bytes (files) under root."""
    assert isinstance(tree, dict)
    for name, inner in tree.items():
        if isinstance(inner, bytes):
            (root / name).write_bytes(inner)
        else:
            (root / name).mkdir()
            build(root / name, inner)


@given(st.lists(PARTS, max_size=5).map("/".join))
def test_safety_an_accepted_path_stays_inside(path: str) -> None:
    """Whatever check_path lets through is its own normal form and does not climb."""
    try:
        check_path(path)
    except WrongTree:
        return

    assert path == posixpath.normpath(path)
    assert not path.startswith(("/", ".."))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 5), st.lists(st.sampled_from(["d0", "d1", "l0", "l1", "..", "."]), max_size=5)
        ),
        max_size=6,
    )
)
def test_safety_links_that_are_accepted_never_lead_out(links: list[tuple[int, list[str]]]) -> None:
    """Any set of accepted links, followed by the real kernel in any combination, ends inside the tree."""
    with tempfile.TemporaryDirectory() as outer:
        root = Path(os.path.realpath(outer)) / "up" / "tree"
        places = [root, root / "d0", root / "d0" / "d0", root / "d0" / "d1", root / "d1", root / "d1" / "d0"]
        for place in places:
            place.mkdir(parents=True)
        for number, (where, target) in enumerate(links):
            link = places[where] / f"l{number % 2}"
            path = str(link.relative_to(root))
            try:
                check_target(path, "/".join(target))
            except WrongTree:
                continue
            if not link.is_symlink():
                link.symlink_to("/".join(target))
        for place in places:
            for name in ("l0", "l1"):
                try:
                    end = (place / name).resolve(strict=True)
                except (FileNotFoundError, RuntimeError, OSError):
                    continue
                assert end.is_relative_to(root)


@settings(max_examples=40, deadline=None)
@given(TREES.filter(lambda tree: isinstance(tree, dict)), TREES.filter(lambda tree: isinstance(tree, dict)))
def test_equal_trees_and_only_they_have_equal_digests(one: object, other: object) -> None:
    """The digest is a function of the tree alone, and different trees differ."""
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        build(Path(first), one)
        build(Path(second), other)
        digests = summarise(Path(first)), summarise(Path(second))

        assert (one == other) == (digests[0].digest == digests[1].digest)
        assert digests[0].bytes == sum(entry.size for entry in walk(Path(first)))


def test_mode_content_name_and_link_all_count(tmp_path: Path) -> None:
    """Each single change gives another digest; times and owners give none."""
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "d").mkdir()
    (tmp_path / "l").symlink_to("a")
    seen = [summarise(tmp_path).digest]
    os.utime(tmp_path / "a", (1, 1))
    assert seen == [summarise(tmp_path).digest]
    for change in (
        lambda: (tmp_path / "a").chmod(0o640),
        lambda: (tmp_path / "d").chmod(0o700),
        lambda: (tmp_path / "a").write_bytes(b"two"),
        lambda: (tmp_path / "a").rename(tmp_path / "b"),
        lambda: ((tmp_path / "l").unlink(), (tmp_path / "l").symlink_to("d")),
    ):
        change()
        seen.append(summarise(tmp_path).digest)

    assert len(set(seen)) == 6


@pytest.mark.parametrize("target", ["/etc/passwd", "..", "../x", "d/../../x", "d/..", "", "a//b", "./a"])
def test_links_out_of_the_tree_are_refused(tmp_path: Path, target: str) -> None:
    """A source that holds such a link cannot become a shard, and the error names the link."""
    with pytest.raises(WrongTree, match="'l'"):
        check_target("l", target)


def test_devices_and_pipes_are_refused(tmp_path: Path) -> None:
    """Only files, directories and links."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WrongTree, match="pipe"):
        summarise(tmp_path)


def test_remove_tree_removes_what_is_closed(tmp_path: Path) -> None:
    """Directories without permissions go as well, and links are not followed."""
    (tmp_path / "kept").write_bytes(b"x")
    tree = tmp_path / "t"
    (tree / "d" / "e").mkdir(parents=True)
    (tree / "out").symlink_to(tmp_path)
    (tree / "d" / "e").chmod(0)
    (tree / "d").chmod(0)
    remove_tree(tree)
    remove_tree(tree)

    assert [tmp_path / "kept"] == list(tmp_path.iterdir())
