"""
The closed vocabularies of what happens to a case: tasks, actions, results, states, clocks, and what supervisors are told.

As those of what a channel says (schemas/vocabulary.py): words are only ever added.
"""

from schemas.vocabulary import Word


class TaskKind(Word):
    """任务类型 what a person is asked to do."""

    HANDLE = "handle", "办理", "handle"
    REVIEW = "review", "审核", "review a reply"
    TRIAGE = "triage", "人工分派", "triage"
    DECIDE_RETURN = "decide_return", "退单裁量", "decide a return"
    ARBITRATE = "arbitrate", "裁定", "rule on who must act"
    DECIDE_EXTENSION = "decide_extension", "审批延期", "decide an extension"
    CONFIRM_REFUSAL = "confirm_refusal", "确认不予受理", "confirm a proposed refusal"
    CONFIRM_RECEIPT = "confirm_receipt", "确认接收", "confirm receipt of an emergency"
    ACKNOWLEDGE = "acknowledge", "升级告知，请确认已阅", "acknowledge an escalation"
    REPORT = "report", "报告办理情况（督办、批示）", "report to the office that ordered it"
    READ_REPORT = "read_report", "审阅报告", "read a report"
    DECIDE_MERGE = "decide_merge", "合并裁量", "decide whether two cases are handled as one"
    DECIDE_HANG = "decide_hang", "审批挂账", "decide whether it is put on the list of hard cases"
    REVIEW_PLAN = "review_plan", "复核挂账计划", "look at the plan of a hard case"
    CALL_BACK = "call_back", "回访", "call back"
    JUDGE_REVIEW = "judge_review", "评价申诉复核", "decide an appeal against a grade"
    END_PROCEDURE = "end_procedure", "报告法定程序结果", "say how the statutory procedure ended"


class ReplyAction(Word):
    """承办动作 what a unit may say about a task."""

    SIGN = "sign", "签收", "sign"
    RETURN = "return", "退单", "return"
    SUB_DISPATCH = "sub_dispatch", "转派", "dispatch further to own units"
    RECALL = "recall", "收回转派", "take back what was dispatched further"
    SEND_BACK_BELOW = "send_back_below", "退回下级重办", "send a reply from below back"
    REPLY = "reply", "提交办理结果", "submit the reply"
    ACCEPT_RETURN = "accept_return", "同意退单", "accept the return"
    REJECT_RETURN = "reject_return", "驳回退单", "reject the return"
    ARBITRATE = "arbitrate", "提请裁定", "take to arbitration"
    RULE = "rule", "裁定", "rule"
    PASS = "pass", "审核通过", "pass the review"
    SEND_BACK = "send_back", "退回重办", "send back"
    CONFIRM_REFUSAL = "confirm_refusal", "确认不予受理", "confirm the refusal"
    REJECT_REFUSAL = "reject_refusal", "不同意不予受理", "reject the refusal"
    DISPATCH = "dispatch", "派单", "dispatch"
    REDIRECT = "redirect", "转应急", "redirect to the emergency service"
    ANSWER_AT_ONCE = "answer_at_once", "直接答复", "answer at once"
    CONFIRM_RECEIPT = "confirm_receipt", "确认接收", "confirm receipt"
    NOTE = "note", "报告进展", "say what was done so far"
    ACKNOWLEDGE = "acknowledge", "已阅", "acknowledge"
    REPORT = "report", "报告办理情况", "report"
    ACCEPT_REPORT = "accept_report", "采纳报告", "accept the report"
    REJECT_REPORT = "reject_report", "退回报告", "ask for the report again"
    ASK_HANG = "ask_hang", "申请挂账", "ask to put it on the list of hard cases"
    GRANT_HANG = "grant_hang", "同意挂账", "put it on the list of hard cases"
    REFUSE_HANG = "refuse_hang", "不同意挂账", "do not put it on the list of hard cases"
    REVIEW_PLAN = "review_plan", "复核计划", "review the plan"
    ASK_EXTENSION = "ask_extension", "申请延期", "ask for an extension"
    GRANT_EXTENSION = "grant_extension", "同意延期", "grant the extension"
    REFUSE_EXTENSION = "refuse_extension", "不同意延期", "refuse the extension"
    PAUSE = "pause", "暂停计时", "let the clock stand still"
    GO_ON = "go_on", "恢复计时", "let the clock go on"
    ACCEPT_MERGE = "accept_merge", "同意合并", "merge the two"
    REJECT_MERGE = "reject_merge", "不合并", "keep them apart"
    CALL_BACK = "call_back", "回访完成", "called back"
    NOT_REACHED = "not_reached", "未接通", "nobody was reached"
    REDO = "redo", "重办", "have it done again"
    GRANT_APPEAL = "grant_appeal", "申诉成立", "grant the appeal"
    REFUSE_APPEAL = "refuse_appeal", "申诉不成立", "refuse the appeal"
    END_PROCEDURE = "end_procedure", "报告程序结果", "say how the procedure ended"


