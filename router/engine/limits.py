"""
How many dead letters a shard may write before it stops: a bad deploy must not turn a day's requests into letters.

Counted are letters that are our fault, not the senders' own (`unknown_case`, `case_too_large`) and not those that follow
from another (`case_parked`); nor what fails again when it is retried, because a person watches that. Two limits:

- share: of the last one to two thousand commands, once there are more than ten letters. Each fault parks its case, and a
  deadline is told once however often it fails, so eleven letters are eleven cases or nearly; a shard that has not yet
  seen a thousand commands is taken to have.
- in a row: however few commands there are. Ten different cases one after the other with nothing decided in between
  is no chance event, and a shard of a small county may take weeks to see a thousand commands.

The counts stand in the shard's own record, so that a restart gets no new allowance. Beyond a limit the batch is not
committed: whoever starts the shard again meets the same letters and stops again, until the release is mended or a
person has looked and set the limit to 0 for a while, which also forgets what was counted.
"""

from typing import Protocol

COUNTED = frozenset(["engine_fault", "engine_crashed", "unreadable_command", "wrong_shard"])
WINDOW = 1_000
AT_LEAST = 10


class TooManyDeadLetters(Exception):
    """
    A shard would write more dead letters than its limits allow: it stops, and nothing of the batch is committed.

    Look at `duokua dead-letters list`, go back to the former release or mend the cause; to go on all the same set
    DUOKUA_DEAD_LETTER_SHARE=0 and DUOKUA_DEAD_LETTERS_IN_A_ROW=0.
    """

    def __init__(self, shard: int, letters: int, commands: int, in_a_row: int) -> None:
        super().__init__(f"shard {shard}: {letters} dead letters in {commands} commands, {in_a_row} in a row")


class Counts(Protocol):
    """What is counted: commands and letters of the window, letters since the last command that was decided."""

    seen: int
    letters: int
    row: int


class Limits:
    """The two limits of a deployment; 0 is none."""

    def __init__(self, share: float, in_a_row: int) -> None:
        self._share, self._in_a_row = share, in_a_row

    def check(self, shard: int, counts: Counts) -> None:
        """After a batch and before its commit. Raises TooManyDeadLetters."""
        many = counts.letters > max(AT_LEAST, self._share * max(counts.seen, WINDOW))
        if (self._share and many) or (self._in_a_row and counts.row >= self._in_a_row):
            raise TooManyDeadLetters(shard, counts.letters, counts.seen, counts.row)
        if not self._share:
            counts.seen = counts.letters = 0
        if not self._in_a_row:
            counts.row = 0
        if counts.seen >= 2 * WINDOW:
            counts.seen, counts.letters = counts.seen // 2, counts.letters // 2
