"""How somebody is recognised who is not named by a number: rules, each with the evidence that it needs and a score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import Final


class Point(IntEnum):
    """What leads to a person. The number is the point's kind where it is kept, and never changes its meaning."""

    PHONE = 1
    EMAIL = 2
    MEMBER_ID = 3
    PORTAL_ACCOUNT = 4
    PROXY_PHONE = 5


POINTS: Final[Mapping[str, Point]] = MappingProxyType({point.name.lower(): point for point in Point})
COMPARED: Final = ("name", "birth_date")
"""What is compared with what is known of whom a point led to; alone it leads to nobody."""
EVIDENCE: Final = (*POINTS, *COMPARED)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRule:
    """All of `needs` must agree; `score` counts then, of 100."""

    id: str
    needs: frozenset[str]
    score: int


def _rule(id_: str, score: int, *needs: str) -> LinkRule:
    return LinkRule(id=id_, needs=frozenset(needs), score=score)


RULES: Final = (
    _rule("portal-account", 95, "portal_account"),
    _rule("member-id", 90, "member_id"),
    _rule("member-id-and-birth-date", 97, "member_id", "birth_date"),
    _rule("phone", 80, "phone"),
    _rule("phone-and-name", 90, "phone", "name"),
    _rule("phone-and-birth-date", 95, "phone", "birth_date"),
    _rule("email", 80, "email"),
    _rule("email-and-name", 90, "email", "name"),
    _rule("email-and-birth-date", 95, "email", "birth_date"),
    _rule("proxy-phone", 60, "proxy_phone"),
    _rule("proxy-phone-and-name", 85, "proxy_phone", "name"),
    _rule("proxy-phone-and-birth-date", 92, "proxy_phone", "birth_date"),
)
"""The shipped rules; a site's own of the same id stands in for one."""

COSTS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "name_near": 5,
        "birth_date_swapped": 8,
        "birth_date_slip": 12,
        "name_differs": 25,
        "birth_date_differs": 45,
    }
)
"""What is taken off a score: a name spelt otherwise, day and month swapped, two digits transposed, and what both sides
tell and tell otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityRules:
    """A person is linked from `link_at` on, if nobody else stands within `clear_by` below. `name_alike` is the least
    Jaro-Winkler similarity of two names that may be one. `links` false: nobody is linked by rules. `region` is the
    country of telephone numbers whose facility names none. `own` are numbers (E.164) and addresses of the site itself:
    they lead to nobody, whoever's chart holds them."""

    links: bool = True
    link_at: int = 80
    clear_by: int = 10
    name_alike: float = 0.9
    rules: tuple[LinkRule, ...] = RULES
    costs: Mapping[str, int] = field(default_factory=lambda: COSTS)
    region: str | None = None
    own: frozenset[str] = frozenset()
