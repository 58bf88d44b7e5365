"""How a change of a rule or of a cell of it is told."""

from collections.abc import Iterator

from router.catalogue.rule_difference import CellChange, RuleChange
from router.catalogue.sheets import COLUMNS
from router.rules.model import Rule

TEXTS = {
    "zh": {
        "added": "新增", "removed": "删除", "moved": "移动", "changed": "变更", "same": "没有差异", "any": "且任一", "unless": "除非", "blank": "（空）",
        "turned": "次序\t{first} 现在先于 {second}：两条都成立的诉求改由它决定", "maybe": "次序\t{first} 现在先于 {second}：是否有诉求两条都成立，没有查完", "more": "次序\t还有更多变化，未逐一查看",
        "box": "第 {box} 组", "come": "新增一组", "gone": "删去一组", "order": "次序", "colon": "：",
    },
    "en": {
        "added": "added", "removed": "removed", "moved": "moved", "changed": "changed", "same": "no difference", "any": "any", "unless": "unless",
        "turned": "order\t{first} now goes before {second}: it decides requests for which both hold", "maybe": "order\t{first} now goes before {second}; whether both hold for some request was not found out", "more": "order\tthere are more changes, which were not looked at",
        "blank": "(blank)", "box": "box {box}", "come": "a new box", "gone": "a box less", "order": "order", "colon": ": ",
    },
}  # fmt: skip
_COLUMNS = {column.field: column for column in COLUMNS}


def texts(lang: str) -> dict[str, str]:
    return TEXTS.get(lang, TEXTS["zh"])


def order_line(first: Rule, second: Rule, *, sure: bool, lang: str) -> str:
    """That one rule now goes before another, and did not."""
    one, other = (f"{rule.id} #{rule.number}" for rule in (first, second))
    return texts(lang)["turned" if sure else "maybe"].format(first=one, second=other)


def headline(change: RuleChange, lang: str) -> str:
    """`变更  noise-construction 夜间施工噪音 #500`"""
    number = f"#{change.was} → #{change.number}" if change.was not in (0, change.number) else f"#{change.number}"
    return f"{texts(lang)[change.change]}\t{change.id} {change.name} {number}"


def told(cell: CellChange, lang: str) -> str:
    """`诉求分类：C0108 噪音 → C0109 油烟`; of lists what came and went."""
    said = texts(lang)
    where = said[cell.part] if cell.part else ""
    if cell.part and not cell.field:
        what = said["order"] if cell.before and cell.after else said["come"] if cell.after else said["gone"]
        return f"{where} {what}{said['colon']}{_arrow(cell, lang) if cell.before and cell.after else cell.after or cell.before}"
    where = f"{where} {said['box'].format(box=cell.box)} " if cell.part else ""
    label = _COLUMNS[cell.field].label(lang)
    lines = [*(f"+ {line}" for line in cell.added), *(f"− {line}" for line in cell.removed)]
    many = "\n" in cell.before or "\n" in cell.after
    return f"{where}{label}{said['colon']}{'；'.join(lines) if lines and many else _arrow(cell, lang)}"


def _arrow(cell: CellChange, lang: str) -> str:
    blank = texts(lang)["blank"]
    before, after = (text.replace("\n", "、") or blank for text in (cell.before, cell.after))
    return f"{before} → {after}"


def lines(change: RuleChange, lang: str) -> Iterator[str]:
    """A change and its cells, the cells of a new rule as they stand."""
    yield headline(change, lang)
    new = change.change == "added"
    for cell in change.cells if change.change != "moved" else ():
        yield "\t" + (_stands(cell, lang) if new and cell.field else told(cell, lang))


def _stands(cell: CellChange, lang: str) -> str:
    return f"{_COLUMNS[cell.field].label(lang)}{texts(lang)['colon']}{cell.after}".replace("\n", "、")
