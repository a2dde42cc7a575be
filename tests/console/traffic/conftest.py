"""Certificates for the tests of traffic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from certificates_rig import Authority


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Signs certificates."""
    return Authority()


@pytest.fixture
def certificate(database: None, authority: Authority) -> Callable[..., Any]:
    """certificate(name, *names): keep one."""
    from console.actions import SYSTEM
    from console.traffic.actions.certificates import PutCertificate

    def keep(name: str, *names: str, days: int = 90) -> Any:
        pair = authority.issue(*(names or ("a.test",)), days=days)
        return PutCertificate(name, pair.chain, pair.key).run(SYSTEM)

    return keep
