"""Names that hide, modules that grow, and what must not be committed."""

from __future__ import annotations

import ast
import re

from tests.project.places import PACKAGES, ROOT, modules, text_of, tracked_files

HIDING = {"manager", "util", "utils", "helper", "helpers", "base", "common", "misc", "core_utils", "impl"}
LINES_AT_MOST = 400

# Written in parts, for this file is read by its own test.
MACHINE_PATHS = ("/" + "work/", "/" + "root/", "/" + "home/")
REGISTRY_HOSTS = re.compile(
    "|".join(
        re.escape(".".join(parts))
        for parts in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("npmjs", "org"),
            ("crates", "io"),
            ("golang", "org"),
            ("maven", "org"),
            ("deb", "debian", "org"),
        )
    )
)


def test_no_module_has_a_name_that_hides_its_job() -> None:
    hiding = [
        str(path.relative_to(ROOT))
        for path in modules()
        for part in (path.stem, path.parent.name)
        if part in HIDING or any(part.endswith(f"_{word}") for word in HIDING)
    ]
    assert hiding == []


def test_no_class_is_a_manager() -> None:
    classes = [
        f"{path.relative_to(ROOT)} {node.name}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and re.search(r"(Manager|Util|Utils|Helper|Mixin|Impl)$", node.name)
    ]
    assert classes == []


def test_no_module_is_longer_than_400_lines() -> None:
    lines = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n") for path in modules()}
    assert {name: count for name, count in lines.items() if count > LINES_AT_MOST} == {}


def test_no_file_names_a_machine_or_a_registry() -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in tracked_files()
        if (text := text_of(path)) is not None
        and (any(place in text for place in MACHINE_PATHS) or REGISTRY_HOSTS.search(text))
    ]
    assert found == []


def test_locks_name_hashes_and_no_host() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text(encoding="utf-8")
        pins = re.findall(r"^[a-z0-9.-]+==", text, re.MULTILINE)
        blocks = re.split(r"^(?=[a-z0-9.-]+==)", text, flags=re.MULTILINE)[1:]
        assert pins
        assert "://" not in text
        assert all("--hash=sha256:" in block for block in blocks)


def test_nothing_swallows_every_exception() -> None:
    # STYLE allows three edges; each names itself with a noqa and its reason, which ruff checks. Bare ones are none.
    bare = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler) and node.type is None
    ]
    assert bare == []
