"""
What has happened to a case, in the past tense, with the version in the type.

One record on `case.events` per command: an `EventRecord`, JSON. It is the truth: kept, never
compacted; `evolve` of a released event version never changes. Times are milliseconds since
1970-01-01T00:00Z on the business clock. Events carry what was decided (due dates, units,
endpoints), so that folding them needs no catalogue and no calendar.
"""

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from workflows.facts import Joined, Reason, Stage
from workflows.proposals import Proposal


class Event(
    Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="type", tag=lambda name: name + ".v1"
):
    """Base of all events; the tag on the wire is `<Name>.v1`. (No event can be part of a cycle: nothing for the collector.)"""


# -- the case ---------------------------------------------------------------------------------


class CaseRegistered(Event, frozen=True):
    """登记. A request became a case. `number` is the public 工单编号, `centre` the unit that owns the case."""

    channel: str
    ref: str
    number: str
    query_code: str
    digest: str
    request: Raw
    received_at: int
    centre: str
    centre_endpoint: str
    appeal_kind: str
    region: str
    calendar: str
    category: str = ""
    matter: str = ""
    urgency: str = "normal"
    excluded: tuple[str, ...] = ()
    """Units complained about: they and those below them never lead or review (recusal)."""
    disclosure: str = "open"
    """What a handling unit may see of the applicant: open | confidential | anonymous."""
    proposal: Proposal | None = None
    """What a classifier thought; `category` stays what the channel said."""


class DuplicateReceived(Event, frozen=True):
    """The same request again (same id, same body). Changes nothing but is answered and counted."""


class IdReused(Event, frozen=True):
    """The channel's id again with another body: answered and dead-lettered, never silent."""

    digest: str


class EmergencyRedirected(Event, frozen=True):
    """Handed to 110/119/120/a utility at once; the record stays open until the receiver confirms."""

    task: str
    unit: str
    endpoint: str
    policy: str = ""


class RedirectConfirmed(Event, frozen=True):
    receipt_no: str = ""


class CaseAnsweredAtOnce(Event, frozen=True):
    """直办: the call agent answered, or a rule did with an `answer` of the knowledge base; no leg, counted apart."""

    answer: str = ""
    """the entry's id, in the version of the catalogue that CaseRouted names; empty: the call agent's own words"""


class CaseRouted(Event, frozen=True):
    """Which rule of which catalogue version decided, and the values that matched. Never changes afterwards."""

    rule: str
    number: int
    catalogue: int
    outcome: str
    policy: str
    why: tuple[Reason, ...] = ()
    stages: tuple[Stage, ...] = ()
    """The plan of a one-thing, as it was then: a running case stays on it."""
    joined: tuple[Joined, ...] = ()
    """The rules that added assists, copies or urgency to what this one decided."""


class UrgencyRaised(Event, frozen=True):
    """A rule asked for more urgency than the request did. It is never lowered."""

    urgency: str


class CaseAccepted(Event, frozen=True):
    """受理. `by` is `rule` or the endpoint of the officer."""

    by: str


class RefusalProposed(Event, frozen=True):
    """A rule proposes 不予受理; an officer of the centre confirms or rejects it (task)."""

    task: str
    endpoint: str
    ground: str
    basis: str
    where_to_turn: str


class RefusalRejected(Event, frozen=True):
    """The officer did not follow the proposal; a TriageAsked follows."""


class CaseRefused(Event, frozen=True):
    ground: str
    basis: str
    where_to_turn: str


class TriageAsked(Event, frozen=True):
    """Nobody could be named: a dispatcher of the centre decides (task)."""

    task: str
    endpoint: str
    reason: str
    leg: str = ""
    """The returned leg that needs another unit; empty: the case as a whole needs one."""


class TriageEnded(Event, frozen=True):
    """The dispatcher decided; the legs follow."""

    task: str
    category: str = ""
    """What the dispatcher says it is about: a labelled sample (docs/proposals.md)"""


class StageOpened(Event, frozen=True):
    """A stage of a one-thing plan began."""

    stage: str
    name: str


class CaseSupplemented(Event, frozen=True):
    body: Raw


class CaseWithdrawn(Event, frozen=True):
    body: Raw


class CaseEvaluated(Event, frozen=True):
    grade: int
    body: Raw | UnsetType = UNSET


class CaseClosed(Event, frozen=True):
    """`reason` is one of schemas.vocabulary.CloseReason; `result` is the lead's answer that the citizen gets."""

    reason: str
    result: str = ""
    archive_at: int = 0
    """When only a stub of the case will be kept."""


class CaseArchived(Event, frozen=True):
    """After the re-open window only a stub stays (version, digest, closed at)."""

    forget_at: int = 0
    """When the stub is dropped as well; 0 for never."""


class CaseForgotten(Event, frozen=True):
    """Nothing of the case is state any more. What is sent under its id from now on is a case anew, from version 1 on."""


# -- the legs ---------------------------------------------------------------------------------


