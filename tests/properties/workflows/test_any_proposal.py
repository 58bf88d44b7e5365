"""Whatever was proposed, the case made of it is told again alike."""

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.workflows.small_world import ROUTES, told
from tests.unit.workflows.test_proposals import registered
from workflows import commands as cmd
from workflows import events as ev
from workflows.evolve import fold
from workflows.proposals import Guess, Proposal


@given(
    st.builds(
        Proposal,
        by=st.text(max_size=8), version=st.text(max_size=8), threshold=st.floats(0, 1),
        top=st.lists(st.builds(Guess, st.text(max_size=8), st.floats(0, 1)), max_size=3).map(tuple),
        category=st.sampled_from(["", *ROUTES, "emergency", "\0", "不存在"]), score=st.floats(0, 1),
    )
)  # fmt: skip
def test_any_proposal_is_survived_and_told_again_alike(proposal: Proposal) -> None:
    """Through the wire and through the log: the same command, the same records, the same state."""
    t = told()
    t.submit("", proposal=proposal)
    retold = fold(None, ev.decode(ev.encode(t.records[0])))
    assert retold == t.case
    command = cmd.Submit(
        id="i", case="c", at=1, channel="w", ref="r", request=registered(t).request, digest="d", received_at=1,
        proposal=proposal,
    )  # fmt: skip
    assert cmd.decode(cmd.encode(command)) == command
