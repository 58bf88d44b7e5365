"""
What is wrong with a catalogue: every fault at once, with file and line, in Chinese and English.

An `error` refuses the catalogue as a whole; a `warning` is a likely mistake; a `hint` is a remark.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from msgspec import Struct

Level = Literal["error", "warning", "hint"]


class At(NamedTuple):
    """Where something stands: a file below the catalogue folder, line and column (1 is the first, 0 the whole file or line)."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.column else f"{self.file}:{self.line}"


class Witness(Struct, frozen=True, kw_only=True):
    """A request that shows a fault of the rules: sent on this channel and received then, this rule decides it."""

    channel: str
    received: str
    request: Mapping[str, Any]
    decides: str = ""


class Finding(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One fault. `code` is stable; the texts are for people. `rules`: those it is about, if it is about rules as a whole."""

    code: str
    level: Level
    file: str
    line: int
    text_zh: str
    text_en: str
    column: int = 0
    rules: tuple[str, ...] = ()
    witness: Witness | None = None

    @property
    def at(self) -> At:
        return At(self.file, self.line, self.column)

    def __str__(self) -> str:
        return f"{self.at}: {self.level} {self.code}"


class CatalogueFaulty(Exception):
    """The catalogue has errors and is refused as a whole. `findings` holds all of them, warnings included."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        errors = [finding for finding in self.findings if finding.level == "error"]
        super().__init__(f"{len(errors)} errors: " + "; ".join(map(str, errors[:5])))


class Findings:
    """Collects what the loader and the checks find. The texts stand in one table, `TEXTS`."""

    def __init__(self) -> None:
        self._found: dict[Finding, None] = {}

    def add(self, code: str, at: At, /, **values: object) -> None:
        self._found[worded(code, at, **values)] = None

    def all(self) -> tuple[Finding, ...]:
        """In the order of files and lines."""
        return tuple(sorted(self._found, key=lambda f: (*f.at, f.code)))

    def errors(self) -> set[str]:
        """The codes of the errors among them."""
        return {finding.code for finding in self._found if finding.level == "error"}

    def refuse_errors(self) -> None:
        """Raise CatalogueFaulty when there is an error among them."""
        if self.errors():
            raise CatalogueFaulty(self.all())


def worded(code: str, at: At, /, **values: object) -> Finding:
    """A finding in words."""
    level, zh, en = TEXTS[code]
    return Finding(
        code=code, level=level, file=at.file, line=at.line, column=at.column,
        text_zh=zh.format(**values), text_en=en.format(**values),
    )  # fmt: skip


TEXTS: dict[str, tuple[Level, str, str]] = {
    # -- reading
    "file_missing": ("error", "缺少文件", "the file is missing"),
    "file_unknown": ("warning", "目录不认识的文件,未读取", "a file that the catalogue does not know; it was not read"),
    "file_too_big": ("error", "文件超过 {limit} 字节", "the file is larger than {limit} bytes"),
    "not_utf8": ("error", "不是 UTF-8 编码", "not UTF-8"),
    "yaml_broken": ("error", "YAML 语法错误:{problem}", "YAML cannot be read: {problem}"),
    "yaml_anchor": ("error", "不允许使用 YAML 锚点或引用", "YAML anchors and aliases are not allowed"),
    "yaml_tag": ("error", "不允许使用 YAML 标签 {tag}", "the YAML tag {tag} is not allowed"),
    "yaml_deep": ("error", "嵌套超过 {limit} 层", "nested deeper than {limit} levels"),
    "yaml_shape": ("error", "应为{wanted}", "should be a {wanted_en}"),
    "duplicate_key": ("error", "键“{key}”重复", "the key '{key}' stands twice"),
    "csv_broken": ("error", "CSV 语法错误:{problem}", "CSV cannot be read: {problem}"),
    "csv_header": ("error", "表头应含列:{wanted};不认识的列:{unknown}", "the header needs: {wanted}; unknown columns: {unknown}"),
    "csv_width": ("error", "应有 {wanted} 列,实有 {found} 列", "{wanted} columns expected, {found} found"),
    "bad_value": ("error", "{where} 的值不合要求:{problem}", "{where}: {problem}"),
    "unknown_field": ("error", "{where} 中不认识“{field}”", "{where}: unknown field '{field}'"),
    "missing_field": ("error", "{where} 中缺少“{field}”", "{where}: the field '{field}' is missing"),
    "bad_date": ("error", "“{value}”不是日期(应如 2026-01-31)", "'{value}' is not a date such as 2026-01-31"),
    "dates_reversed": ("error", "失效日期 {end} 早于生效日期 {start}", "it ends ({end}) before it begins ({start})"),
    "bad_budget": ("error", "“{value}”不是时限(应如 30m、24h、2wh、3d、5wd)", "'{value}' is not a limit such as 30m, 24h, 2wh, 3d, 5wd"),
    "bad_hours": ("error", "{column} 中的“{value}”不是时段(应如 21:00-08:00，起止不同)", "{column}: '{value}' is no span of hours such as 21:00-08:00, with two different ends"),
    "rung_role": ("error", "who: role 与 role 应同时写(如 role: hotline:arbitrate)", "`who: role` and `role` (such as hotline:arbitrate) go together"),
    "rung_times": ("error", "重复应写 every 和 times(2 至 {limit})", "to say it again takes `every` and `times` (2 to {limit})"),
    "rung_unasked": ("error", "until: acknowledged 须写 acknowledge(确认的有效期，如 1wd)", "`until: acknowledged` takes `acknowledge` (how long that holds, such as 1wd)"),
    "rung_who": ("error", "{what} 不能告知 {who}：改派建议给 centre，提级给上级", "{what} cannot go to {who}: redispatch goes to the centre, raise to somebody above"),
    "bad_approvers": ("error", "延期审批人应由短到长，最长的一级等于 at_most({at_most})", "the approvers go from the shortest length to at_most ({at_most})"),
    "bad_number": ("error", "{column} 应在 {least} 至 {most} 之间，现为 {value}", "{column} is {value}, not from {least} to {most}"),
    "no_clock": ("error", "应有 {kind} 时钟", "it needs a clock {kind}"),
    "no_decision_clock": ("error", "允许延期的政策应有 {kind} 时钟", "a policy that allows it needs a clock {kind}"),
    "like_unknown": ("error", "like 所指的政策或样式“{id}”不存在", "there is no policy or pattern '{id}' to be like"),
    "like_circle": ("error", "like 绕回到“{id}”自身", "like leads back to '{id}' itself"),
    "like_deep": ("error", "like 层层照抄超过 {limit} 层", "like leads through more than {limit} rows"),
    "clock_unknown": ("error", "没有时钟“{name}”：应写“case|leg|task 种类 [缘由]”", "no clock '{name}': say 'case|leg|task kind [reason]'"),
    "bad_role": ("error", "不认识的职能角色“{role}”", "unknown role '{role}'"),
    "bad_word": ("error", "{column} 中不认识“{value}”", "unknown {column}: '{value}'"),
    # -- one table against another
    "duplicate_id": ("error", "“{id}”重复,已见于 {first}", "'{id}' stands twice, first at {first}"),
    "dangling": ("error", "{kind}“{id}”不存在", "there is no {kind_en} '{id}'"),
    "cycle": ("error", "上下级成环:{path}", "a circle of parents: {path}"),
    "expired_code": ("error", "区划代码 {code} 已撤销,现行 {successor}", "division {code} is abolished, in force is {successor}"),
    "no_successor": ("error", "区划代码 {code} 已撤销,但没有现行的承继代码", "division {code} is abolished and no division in force succeeds it"),
    "no_root": ("error", "没有省级区划 {code}", "there is no province {code}"),
    "no_door": ("error", "单位 {unit} 没有收件端点,且没有缺省端点 desk", "unit {unit} has no endpoint and there is no default endpoint desk"),
    "two_doors": ("error", "单位模式“{pattern}”同时属于端点 {first}", "the pattern '{pattern}' belongs to endpoint {first} too"),
    "no_centre": ("error", "省级没有承担 hotline:triage 的单位(热线办)", "no unit of the province holds hotline:triage (the centre)"),
    "parent_not_found": ("warning", "单位 {unit} 的上级模板 {template} 在其区划及上级均无单位", "no unit of template {template} stands above {unit}"),
    "nobody_holds": ("error", "全省没有单位承担 {function}:{role}", "no unit at all holds {function}:{role}"),
    "target_without_duty": (
        "error",
        "区划 {place} 内及其上级没有单位承担 {function}:{role}",
        "in {place}, below and above it, no unit holds {function}:{role}",
    ),
    "function_unheld": ("warning", "没有单位承担职能 {function}", "no unit holds the function {function}"),
    "two_holders": ("hint", "{place} 有 {count} 个单位承担 {function}:{role},取 {unit}", "{count} units of {place} hold {function}:{role}; {unit} is taken"),
    "duty_elsewhere": ("error", "职责 {duty} 属于职能 {found},事项却归 {function}", "duty {duty} belongs to {found}, the matter to {function}"),
    "limit_order": ("error", "承诺时限 {promised} 长于法定时限 {legal}", "the promised limit {promised} is longer than the legal limit {legal}"),
    # -- rules
    "no_fallback": ("error", "没有无条件的兜底规则", "there is no fallback: a rule without any condition"),
    "equal_numbers": ("error", "规则号 {number} 与规则 {first} 相同", "the number {number} is also that of rule {first}"),
    "after_fallback": ("error", "在兜底规则 {fallback} 之后,永远不会匹配", "it stands after the fallback {fallback} and can never match"),
    "no_outcome": ("error", "规则应恰有一个结果(route、one_thing、propose_refusal、answer、triage)", "exactly one outcome is needed: route, one_thing, propose_refusal, answer, triage"),
    "bad_addition": ("error", "补充规则(adds)只写协办、抄送或紧急程度，至少一项", "a rule that adds holds assists, copies or an urgency, at least one of them and nothing else"),
    "answer_not_asked": ("error", "只有咨询可以由规则直接答复(when 应写 kind: [consult])", "a rule answers questions only: `when` must say kind: [consult]"),
    "answer_dates": ("error", "规则的有效期应在答复 {id} 的有效期之内({start} 至 {end})", "the rule must be valid only while the answer {id} is ({start} to {end})"),
    "no_lead": ("error", "应恰有一个主办(part: lead)", "exactly one lead is needed"),
    "bad_state": ("error", "{column} 列不能写“{value}”", "'{value}' cannot stand in {column}"),
    "bad_keyword": ("error", "关键词“{value}”为空，或超过 {limit} 个字，或跨行", "the keyword '{value}' is blank, longer than {limit} characters, or runs over lines"),
    "bad_window": ("error", "“{value}”不是时段(应如 from: \"22:00\", to: \"06:00\"，起止不同)", "'{value}' is no time window such as from: \"22:00\", to: \"06:00\", with two different ends"),
    "bad_range": ("error", "数值范围“{value}”应有下限或上限，且下限不大于上限", "the range '{value}' needs a bound, and the lower one not above the upper"),
    "empty_box": ("error", "{part} 中的条件组没有任何条件", "a box of {part} names no column"),
    "too_many_rules": ("error", "规则超过 {limit} 条", "more than {limit} rules"),
    "too_many_words": ("error", "关键词共超过 {limit} 个", "more than {limit} keywords in all"),
    # -- sheets
    "sheet_format": ("error", "不是 .xlsx 工作簿，也不是 CSV（.xls、.ods、加密的文件请另存为 .xlsx）", "neither an .xlsx workbook nor CSV (save .xls, .ods or what is encrypted as .xlsx)"),
    "sheet_broken": ("error", "工作簿损坏，读不出", "the workbook is damaged"),
    "sheet_bomb": ("error", "解压后超过 {limit} 字节，未读取", "more than {limit} bytes once unpacked; it was not read"),
    "sheet_text": ("error", "各格文字共超过 {limit} 字（许多格引用同一段文字的，逐格计），未读取", "the cells hold more than {limit} characters (a text that many cells name counts for each); it was not read"),
    "sheet_size": ("error", "表超过 {rows} 行或 {columns} 列", "the sheet has more than {rows} rows or {columns} columns"),
    "sheet_wrong": ("error", "没有名为“规则”的工作表，只有：{names}", "there is no sheet named Rules, only: {names}"),
    "sheet_twice": ("error", "有同名的工作表：{names}", "sheets have the same name: {names}"),
    "sheet_encoding": ("error", "编码不是 UTF-8，也不是 GB18030", "neither UTF-8 nor GB18030"),
    "sheet_header": ("error", "前五行中没有写字段名的一行（id、number 等）：请用导出的表", "none of the first five rows names the fields (id, number, …): use the sheet that was exported"),
    "sheet_column": ("error", "不认识的列，或列名重复：“{name}”", "an unknown column, or one that stands twice: '{name}'"),
    "sheet_missing": ("error", "缺少列：{names}", "columns are missing: {names}"),
    "cell_headless": ("error", "这一列没有字段名，内容不知属于哪里", "this column names no field"),
    "cell_formula": ("error", "是公式；公式不计算，请改成值", "a formula; formulas are not evaluated, put the value"),
    "cell_error": ("error", "是错误值（如 #N/A、#VALUE!），请改成原来的内容", "an error (such as #N/A or #VALUE!); put what stood there"),
    "cell_merged": ("error", "{cells} 是合并单元格，请取消合并", "{cells} are merged, take them apart"),
    "cell_date": ("error", "Excel 把它当成了日期或时间（{value}），原文已失：请设为文本后重填", "it has become a date or time ({value}) and the text is lost: format it as text and write it again"),
    "cell_digits": ("error", "Excel 把它当成了数或真假值（{value}），原文已失：请设为文本后重填", "it has become a number or a truth ({value}) and the text is lost: format it as text and write it again"),
    "row_hidden": ("hint", "第 {row} 行是隐藏的，也读入了", "row {row} is hidden and was read too"),
    "cell_name": ("error", "代码 {code} 是“{name}”，不是“{found}”：请改代码，或删去名称", "{code} is '{name}', not '{found}': change the code, or take the name away"),
    "cell_ambiguous": ("error", "“{name}”有几个代码（{codes}），请写代码", "'{name}' may be {codes}: write the code"),
    "cell_zeros": ("error", "没有“{value}”；是不是被去掉了前面的零，应为 {meant}？", "there is no '{value}'; were its leading zeros lost, should it be {meant}?"),
    "cell_yes": ("error", "应填“是”或留空，不是“{value}”", "yes or nothing, not '{value}'"),
    "cell_number": ("error", "“{value}”不是整数", "'{value}' is no whole number"),
    "cell_time": ("error", "看不懂的时间“{value}”（应如：工作时间、周一至周五 22:00-06:00）", "'{value}' is no time (like: working_hours, mon-fri 22:00-06:00)"),
    "cell_form": ("error", "看不懂的表单条件“{value}”（应如 entity: company; partnership，或 capital: ≥ 0.3 ≤ 100；一个字段一行）", "'{value}' asks nothing of a form (like entity: company; partnership, or capital: ≥ 0.3 ≤ 100; a field a line)"),
    "cell_bearer": ("error", "看不懂的派单“{value}”（应如：主办 urban-management:handle@county；每行以主办、协办或抄送开头）", "'{value}' names nobody (like: lead urban-management:handle@county; each line begins with lead, assist or copy)"),
    "cell_part": ("error", "行别“{value}”应为：规则、且任一、除非", "a row is one of 规则, any, unless, not '{value}'"),
    "cell_of_rule": ("error", "“{part}”行只填条件列", "a row '{part_en}' holds conditions only"),
    "cell_no_rule": ("error", "表中没有规则“{id}”，这一行不知属于谁", "the sheet has no rule '{id}' that this row could belong to"),
    "cell_needed": ("error", "“{column}”不能空", "'{column_en}' is needed"),
    "cell_twice": ("error", "规则编号“{id}”重复，已见于 {first}", "the id '{id}' stands twice, first at {first}"),
    # -- proposals
    "bad_model": ("error", "模型文件不能用:{problem}", "the model cannot be used: {problem}"),
    "bad_spoken": ("error", "词“{word}”与“{first}”写法相同,或没有可认的字,或超过 {limit} 个字", "the word '{word}' is the same as '{first}' once folded, has nothing to be found by, or is longer than {limit} characters"),
    "bad_share": ("error", "{value} 应在 0 和 1 之间", "{value} should be from 0 to 1"),
    "bad_repeats": ("error", "第 {times} 次反映:次数应从 2 起逐级增加,每级须提高紧急程度或告知督查", "time {times}: from 2 on, each more than the one before, and each raises the urgency or is told"),
    "bad_weight": ("error", "{value} 应大于 0,且不大于 {most}", "{value} should be above 0 and at most {most}"),
    # -- rules as a whole (router/rules/analysis)
    "conflict": ("error", "与规则 {others} 条件和有效期相同而结果不同，永远轮不到它", "the same condition and validity as rule {others} with another outcome: it never decides"),
    "conflict_of_numbers": ("error", "与规则 {others} 规则号相同，而且两条可以同时成立，先后不定", "the number of rule {others}, and both can hold at once: nobody can tell which comes first"),
    "duplicate_rule": ("warning", "与规则 {others} 条件和结果都相同", "the same condition and outcome as rule {others}"),
    "never_holds": ("error", "条件自相矛盾，对任何诉求都不成立", "its condition contradicts itself: it holds for no request"),
    "rule_over": ("hint", "有效期已过，或此后不再成立，可以删除", "its validity is over, or it holds for nothing any more: it can be removed"),
    "shadowed": ("warning", "被规则 {others} 完全遮盖，永远轮不到它", "rule {others} before it takes all that it asks for: it never decides"),
    "shadowed_by_union": ("warning", "被前面的规则 {others} 合起来完全遮盖，永远轮不到它", "rules {others} before it together take all that it asks for: it never decides"),
    "gap": ("warning", "{what}有诉求只有兜底规则接住", "{what_en}: requests that only the fallback catches"),
    "gap_by_expiry": ("warning", "规则 {others} 到期以后，{what}有诉求只有兜底规则接住", "{what_en}: once {others} has ended there are requests that only the fallback catches"),
    "no_duty": ("warning", "派往的职能都不承担事项 {value} 的职责", "no function that it sends to holds the duty of matter {value}"),
    "nobody_there": ("warning", "规则适用的区划 {value} 及其上级没有单位承担 {duty}，诉求会转人工分派", "in {value}, where it holds, and above no unit holds {duty}: requests are left to triage"),
    "never_reached": ("warning", "职能 {value} 有分类或事项指向它，却没有任何诉求能派到：单位 {unit} 等 {count} 个", "function {value} is named by a category or matter, yet no request gets there: {unit}, {count} units in all"),
    "not_named": ("hint", "没有规则、分类、事项或套餐派往职能 {value}：单位 {unit} 等 {count} 个", "no rule, category, matter or package sends to function {value}: {unit}, {count} units in all"),
    "undecided": ("warning", "分析超出限额，未能判定{what}", "the analysis came to its limit and could not tell {what_en}"),
    # -- rulings
    "ruling_count": ("error", "一个文件一份裁定，实有 {count} 份", "one ruling a file; there are {count}"),
    "ruling_blank": ("error", "缺少 {field}", "{field} is missing"),
    "ruling_of_what": ("error", "裁定应说明是哪类诉求：category、matter、keywords 至少一项", "a ruling says what it is about: category, matter or keywords"),
    "ruling_lead": ("error", "裁定应写明主办：unit 或 function", "a ruling says who leads: unit or function"),
    "ruling_function": ("error", "单位 {unit} 以哪项职能主办？用 function（和 role）写明：{held}", "as what does unit {unit} lead? say function (and role): {held}"),
    "ruling_elsewhere": ("error", "在区划 {place}，{function} 由 {found} 承担，不是 {unit}：先改职能目录", "in {place} {function} is held by {found}, not by {unit}: change the directory first"),
    "ruling_number": ("error", "规则 {rule} 之前没有空的规则号", "no number is free before rule {rule}"),
    # -- calendars
    "no_hours": ("error", "日历 {id}：每年 {first} 至 {last} 没有写办公时间", "calendar {id}: no office hours from {first} to {last} of each year"),
    "no_open_time": ("error", "日历 {id}：{first} 至 {last} 没有任何办公时间", "calendar {id}: nobody works from {first} to {last}"),
    "no_notice": ("error", "没有年份，或同一年写了两次", "it names no year, or one of them twice"),
    "year_missing": ("error", "日历 {id} 缺 {year} 年", "calendar {id} has no year {year}"),
    "days_twice": ("warning", "日历 {id}：{year} 年的 {days} 写了两次", "calendar {id}: {year} names {days} twice"),
    "work_anyway": ("warning", "日历 {id}：{days} 本来就上班，不用写调休", "calendar {id}: {days} would be worked anyway"),
    "days_unpublished": ("warning", "日历 {id} 写到 {horizon} 为止已公布，却只有到 {last} 年的日期", "calendar {id} is said to be published until {horizon}, but its last year is {last}"),
    "no_source": ("hint", "日历 {id}：{year} 年没有写来源", "calendar {id}: no source for {year}"),
    "horizon_near": ("warning", "日历 {id} 只公布到 {horizon}，以后的到期时间都是暂定的", "calendar {id} is published until {horizon} only: later due dates are provisional"),
    "day_differs": ("error", "日历 {id}：{days} 与 chinesecalendar 不同", "calendar {id}: {days} differ from chinesecalendar"),
    "no_statutory_clock": (
        "error", "时限政策“{policy}”没有法定程序的时钟（statutory）", "the policy '{policy}' has no clock of the kind statutory"
    ),
    "no_policy_default": ("error", "缺省时限政策“{id}”不存在", "the default policy '{id}' does not exist"),
}  # fmt: skip