class OrderAction(Word):
    """指令动作 what an office may order without having been asked."""

    URGE = "urge", "催办", "urge"
    SUPERVISE = "supervise", "督办", "supervise"
    LIFT = "lift", "解除督办", "lift the supervision"
    INSTRUCT = "instruct", "批示", "instruct"
    RE_DISPATCH = "re_dispatch", "改派", "dispatch to another unit"
    REDIRECT = "redirect", "转应急", "redirect to the emergency service"
    RELEASE = "release", "销账", "release from the list of hard cases"
    CONCLUDE = "conclude", "终结", "conclude"
    MERGE = "merge", "合并", "merge"
    UNMERGE = "unmerge", "解除合并", "unmerge"
    SPLIT = "split", "拆分", "split"
    REVEAL = "reveal", "调阅身份", "reveal the identity"
    MARK_MALICIOUS = "mark_malicious", "认定恶意诉求", "mark as malicious"
    EX_OFFICIO = "ex_officio", "撤回后依职权继续", "go on ex officio after a withdrawal"
    REFUSE = "refuse", "不予受理", "refuse"
    REDO = "redo", "重办", "have it done again"
    APPEAL_REVIEW = "appeal_review", "对评价申诉", "appeal against a grade"
    ASK_REVIEW = "ask_review", "代诉求人申请复核不予受理", "ask for a review of the refusal, for the applicant"


class OrderCode(Word):
    """指令结果 what became of an order."""

    ACCEPTED = "accepted", "已生效", "it took effect"
    REFUSED = "refused", "未生效", "it had no effect"
    HELD = "held", "已留存，等人工处理", "kept until a person has looked at it"


class ReplyResult(Word):
    """办理结果 what came of it."""

    SOLVED = "solved", "已解决", "solved"
    ANSWERED = "answered", "已解释答复", "answered"
    UNREASONABLE = "unreasonable", "诉求不合理（已解释）", "unreasonable, explained"
    TRANSFERRED = "transferred", "转入法定程序", "moved to a statutory procedure"
    REFERRED_OUTSIDE = "referred_outside", "转外部机构", "referred outside"


class CloseReason(Word):
    """办结方式 why a case ended (domain.md §2)."""

    SOLVED = "solved", "已解决", "solved"
    ANSWERED = "answered", "已答复", "answered"
    UNREASONABLE = "unreasonable", "诉求不合理（已解释）", "unreasonable, explained"
    TRANSFERRED = "transferred", "转入法定程序", "moved to a statutory procedure"
    CONCLUDED = "concluded", "终结", "concluded"
    WITHDRAWN = "withdrawn", "诉求人撤回", "withdrawn by the applicant"
    REFERRED_OUTSIDE = "referred_outside", "转外部机构", "referred outside"
    REFUSED = "refused", "不予受理", "refused"


