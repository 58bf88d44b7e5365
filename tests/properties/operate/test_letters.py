"""What a command's headers say of its being written again: read back as written, and whatever else they hold stops nobody."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from router.operate.letters import FIRST, RETRY_HEADERS, Retry, retry_headers, retry_of


@given(st.text(min_size=1, max_size=20), st.text(max_size=20), st.integers(0, 10_000))
def test_the_headers_of_a_retry_read_back(of: str, root: str, faults: int) -> None:
    """Behind whatever else the record carries."""
    retry = Retry(of, root, faults)
    assert retry_of([("ce_id", b"x"), *retry_headers(retry)]) == retry


@given(st.lists(st.tuples(st.sampled_from([*RETRY_HEADERS, "other"]), st.none() | st.binary(max_size=5)), max_size=6))
def test_no_header_stops_a_shard(headers: list[tuple[str, Any]]) -> None:
    """Without a value, not a number, not UTF-8, twice, one of three: such a command is one like any other."""
    found = retry_of(headers)
    assert found is FIRST or {name for name, _ in headers} >= set(RETRY_HEADERS)
