"""Orders of officers: who may give which, what they need, and that whoever gives one is answered."""

from msgspec import Raw, json

from schemas.registry import MODELS
from tests.unit.workflows.small_world import UNITS, told
from workflows import commands as cmd
from workflows.handle import give_up, step
from workflows.orders import ORDERS
from workflows.outgoing import undecided
from workflows.rights import RIGHTS


def test_every_right_has_a_handler_and_every_handler_a_right() -> None:
    assert set(RIGHTS) == set(ORDERS)


def test_the_centre_urges_and_who_has_it_in_hand_is_told() -> None:
    """The task again with the reason `urged`; no due date moves; counted apart from what the citizen urges."""
    t = told().submit("alone")
    dues = {key: clock.due for key, clock in t.held.clocks.items()}
    t.order("370100.hotline", "urge", text="三天了，请尽快")
    assert t.happened == ["OrderGiven", "CaseUrged"]
    assert t.left == ["tasks.centre order.answered", "tasks.desk task.assigned"]
    assert t.data("task.assigned")["reason"] == "urged"
    assert t.data("order.answered")["code"] == "accepted"
    assert {key: clock.due for key, clock in t.held.clocks.items()} == dues
    assert t.held.oversight is not None
    assert (t.held.oversight.urged, t.held.oversight.urged_by_citizen) == (1, 0)


def test_only_one_leg_may_be_meant() -> None:
    t = told().submit("street").order("370100.watch", "urge", leg="2")
    assert t.left == ["tasks.watch order.answered", "tasks.water task.assigned"]
    t.order("370100.watch", "urge", leg="9")
    assert t.data("order.answered")["reason"] == "leg_not_open"


def test_who_has_no_right_is_told_so_and_nothing_changes() -> None:
    """A unit without the office, one that the endpoint does not speak for, one that does not exist, an ended case."""
    t = told().submit("alone")
    before = t.held
    for unit, endpoint, code in (
        ("370102.bank", "", "not_entitled"),
        ("370100.hotline", "desk", "wrong_unit"),
        ("370100.nobody", "desk", "unknown_unit"),
    ):
        t.order(unit, "urge", endpoint=endpoint)
        assert t.happened == ["CommandRefused"]
        said = t.data("order.answered")
        assert (said["code"], said["reason"], said["unit"]) == ("refused", code, unit)
        assert (t.held.legs, t.held.tasks, t.held.oversight) == (before.legs, before.tasks, None)
    t.follow_up(cmd.Withdraw).order("370100.hotline", "urge")
    assert t.data("order.answered")["reason"] == "not_allowed"


def test_who_is_complained_about_orders_nothing() -> None:
    t = told().submit("alone", subject_of_complaint=[{"kind": "unit", "unit": "370100.urban"}])
    t.order("370100.urban", "urge")
    assert t.data("order.answered")["reason"] == "recused"


def test_a_superior_urges_those_below() -> None:
    t = told().submit("alone").order("370100.urban", "urge")
    assert t.data("order.answered")["code"] == "accepted"


def test_an_order_to_no_case_or_one_kept_aside_is_answered_too() -> None:
    t = told().submit("alone")
    body = Raw(json.encode({"officer": "0001"}))
    common = {**t.base(), "source": "replies.centre/0/7"}
    order = cmd.Order(**common, endpoint="centre", unit="370100.hotline", action="urge", body=body)  # type: ignore[arg-type]
    answer, dead = step(None, order, t.facts, t.now).messages
    assert json.decode(answer.data)["reason"] == "unknown_case"
    assert dead.to == "dead-letters.engine"
    for code, outcome in (("held", "held"), ("case_too_large", "refused")):
        (message,) = undecided(order, code)
        said = MODELS[message.type].model_validate_json(bytes(message.data))
        assert (message.to, said.code, said.reason) == ("tasks.centre", outcome, code)  # type: ignore[attr-defined]
    given_up = give_up(t.held, cmd.GiveUp(**common, of=order), t.facts, t.now)  # type: ignore[arg-type]
    assert json.decode(given_up.messages[0].data)["reason"] == "discarded"


def test_every_unit_of_the_small_world_is_answered() -> None:
    """Whoever orders: taken or refused, never silence."""
    for unit in UNITS:
        t = told().submit("street").order(unit, "urge")
        assert t.left[0].endswith("order.answered")
