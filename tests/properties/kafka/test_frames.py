"""A request framed in one copy is the request that aiokafka would have sent."""

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.kafka.frames import VERSIONS, encoded

topics = st.lists(
    st.tuples(
        st.text(max_size=20), st.lists(st.tuples(st.integers(0, 2**31 - 1), st.binary(max_size=200)), max_size=4)
    ),
    max_size=4,
)


@settings(max_examples=50)
@given(st.none() | st.text(max_size=20), st.sampled_from((-1, 0, 1)), st.integers(0, 2**31 - 1), topics)
def test_every_version_is_framed_as_its_schema_says(
    transactional_id: str | None, acks: int, timeout: int, asked: list[tuple[str, list[tuple[int, bytes]]]]
) -> None:
    assert VERSIONS
    for version in VERSIONS:
        request = version(transactional_id, acks, timeout, asked)
        assert encoded(request) == version.SCHEMA.encode([getattr(request, name) for name in version.SCHEMA.names])
