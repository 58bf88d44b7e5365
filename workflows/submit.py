"""
A request comes in: registered, then answered at once, redirected as an emergency, or routed by the rules.

The order is the law's: what the call agent has answered is over; an emergency is answered before any
rule; a rule may dispatch, start a one-thing, answer a question from the knowledge base, hand over to a dispatcher, or
*propose* a refusal.
"""

from collections.abc import Mapping
from functools import lru_cache

import msgspec
from msgspec import Raw
from msgspec.structs import replace
from stdnum.iso7064 import mod_11_10

from workflows import events as ev
from workflows.calendars import date_of, day_of
from workflows.clocks import start_case_clocks, start_task_clock
from workflows.commands import Submit
from workflows.decision import Decision
from workflows.emergencies import redirect
from workflows.facts import URGENCIES, RequestView, Route, Unit
from workflows.legs import accept, ask_triage, close, dispatch, dispatch_targets, open_stages, resolve
from workflows.proposals import QUESTION, Proposal
from workflows.workdays import DAY

TRIAGE_REASONS = frozenset({"rule", "low_score", "proposed_emergency", "proposed_answer"})
"""Why a request goes to a dispatcher as it comes in: a policy may give each a time of its own."""
_view = msgspec.json.Decoder(RequestView).decode


def submit(d: Decision, command: Submit) -> None:
    """A new case, or the answer that it is not new."""
    if d.case.version:
        same = d.case.digest == command.digest
        if (
            command.parent and not same
        ):  # the same one is this very part, of which an archived case knows no more that it came
            d.emit(ev.PartRefused(parent=command.parent, ref=command.ref))
        else:
            d.emit(ev.DuplicateReceived() if same else ev.IdReused(digest=command.digest))
        return
    view = _view(command.request)
    d.title = view.title
    _register(d, command, view, d.now)
    if view.direct_answer is not None:
        d.emit(ev.CaseAnsweredAtOnce())
        close(d, "answered", view.direct_answer.text)
    elif not _redirect(d, command.channel, view):
        _route(d, *_ruled(d, command, view))


def take_in(d: Decision, command: Submit, view: RequestView, now: int, triage: str) -> None:
    """
    What came in elsewhere, at `d.now`: it has the limits that rules give it `now`, and a person has to say who acts. It is not
    redirected as an emergency nor answered by a rule.
    """
    d.title = view.title
    _register(d, command, view, now)
    route = d.facts.route(command.channel, view, now, command.request, command.received_at)
    _route(d, _left_to_a_person(route), triage)


def _endings(check: int) -> dict[str, str]:
    """By the last two digits of a serial, these and the check digit; `check`: the sum over all that is before them."""
    ends = {}
    for digits in map("{:02}".format, range(100)):
        total = check
        for digit in digits:
            total = ((total or 10) * 2 % 11 + int(digit)) % 10
        ends[digits] = f"{digits}-{(1 - (total or 10) * 2 % 11) % 10}"
    return ends


_ENDINGS = [_endings(check) for check in range(10)]


def case_number(place: str, at: int, serial: str) -> str:
    """工单编号: division of the centre, business day, serial, and a check digit (ISO 7064 Mod 11,10) over all digits."""
    which = serial.zfill(7)
    begun, endings = _begun_number(place, day_of(at), which[:-2])
    return begun + endings[which[-2:]]


@lru_cache(maxsize=1024)
def _begun_number(place: str, day: int, hundred: str) -> tuple[str, Mapping[str, str]]:
    """What the numbers of a place and day, a hundred of them, have in common, and how each of them ends."""
    where, when = f"{place[:6]:0<6}", date_of(day * DAY).strftime("%y%m%d")
    return f"{where}-{when}-{hundred}", _ENDINGS[mod_11_10.checksum(where + when + hundred)]


def _register(d: Decision, command: Submit, view: RequestView, now: int) -> None:
    """`now`: of whose day its number is."""
    about = view.subject_of_complaint
    excluded = tuple(sorted({s.unit for s in about if s.kind == "unit" and s.unit})) if about else ()
    named = view.place.region if view.place else view.received_region or ""
    centre = _centre(d, command.channel, named, excluded)
    region = named or centre.place
    d.emit(
        ev.CaseRegistered(
            channel=command.channel,
            ref=command.ref,
            number=case_number(centre.place, now, command.serial),
            query_code=command.query_code,
            digest=command.digest,
            request=command.request,
            received_at=command.received_at,
            centre=centre.id,
            centre_endpoint=centre.endpoint,
            appeal_kind=view.appeal_kind,
            region=region,
            calendar=d.facts.calendar(region).id,
            category=view.appeal_category or "",
            matter=view.matter_code or "",
            urgency=view.urgency,
            excluded=excluded,
            disclosure=view.applicant.disclosure if view.applicant else "open",
            proposal=command.proposal if _says_nothing(view) else None,
            part_of=command.part_of,
        )
    )


def _says_nothing(view: RequestView) -> bool:
    """Whether the request leaves it to its text what it is about: only then may anybody guess."""
    return not (view.appeal_category or view.matter_code or view.one_thing)


