"""Why a command was refused: every code with its text for the sender, Chinese and English. Texts hold no personal data."""

from collections.abc import Mapping

REFUSALS: Mapping[str, tuple[str, str]] = {
    "not_allowed": ("工单当前状态不允许此操作", "the case's state does not allow this"),
    "not_available": ("该功能尚未开通", "this is not available yet"),
    "unknown_case": ("没有这个工单", "there is no such case"),
    "id_reused": ("该编号已用于另一内容的诉求", "this id has been used for a request with another content"),
    "too_many_commands": ("该工单的来件过多，已停止接收", "this case has had too many messages and takes no more"),
    "too_many_supplements": ("补充内容过多，请直接联系热线", "too much has been added; please call the hotline"),
    "task_not_open": ("任务不存在或已结束", "there is no such open task"),
    "wrong_endpoint": ("任务不属于该端点", "the task was given to another endpoint"),
    "wrong_action": ("该任务不接受此动作", "a task of this kind does not take this action"),
    "incomplete": ("缺少该动作必需的内容", "something that this action needs is missing"),
    "already_signed": ("已签收，或已到时自动签收", "signed already, or deemed signed"),
    "return_not_allowed": ("此类工单不得退单", "cases of this kind cannot be returned"),
    "return_window_over": ("已超过退单时限", "the time for returning is over"),
    "ruled_case": ("已裁定的工单不得退单", "a case that was ruled on cannot be returned"),
    "no_arbiter": ("没有可以裁定的机构", "there is no body that could rule"),
    "inner_dispute": (
        "单位内部的退单由转派单位决定，不提请裁定",
        "a return inside a unit's own house is decided by the unit that dispatched further, not by arbitration",
    ),
    "not_below": (
        "该单位没有本单位转派的、可作此操作的任务",
        "that unit has no task from this one to which this can be done",
    ),
    "assists_open": (
        "协办单位尚未答复，须等待或在 unanswered 中写明",
        "assisting units have not answered: wait, or name them in `unanswered`",
    ),
    "second_level": (
        "已到转派的最低一级，不得再转派",
        "this is the lowest level to which may be dispatched: no further",
    ),
    "not_own_unit": ("只能转派给本单位的下级单位", "only own units of the second level can be named"),
    "unknown_unit": ("没有这个单位", "there is no such unit"),
    "unknown_category": ("没有这个诉求分类", "there is no such appeal category"),
    "recused": ("被反映单位及其下属单位须回避", "a unit complained about, and those below it, must stand aside"),
    "one_lead": ("须有且只有一个主办单位", "exactly one unit must lead"),
    "children_open": ("下级单位尚未答复", "units below have not replied yet"),
    "stages_open": ("一件事的环节尚未办完", "stages of the one-thing are not done yet"),
    "report_stays": ("举报不得撤回", "a report of wrongdoing cannot be withdrawn"),
    "already_evaluated": ("已评价", "evaluated already"),
    "not_entitled": ("该单位无权发出此指令", "this unit has no right to order this"),
    "wrong_unit": ("该端点不代表此单位", "this endpoint does not speak for that unit"),
    "unknown_reason": ("原因代码不在清单内", "the reason is not on the closed list"),
    "leg_not_open": ("没有这个承办分支，或已结束", "there is no such leg, or it is over"),
    "too_many_orders": ("该工单上未解除的指令过多", "too many orders stand on this case already"),
    "no_such_order": ("没有该单位发出的此项指令", "this unit has no such order standing"),
    "report_first": ("领导批示须先答复", "the leader's instruction must be answered first"),
    "under_supervision": ("督办未解除，不得退单", "under supervision: it cannot be returned until that is lifted"),
    "second_officer": ("须由另一人复核", "a second officer must confirm this"),
    "document_needed": ("须注明文号", "a document number is needed"),
    "case_too_large": (
        "该工单内容过多，系统无法再保存",
        "the case holds too much already: this cannot be stored any more",
    ),
    "held": (
        "已收到，暂不能处理，等人工处理，请勿重发",
        "received, cannot be processed yet, a person will see to it: do not send it again",
    ),
    "discarded": (
        "经人工查看未予处理，没有生效；仍需要的请重新发送",
        "a person has looked at it and given it up: it took no effect; if it is still needed, send it again",
    ),
}
