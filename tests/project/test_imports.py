"""DESIGN.md's table of packages holds: who may import whom, and that the core stays pure."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from tests.project.places import PACKAGES, ROOT

CLOCK_AND_CHANCE = {"now", "utcnow", "today", "time_ns", "perf_counter", "monotonic", "uuid4", "urandom", "getrandbits"}


def test_the_import_rules_hold() -> None:
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    run = subprocess.run(
        [sys.executable, "-c", command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=50
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "0 broken" in run.stdout


def test_the_core_calls_no_clock_under_another_name() -> None:
    calls = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.func.attr}"
        for place in ("schemas", "streams/core")
        for path in sorted((ROOT / place).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCK_AND_CHANCE
    ]
    assert calls == []


def test_every_package_says_that_it_is_typed() -> None:
    missing = [name for name in PACKAGES if not (ROOT / name / "py.typed").is_file()]
    assert missing == []


def test_every_folder_of_modules_is_a_package() -> None:
    folders: set[Path] = {path.parent for name in PACKAGES for path in (ROOT / name).rglob("*.py")}
    assert sorted(str(folder.relative_to(ROOT)) for folder in folders if not (folder / "__init__.py").is_file()) == []
