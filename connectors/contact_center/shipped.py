"""The shipped mapping files, and those of a site."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from connectors.contact_center.declared import WrongHook, read_hook
from connectors.contact_center.spec import HookMapping
from schemas.declaration import Findings, has_errors, read_declaration

_FOLDER = "mappings"


def shipped_names() -> tuple[str, ...]:
    """The names of the shipped mappings, in their order."""
    folder = files("connectors.contact_center").joinpath(_FOLDER)
    return tuple(sorted(one.name.removesuffix(".yaml") for one in folder.iterdir() if one.name.endswith(".yaml")))


@lru_cache(maxsize=64)
def shipped_hook(name: str) -> HookMapping:
    """A shipped mapping. Raises KeyError for a name that is none."""
    if name not in shipped_names():
        raise KeyError(name)
    text = files("connectors.contact_center").joinpath(_FOLDER, f"{name}.yaml").read_text(encoding="utf-8")
    return read_hook_text(f"{name}.yaml", text)


def read_hook_text(file: str, text: str) -> HookMapping:
    """The mapping of a text. Raises WrongHook with all problems."""
    findings = Findings()
    root = read_declaration(file, text, findings)
    mapping = read_hook(root, findings) if root is not None else None
    problems = findings.listed()
    if mapping is None or has_errors(problems):
        raise WrongHook(problems)
    return mapping
