"""`words` and `survey` of a message: what was said in somebody's own words, and how answers stand in a body."""

from __future__ import annotations

from typing import Final

from connectors.contact_center.declared_values import Values
from connectors.contact_center.spec import Survey, Words
from schemas.declaration import Items, Node, Table, suggest

_WORDS: Final = ("in", "take", "take_ending", "take_texts")
_SURVEY: Final = ("instrument", "answers", "item", "answer", "items")


def read_words(node: Node | None, values: Values) -> tuple[Words, ...]:
    """Where words stand: {in: PATH, take: name}, or a list of such."""
    found: list[Words] = []
    for item in node.nodes if isinstance(node, Items) else () if node is None else (node,):
        if not isinstance(item, Table):
            values.wrong(item, "words are {in: PATH, take: [NAME]}: which members of which objects are somebody's own")
            continue
        values.check_keys(item, _WORDS, "what words are")
        names, ends = values.texts(item.find("take"), "take"), values.texts(item.find("take_ending"), "take_ending")
        begins = values.texts(item.find("take_texts"), "take_texts")
        if not names and not ends and not begins:
            values.wrong(
                item,
                "`take` names the members that hold words, `take_ending` how their names end, `take_texts` how names "
                "begin whose texts are words",
            )
        found.append(Words(within=values.path(item.find("in")), names=names, ends=ends, begins=begins))
    return tuple(found)


def read_survey(node: Node | None, values: Values) -> Survey | None:
    """How answers stand in a message."""
    table = values.table(node, "survey")
    if table is None:
        return None
    values.check_keys(table, _SURVEY, "a survey")
    named, stand, items = table.find("instrument"), table.find("answers"), values.text(table.find("items"), "items")
    instrument = values.attribute(named) if named is not None else None
    answers = values.path(stand)
    if instrument is None or answers is None:
        values.wrong(table, "a survey names its `instrument`, and the path of its `answers`")
        return None
    root, values.root = values.root, ()  # an answer's own paths begin at the answer
    item, answer = values.paths(table.find("item")), values.paths(table.find("answer"))
    values.root = root
    if bool(item) != bool(answer):
        values.wrong(table, "answers in a list have `item` and `answer`; an object whose members are items has neither")
    if items is not None and items not in values.tables:
        values.wrong(table.find("items") or table, f"there is no table `{items}`", suggest(items, values.tables))
    return Survey(instrument=instrument, answers=answers, item=item, answer=answer, items=items)