def _centre(d: Decision, channel: str, region: str, excluded: tuple[str, ...]) -> Unit:
    """The centre; where it is complained about itself, the first unit above it that is not."""
    centre = d.facts.centre(channel, region)
    owner: Unit | None = centre
    while excluded and owner is not None and not {owner.id, *owner.ancestors}.isdisjoint(excluded):
        owner = d.facts.superior(owner.id)
    return owner or centre


def _redirect(d: Decision, channel: str, view: RequestView) -> bool:
    """110/119/120/a utility at once, before any rule; the clock for the receipt is the emergency's own."""
    target = d.facts.emergency(channel, view)
    if target is None:
        return False
    redirect(d, target)
    return True


def _ruled(d: Decision, command: Submit, view: RequestView) -> tuple[Route, str]:
    """
    The rule that decides, and why a dispatcher is asked where it leaves the case to one.

    A proposed category counts as if the channel had said it, with two exceptions: a guess calls out no emergency and
    answers nobody. There a person looks, whatever the rules would do.
    """
    proposal = d.case.proposal
    if proposal is None:
        return _by_rules(d, command, view, command.request), "rule"
    if not proposal.category:
        return _answered(d, view, proposal, _by_rules(d, command, view, command.request)), "low_score"
    guessed = replace(view, appeal_category=proposal.category)
    if d.facts.emergency(command.channel, guessed) is not None:
        return _left_to_a_person(_by_rules(d, command, view, command.request)), "proposed_emergency"
    route = _by_rules(d, command, guessed, _with_category(command.request, proposal.category))
    if route.outcome == "answer":
        return _left_to_a_person(route), f"proposed_answer: {route.answer}"
    return _answered(d, view, proposal, route), "rule"


def _answered(d: Decision, view: RequestView, proposal: Proposal, route: Route) -> Route:
    """
    The route; where it leaves a question to a dispatcher, and an entry was found that the policy is content with, the
    answer instead. What the rules send to somebody, refuse or answer themselves stays as they say.
    """
    found = proposal.answer
    if found is None or route.outcome != "triage" or view.appeal_kind != QUESTION or view.subject_of_complaint:
        return route
    enough = d.facts.policy(route.policy).answers_from
    text = d.facts.answer(found.entry, d.now) if 0 < enough <= found.score else ""
    return replace(route, outcome="answer", answer=found.entry, text=text, targets=()) if text else route


def _left_to_a_person(route: Route) -> Route:
    """Its limits and urgency stand; what it would have done does not."""
    return replace(
        route, outcome="triage", targets=(), stages=(), ground="", basis="", where_to_turn="", answer="", text=""
    )


def _by_rules(d: Decision, command: Submit, view: RequestView, request: Raw) -> Route:
    return d.facts.route(command.channel, view, d.now, request, command.received_at)


def _with_category(request: Raw, category: str) -> Raw:
    """The request as the rules are to see it; as it was sent it is kept."""
    return Raw(msgspec.json.encode({**msgspec.json.decode(request), "appeal_category": category}))


def _route(d: Decision, route: Route, triage: str) -> None:
    """By the rule that decided. The citizen's clocks run from here on, whatever the outcome. `triage`: why a person is asked."""
    d.emit(_routed(route, d.facts.version))
    if route.urgency and URGENCIES.index(route.urgency) > URGENCIES.index(d.case.urgency):
        d.emit(ev.UrgencyRaised(urgency=route.urgency))
    if route.outcome == "answer":
        d.emit(ev.CaseAnsweredAtOnce(answer=route.answer))
        close(d, "answered", route.text)
        return
    start_case_clocks(d)
    if route.outcome == "dispatch":
        dispatch_targets(d, route.targets)
    elif route.outcome == "one_thing":
        _start_one_thing(d, route)
    elif route.outcome == "propose_refusal":
        _propose_refusal(d, route)
    else:
        ask_triage(d, triage)


@lru_cache(maxsize=16_384)
def _routed(route: Route, catalogue: int) -> ev.CaseRouted:
    """One event for all the cases that a rule routes alike."""
    return ev.CaseRouted(
        rule=route.rule, number=route.number, catalogue=catalogue, outcome=route.outcome, policy=route.policy,
        why=route.why, stages=route.stages, joined=route.joined,
    )  # fmt: skip


def _start_one_thing(d: Decision, route: Route) -> None:
    lead = resolve(d, route.targets[0], d.case.matter)
    if lead is None:
        ask_triage(d, f"no_unit: {route.targets[0].function}")
        return
    accept(d, "rule")
    dispatch(d, lead, "lead", function=route.targets[0].function, matter=d.case.matter)
    open_stages(d)


def _propose_refusal(d: Decision, route: Route) -> None:
    task = d.new_task()
    d.emit(
        ev.RefusalProposed(
            task=task,
            endpoint=d.case.centre_endpoint,
            ground=route.ground,
            basis=route.basis,
            where_to_turn=route.where_to_turn,
        )
    )
    start_task_clock(d, task, "confirm_refusal")
