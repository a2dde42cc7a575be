"""One product for all tests of this folder; each test finds it well."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from product import Product


@pytest.fixture(scope="session")
def started() -> Iterator[Product]:
    """The whole product, started once, in a folder whose path leaves room for sockets' names."""
    folder = Path(tempfile.mkdtemp(prefix="stack"))
    product = Product(folder)
    try:
        product.start()
        yield product
    except BaseException:
        print(product.logs())
        raise
    finally:
        product.stop()
        shutil.rmtree(folder)


@pytest.fixture
def product(started: Product, request: pytest.FixtureRequest) -> Iterator[Product]:
    """The product, mended and well. After a test that failed its logs are shown."""
    failed_before = request.session.testsfailed
    started.settle()
    yield started
    if request.session.testsfailed > failed_before:
        print(started.logs())


@pytest.fixture
def tree(product: Product) -> Callable[..., int]:
    """tree(host, name, files, bytes a file): random files to make a shard of; returns their size."""

    def make(host: str, name: str, files: int = 8, file_bytes: int = 20_000) -> int:
        for number in range(files):
            file = product.hosts[host].imports / name / f"part-{number % 7}" / f"{number}.bin"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(os.urandom(file_bytes))
        return files * file_bytes

    return make
