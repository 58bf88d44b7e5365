"""
The rows of the read model: what is kept of a case for looking at it, and nothing more.

No title, text, name, telephone or address of a citizen is kept, nor what officials wrote in their own
words (replies, reasons): those stay in `case.events`, inside the trust boundary. What is kept are
numbers, codes, states, units, rules and times. Times are milliseconds since 1970-01-01T00:00Z on the
business clock; 0 means "not yet".
"""

from dataclasses import dataclass, field


@dataclass
class CaseRow:
    """One case as it stands. `ref` is the channel's own id (ids shaped like personal numbers are refused at the edge)."""

    case_id: str
    number: str = ""
    channel: str = ""
    ref: str = ""
    state: str = ""
    kind: str = ""
    category: str = ""
    matter: str = ""
    region: str = ""
    urgency: str = ""
    centre: str = ""
    rule: str = ""
    rule_number: int = 0
    outcome: str = ""
    policy: str = ""
    catalogue: int = 0
    close_reason: str = ""
    lead_leg: str = ""
    received_at: int = 0
    updated_at: int = 0
    closed_at: int = 0
    version: int = 0


@dataclass
class LegRow:
    """One leg: a unit that must act. `leg` is unique within its case."""

    case_id: str
    leg: str
    unit: str = ""
    unit_name: str = ""
    part: str = ""
    parent: str = ""
    endpoint: str = ""
    function: str = ""
    matter: str = ""
    stage: str = ""
    task: str = ""
    state: str = ""
    result: str = ""
    round: int = 0
    dispatched_at: int = 0
    signed_at: int = 0
    replied_at: int = 0


@dataclass
class ClockRow:
    """One clock. `of` is a leg or task id, or empty for the case's own; `start` is the policy's start rule."""

    case_id: str
    kind: str
    of: str
    state: str = "running"
    policy: str = ""
    calendar: str = ""
    budget: str = ""
    start: str = ""
    anchor: int = 0
    due: int = 0
    provisional: bool = False
    consumed: int = 0
    warned_at: int = 0
    overdue_at: int = 0
    level: int = 0


@dataclass(frozen=True)
class StepRow:
    """One event of a case's timeline. `detail` is a JSON object of what may be shown of it."""

    partition: int
    offset: int
    step: int
    case_id: str
    version: int
    at: int
    type: str
    catalogue: int
    detail: str


@dataclass(frozen=True)
class DeliveryRow:
    """One message that the engine handed out: where to, what, its id and its number at that destination."""

    partition: int
    offset: int
    step: int
    case_id: str
    version: int
    at: int
    destination: str
    type: str
    id: str
    seq: int


@dataclass
class Folded:
    """The rows that are folded rather than appended, of the cases a batch touches: keyed so that a fold finds them."""

    cases: dict[str, CaseRow] = field(default_factory=dict)
    legs: dict[tuple[str, str], LegRow] = field(default_factory=dict)
    clocks: dict[tuple[str, str, str], ClockRow] = field(default_factory=dict)


@dataclass(frozen=True)
class CaseFile:
    """All that is known of one case. `delivered` says up to which offset of each outbox partition delivery has acknowledged."""

    case: CaseRow
    timeline: list[StepRow]
    legs: list[LegRow]
    clocks: list[ClockRow]
    deliveries: list[DeliveryRow]
    delivered: dict[int, int]
