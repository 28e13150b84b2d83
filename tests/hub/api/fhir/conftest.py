"""Asynchronous tests run on asyncio alone, which is what the hub runs on."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
