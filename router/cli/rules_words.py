"""Rules in words, Chinese or English: labels of columns and outcomes, and codes with their names."""

from collections.abc import Mapping

from router.catalogue.catalogue import Catalogue
from router.rules.model import COLUMNS, STATES, Box, Range, Rule

LABELS = {
    "zh": {
        "dispatch": "派单", "one_thing": "一件事", "propose_refusal": "拟不予受理", "answer": "知识库答复", "triage": "人工分派",
        "adds": "补充", "when": "条件", "always": "任何请求",
        "then": "结果", "policy": "时限政策", "basis": "依据", "reason": "理由", "valid": "有效期", "unknown": "没有规则 {id}",
        "category_under": "诉求分类", "matter_under": "事项", "place_under": "区划", "channel": "渠道", "kind": "诉求类型",
        "origin": "来源", "applicant": "诉求人", "urgency": "紧急程度", "medium": "来电方式", "disclosure": "身份公开",
        "place_level": "区划级别", "tags": "标签", "words_any": "含任一词", "words_all": "含全部词", "words_none": "不含词",
        "time": "收到时间", "form": "表单", "any": "且至少一组成立", "unless": "除非（任一组成立）",
        "working_hours": "工作时间", "outside_working_hours": "非工作时间",
        "(missing)": "未填", "(null)": "空值", "(empty)": "内容为空", "(present)": "有值",
    },
    "en": {
        "dispatch": "dispatch", "one_thing": "one-thing", "propose_refusal": "refusal proposed", "answer": "answer", "triage": "triage",
        "adds": "adds", "when": "when",
        "always": "any request", "then": "then", "policy": "policy", "basis": "basis", "reason": "reason", "valid": "valid",
        "unknown": "there is no rule {id}", "category_under": "category", "matter_under": "matter", "place_under": "place",
        "channel": "channel", "kind": "kind", "origin": "origin", "applicant": "applicant", "urgency": "urgency",
        "medium": "medium", "disclosure": "disclosure", "place_level": "level of the place", "tags": "tags", "words_any": "any of the words",
        "words_all": "all of the words", "words_none": "none of the words", "time": "received", "form": "form",
        "any": "and at least one of", "unless": "unless (any of)",
        "working_hours": "in working hours", "outside_working_hours": "outside working hours",
    },
}  # fmt: skip
NAMED = {
    "category_under": ("categories", "name"), "matter_under": ("matters", "name"), "place_under": ("divisions", "name"),
    "channel": ("channels", "name_zh"), "one_thing": ("one_things", "name"),
}  # fmt: skip
"""Column → where its codes have a name."""


def outcome(rule: Rule) -> str:
    """Which of the outcomes, or that it only adds to another's: a key of LABELS."""
    if rule.adds:
        return "adds"
    named = (name for name in ("one_thing", "propose_refusal", "answer", "triage") if getattr(rule.then, name))
    return next(named, "dispatch")


def described(rule: Rule, catalogue: Catalogue, labels: Mapping[str, str]) -> list[str]:
    """A whole rule, line by line."""
    lines = [f"{rule.number} {rule.id} {rule.name}", f"{labels['when']}:"]
    lines += [f"  {line}" for line in columns(rule.when, catalogue, labels)] or [f"  {labels['always']}"]
    for part, boxes in (("any", rule.any_of), ("unless", rule.unless)):
        lines += [f"{labels[part]}:"] * bool(boxes)
        lines += ["  - " + "; ".join(columns(box, catalogue, labels)) for box in boxes]
    lines.append(f"{labels['then']}: {labels[outcome(rule)]}")
    lines += [
        f"  {bearer.part}: {function(catalogue, bearer.function)} {bearer.role} {bearer.level}".rstrip()
        for bearer in rule.then.route
    ]
    if rule.then.propose_refusal:
        refusal = rule.then.propose_refusal
        lines.append(f"  {refusal.ground} / {refusal.basis} / {refusal.where_to_turn}")
    if rule.then.answer:
        lines.append(f"  {rule.then.answer} {catalogue.answers[rule.then.answer].title}")
    said = {"urgency": rule.then.urgency, "policy": rule.then.policy, "basis": rule.basis, "reason": rule.reason}
    valid = f"{rule.valid_from}–{rule.valid_to}" if rule.valid_from or rule.valid_to else ""
    return lines + [f"{labels[key]}: {text}" for key, text in (said | {"valid": valid}).items() if text]


def columns(box: Box, catalogue: Catalogue, labels: Mapping[str, str]) -> list[str]:
    """Each column that the box names, with what it asks for."""
    asked = {column: [name(catalogue, column, value) for value in getattr(box, column)] for column in COLUMNS}
    asked |= {column: list(getattr(box, column)) for column in ("words_any", "words_all", "words_none")}
    asked["time"] = [str(cell) for cell in box.time]
    lines = [
        f"{labels[column]}: " + ", ".join(labels.get(text, text) for text in cell)
        for column, cell in asked.items()
        if cell
    ]
    choices = {field: [str(cell)] if isinstance(cell, Range) else cell for field, cell in box.form.items()}
    return lines + [
        f"{labels['form']} {field}: " + ", ".join(labels.get(text, text) for text in cell)
        for field, cell in choices.items()
    ]


def name(catalogue: Catalogue, column: str, value: str) -> str:
    """A code of a column with its name; another value as it is."""
    if column not in NAMED or value in STATES:
        return value
    table, field = NAMED[column]
    row = getattr(catalogue, table).get(value)
    return f"{value} {getattr(row, field)}" if row else value


def function(catalogue: Catalogue, function_id: str) -> str:
    """A function with its name; `@category` and `@matter` as they are."""
    row = catalogue.functions.get(function_id)
    return f"{function_id} {row.name}" if row else function_id