class CaseState(Word):
    """工单状态 what the channel is told of the state of a case."""

    REGISTERED = "registered", "已登记", "registered"
    REDIRECTED = "redirected", "已转应急", "redirected to the emergency service"
    IN_TRIAGE = "in_triage", "待人工分派", "waiting for triage"
    REFUSAL_PROPOSED = "refusal_proposed", "拟不予受理", "refusal proposed"
    ACCEPTED = "accepted", "已受理", "accepted"
    DISPATCHED = "dispatched", "已派单", "dispatched"
    SIGNED = "signed", "已签收", "signed"
    REFUSED = "refused", "不予受理", "refused"
    REPLIED = "replied", "已回复待审核", "replied"
    SENT_BACK = "sent_back", "退回重办", "sent back"
    ANSWERED_AT_ONCE = "answered_at_once", "直接答复", "answered at once"
    CLOSED = "closed", "已办结", "closed"
    WITHDRAWN = "withdrawn", "已撤回", "withdrawn"
    CALLED_BACK = "called_back", "回访中", "the applicant is being asked"
    REDO = "redo", "重办", "it is done again"
    DUE_MOVED = "due_moved", "办理时限变更", "the promised date has moved"
    MERGED = "merged", "已合并办理", "handled together with another case"
    HUNG = "hung", "挂账（另有计划日期）", "on the list of hard cases, with a plan date"
    RELEASED = "released", "已销账，继续办理", "released, being handled again"
    IN_PROCEDURE = "in_procedure", "已转入法定程序，另有期限", "in a statutory procedure, with its own date"
    UNDER_REVIEW = "under_review", "不予受理复核中", "the refusal is being reviewed"


class ResemblanceKind(Word):
    """相似情形 what a case has in common with others."""

    REPEAT = "repeat", "同一人再次反映", "the same person again"
    ALIKE = "alike", "疑似同一事项", "perhaps the same thing"
    GROUP = "group", "多人反映同一事项", "several people about one thing"
    BURST = "burst", "同地紧急情况集中", "several emergencies at one place"


class ClockKind(Word):
    """时限类型 what a clock measures (workflows.policies)."""

    SIGN = "sign", "签收", "sign"
    CONTACT = "contact", "首次联系", "first contact"
    PROGRESS = "progress", "进展报告", "word of progress"
    FINISH = "finish", "办结", "finish"
    REVIEW = "review", "审核", "review"
    RETURN_DECISION = "return_decision", "退单审核", "decide a return"
    ARBITRATION = "arbitration", "裁定", "rule on who must act"
    TRIAGE = "triage", "人工分派", "triage"
    CONFIRM = "confirm", "确认", "confirm"
    REPORT = "report", "督办、批示报告", "report to the office that ordered it"
    HANG_DECISION = "hang_decision", "挂账审批", "decide about the list of hard cases"
    PLAN_REVIEW = "plan_review", "挂账计划复核", "review of the plan of a hard case"
    EXTENSION_DECISION = "extension_decision", "延期审批", "decide an extension"
    CALL_BACK = "call_back", "回访", "call back"
    JUDGE_REVIEW = "judge_review", "评价申诉复核", "decide an appeal against a grade"
    STATUTORY = "statutory", "法定程序", "statutory procedure"
    MERGE_DECISION = "merge_decision", "合并裁量", "decide a merger"
    MERGE = "merge", "等待主工单答复", "waiting for the head case"
    FOLLOW_UP = "follow_up", "催问法定程序结果", "asking how the statutory procedure ended"


class SupervisionStep(Word):
    """督办方式 what a supervisor is told or asked to do."""

    WARN = "warn", "预警", "warning before the due time"
    OVERDUE = "overdue", "超期", "overdue"
    URGE = "urge", "催办", "urge"
    SUPERVISE = "supervise", "督办", "supervise"
    NOTIFY = "notify", "通报", "notify"
    RAISE = "raise", "提级", "raise a level"
    REDISPATCH = "redispatch", "改派建议", "suggest another unit"


class OversightStep(Word):
    """督导事项 what an office has done about a case beside handling it."""

    SUPERVISE = "supervise", "督办", "supervision ordered"
    INSTRUCT = "instruct", "批示", "instruction passed on"
    REPORTED = "reported", "已报告", "the unit reported"
    REPORT_REJECTED = "report_rejected", "报告退回", "the report was sent back"
    REPORT_ACCEPTED = "report_accepted", "报告采纳，即解除", "the report was accepted, which lifts the order"
    LIFTED = "lifted", "解除", "lifted"
    ENDED = "ended", "随工单结束", "over with the case"
    HUNG = "hung", "挂账", "put on the list of hard cases"
    PLAN_MOVED = "plan_moved", "挂账计划改期", "the plan date of a hard case was moved"
    RELEASED = "released", "销账", "released from the list of hard cases"
    RE_DISPATCH = "re_dispatch", "改派", "dispatched to another unit"
    CONCLUDE = "conclude", "终结", "concluded"
    REDIRECT = "redirect", "转应急", "redirected to an emergency service"
