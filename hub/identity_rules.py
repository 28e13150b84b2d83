"""The `identity:` section of a site file: the rules by which a caller is recognised, checked like thresholds are."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from schemas.declaration import Findings, Items, Leaf, Node, Table, kind_of, suggest
from schemas.identity import COSTS, EVIDENCE, POINTS, RULES, IdentityRules, LinkRule
from streams.core.threshold_fields import as_table, check_keys, read_text

_KEYS: Final = ("links", "link_at", "clear_by", "name_alike", "region", "own", "costs", "rules")
_E164: Final = re.compile(r"\+[1-9][0-9]{5,14}")
_RULE_KEYS: Final = ("id", "needs", "score")


def read_identity(node: Node | None, findings: Findings) -> IdentityRules:
    """The rules that a section declares, over the shipped ones; problems go to the findings."""
    table = as_table(node, "identity", findings) if node is not None else None
    if table is None:
        return IdentityRules()
    table = check_keys(table, _KEYS, "identity", findings)
    rules = IdentityRules()
    links, alike, region = table.find("links"), table.find("name_alike"), table.find("region")
    if links is not None:
        if isinstance(links, Leaf) and isinstance(links.value, bool):
            rules = replace(rules, links=links.value)
        else:
            findings.error(links.place, "`links` is true or false")
    cut, clear = table.find("link_at"), table.find("clear_by")
    if cut is not None and (score := _read_score(cut, "link_at", findings)) is not None:
        rules = replace(rules, link_at=score)
    if clear is not None and (score := _read_score(clear, "clear_by", findings)) is not None:
        rules = replace(rules, clear_by=score)
    if alike is not None:
        value = alike.value if isinstance(alike, Leaf) else None
        if isinstance(value, int | float) and not isinstance(value, bool) and 0.5 <= value <= 1:
            rules = replace(rules, name_alike=float(value))
        else:
            findings.error(alike.place, "`name_alike` is a Jaro-Winkler similarity from 0.5 to 1")
    if region is not None:
        rules = replace(rules, region=read_region(region, findings))
    rules = replace(rules, own=_read_own(table.find("own"), findings))
    rules = replace(rules, costs=_read_costs(table.find("costs"), findings))
    return replace(rules, rules=_read_rules(table.find("rules"), findings))


def _read_own(node: Node | None, findings: Findings) -> frozenset[str]:
    """Numbers and addresses of the site itself, as they are compared."""
    found: set[str] = set()
    for one in node if isinstance(node, Items) else () if node is None else (node,):
        text = read_text(one, "own", findings)
        if text is None:
            continue
        plain = text.casefold() if "@" in text else "".join(text.split())
        if "@" in plain or _E164.fullmatch(plain):
            found.add(plain)
        else:
            findings.error(one.place, "`own` lists numbers with their country (+12125550100) and e-mail addresses")
    return frozenset(found)


def read_region(node: Node, findings: Findings) -> str | None:
    """A country for telephone numbers: two letters of ISO 3166."""
    text = read_text(node, "region", findings)
    if text is not None and not (len(text) == 2 and text.isascii() and text.isalpha()):
        findings.error(node.place, "`region` is a country of two letters (ISO 3166, as US)")
        return None
    return None if text is None else text.upper()


def _read_score(node: Node, name: str, findings: Findings) -> int | None:
    value = node.value if isinstance(node, Leaf) else None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 100:
        return value
    findings.error(node.place, f"`{name}` is a whole number from 0 to 100")
    return None


def _read_costs(node: Node | None, findings: Findings) -> dict[str, int]:
    costs = dict(COSTS)
    table = as_table(node, "costs", findings) if node is not None else None
    if table is None:
        return costs
    for entry in check_keys(table, tuple(COSTS), "costs", findings).entries:
        cost = _read_score(entry.node, entry.key.text, findings)
        if cost is not None:
            costs[entry.key.text] = cost
    return costs


def _read_rules(node: Node | None, findings: Findings) -> tuple[LinkRule, ...]:
    by_id = {rule.id: rule for rule in RULES}
    if node is None:
        return RULES
    if not isinstance(node, Items):
        findings.error(node.place, f"`rules` is a list of {{id, needs, score}}, here is {kind_of(node)}")
        return RULES
    named: set[str] = set()
    for item in node.nodes:
        if not isinstance(item, Table):
            findings.error(item.place, f"a rule is {{id, needs, score}}, here is {kind_of(item)}")
            continue
        rule = _read_rule(check_keys(item, _RULE_KEYS, "a rule", findings), by_id, findings)
        if rule is not None and rule.id in named:
            findings.error(item.place, f"the rule `{rule.id}` stands here twice")
        elif rule is not None:
            named.add(rule.id)
            by_id[rule.id] = rule
    return tuple(rule for rule in by_id.values() if rule.score)


def _read_rule(table: Table, known: dict[str, LinkRule], findings: Findings) -> LinkRule | None:
    """One rule. A shipped one may be named with another score alone; a score of 0 switches it off."""
    id_, needs, score = table.find("id"), table.find("needs"), table.find("score")
    if id_ is None or score is None:
        findings.error(table.place, "a rule needs `id` and `score`, and a new one `needs`")
        return None
    name, worth = read_text(id_, "id", findings), _read_score(score, "score", findings)
    if name is None or worth is None:
        return None
    if needs is None:
        if name in known:
            return replace(known[name], score=worth)
        near = suggest(name, known)
        findings.error(id_.place, f"no rule `{name}` is shipped" + (f" (did you mean `{near}`?)" if near else ""))
        return None
    words = [text for one in (needs.nodes if isinstance(needs, Items) else (needs,))
             if (text := read_text(one, "needs", findings)) is not None]  # fmt: skip
    for word in words:
        if word not in EVIDENCE:
            near = suggest(word, EVIDENCE)
            findings.error(needs.place, f"`{word}` is no evidence; there are {', '.join(EVIDENCE)}"
                           + (f" (did you mean `{near}`?)" if near else ""))  # fmt: skip
            return None
    if POINTS.keys().isdisjoint(words):
        findings.error(needs.place, f"a rule needs one of {', '.join(POINTS)}: the rest leads to nobody by itself")
        return None
    return LinkRule(id=name, needs=frozenset(words), score=worth)