class LegDispatched(Event, frozen=True):
    """派单 / 转派 / 改派: a unit has a task. `parent` is the leg of the first-level unit that dispatched further."""

    leg: str
    task: str
    unit: str
    unit_name: str
    endpoint: str
    part: str
    """lead | assist | copy | sub"""
    parent: str = ""
    function: str = ""
    matter: str = ""
    stage: str = ""
    blocking: bool = True


class LegSigned(Event, frozen=True):
    leg: str
    deemed: bool = False


class LegReturnAsked(Event, frozen=True):
    """退单: who dispatched the leg decides (task): the centre, or the first-level unit. The citizen's clock goes on."""

    leg: str
    task: str
    endpoint: str
    reason: str
    proposed: str = ""
    unit: str = ""
    """who decides"""


class LegReturned(Event, frozen=True):
    """The return was accepted; a re-dispatch or triage follows."""

    leg: str


class LegReturnRejected(Event, frozen=True):
    """驳回退单: the leg goes on, and the time stays with the unit."""

    leg: str
    reason: str = ""


class LegReplied(Event, frozen=True):
    """办理结果 of a leg. The lead's goes to review at the centre (`task`, `endpoint`); others' rise to the lead or parent."""

    leg: str
    result: str
    text: str = ""
    contacted: bool = False
    basis: str = ""
    task: str = ""
    endpoint: str = ""
    contacted_at: str = ""
    contact_method: str = ""
    attachments: Raw | UnsetType = UNSET
    """JSON, as in the Reply of the contract"""


class LegReviewPassed(Event, frozen=True):
    leg: str


class LegSentBack(Event, frozen=True):
    """退回重办: the unit has the task again (same task id); the clock goes on as if it had not stopped."""

    leg: str
    reason: str
    round: int


class LegWithdrawn(Event, frozen=True):
    """The leg ends because its case ended or its parent did."""

    leg: str


# -- the clocks -------------------------------------------------------------------------------


class Mark(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """
    Something a clock brings about at `at`.

    what: warn | due | deem_signed | escalate; of an escalation: `level`, `who` is told (the unit is resolved
    when it fires) and the `step`: urge | supervise | notify.
    """

    at: int
    what: str
    level: int = 0
    who: str = ""
    step: str = ""


class ClockStarted(Event, frozen=True):
    """A clock began to run. `of` is a leg id, a task id, or empty for the case's own; `<kind>/<of>` is unique and stays."""

    kind: str
    of: str
    policy: str
    calendar: str
    budget: str
    """as in a policy: `5wd`, `24h`, `30m`, ..."""
    anchor: int
    due: int
    provisional: bool = False
    start: str = ""
    """the policy's start rule that led to `anchor` (receipt | next_working_instant | next_day): why it is due then"""
    marks: tuple[Mark, ...] = ()


class ClockStopped(Event, frozen=True):
    """`consumed` is milliseconds of the clock's own counting (working time or natural) since its first anchor."""

    kind: str
    of: str
    consumed: int
    met: bool


class ClockResumed(Event, frozen=True):
    """It goes on as if it had not stopped: the same due, and the marks that have not fired yet."""

    kind: str
    of: str


class ClockWarned(Event, frozen=True):
    kind: str
    of: str
    due: int
    unit: str = ""
    endpoint: str = ""


class ClockOverdue(Event, frozen=True):
    kind: str
    of: str
    due: int
    unit: str = ""
    endpoint: str = ""


class CaseEscalated(Event, frozen=True):
    """升级: `unit` is told at `level` of the ladder because clock `kind`/`of` passed its due."""

    kind: str
    of: str
    level: int
    unit: str
    endpoint: str
    what: str


# -- refusals of commands -----------------------------------------------------------------------


class CommandRefused(Event, frozen=True):
    """The state table does not allow it, or the sender may not: an answer with a code, never silence."""

    action: str
    code: str
    state: str
    endpoint: str = ""
    channel: str = ""
    task: str = ""


AnyEvent = (
    CaseRegistered | DuplicateReceived | IdReused | EmergencyRedirected | RedirectConfirmed | CaseAnsweredAtOnce
    | CaseRouted | UrgencyRaised | CaseAccepted | RefusalProposed | RefusalRejected | CaseRefused | TriageAsked | TriageEnded
    | StageOpened | CaseSupplemented | CaseWithdrawn | CaseEvaluated | CaseClosed | CaseArchived | CaseForgotten
    | LegDispatched | LegSigned | LegReturnAsked | LegReturned | LegReturnRejected | LegReplied | LegReviewPassed
    | LegSentBack | LegWithdrawn
    | ClockStarted | ClockStopped | ClockResumed | ClockWarned | ClockOverdue | CaseEscalated
    | CommandRefused
)  # fmt: skip


class EventRecord(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One record of `case.events`: all that one command brought about. `version` counts 1, 2, 3 … per case."""

    case: str
    version: int
    at: int
    cause: str
    """the command's id"""
    source: str = ""
    """topic/partition/offset of the input behind the command; empty for deadlines"""
    number: str = ""
    catalogue: int = 0
    events: tuple[AnyEvent, ...]
    sent: tuple[str, ...] = ()
    """The destination of each message that left with it, in order: folding them gives the sequences per destination."""


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(EventRecord).decode
