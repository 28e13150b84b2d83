"""What all tests share: how hard the properties search.

`default` draws the same examples every time, so that a failure is the change's and not the day's. `nightly` searches
anew and longer (`make nightly`); `brief` is for a second look at what was searched before (the other hash seed).
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "default", deadline=None, derandomize=True, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "nightly", deadline=None, max_examples=3000, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile(
    "brief", deadline=None, derandomize=True, max_examples=20, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("PXHUB_PROPERTIES", "default"))


def pytest_configure(config: pytest.Config) -> None:
    # kafka-python reads its schemas, at import, by a function that Python 3.11 and 3.12 call deprecated
    config.addinivalue_line("filterwarnings", "ignore:(read|open)_text is deprecated:DeprecationWarning")
