"""What the models of fhir.resources refuse in a resource: for who asks, and never a verdict.

They are strict where data are loose (an element of the sender's own) and check no required value set, so a resource
that they refuse may well be read right: it is noted, and taken.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

import msgspec

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}", re.ASCII)
_STRANGE: Final = "an element"  # whatever a sender calls it stays unsaid


def faults(resource: dict[str, Any]) -> list[str]:
    """FHIRPaths of what R4B's model of the type refuses, each with the kind of fault; nothing of what stands there.
    Empty for a type that has no model."""
    type_ = resource.get("resourceType")
    model = _model(type_) if isinstance(type_, str) else None
    if model is None:
        return []
    from pydantic import ValidationError  # noqa: PLC0415 - 160 ms that only this asks for

    try:
        model.model_validate_json(msgspec.json.encode(resource))
    except ValidationError as wrong:
        return [f"{_path(str(type_), fault['loc'])}: {fault['type']}" for fault in wrong.errors(include_input=False)]
    return []


@lru_cache(maxsize=256)
def _model(type_: str) -> Any:
    from fhir.resources.R4B import get_fhir_model_class  # noqa: PLC0415 - as above

    try:
        return get_fhir_model_class(type_)
    except (KeyError, LookupError, ValueError):
        return None


def _path(type_: str, at: tuple[int | str, ...]) -> str:
    path = type_
    for part in at:
        path += f"[{part}]" if isinstance(part, int) else f".{part if _NAME.fullmatch(part) else _STRANGE}"
    return path
