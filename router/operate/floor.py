"""How often a busy loop turns: what is done once a batch costs as much for one record as for hundreds."""

from dataclasses import dataclass

TOP_UP_MS = 5
"""
How long to wait for more after a rest. What the reader holds by then it fetched before, with the first record that came;
all that came since waits at the broker, and is there one round trip after the reader was emptied.
"""


@dataclass
class Floor:
    """
    The busier the loop, the longer its next batch may fill. One that rests answers at once.

    seconds: the longest time from one batch to the next. full: the records of a batch after which nothing is waited for.
    Under load the time between settles at about the geometric mean of `seconds` and of what a batch takes.
    """

    seconds: float
    full: int
    busy: float = 0.0
    """The share of the time that goes into batches, of late."""

    def rest(self, worked: float, waited: float, records: int) -> float:
        """Seconds to let pass after a batch that took `worked`, after `waited` in which there was none."""
        share = worked / (worked + waited) if worked else 0.0
        self.busy += 0.2 * (share - self.busy)
        return 0.0 if records >= self.full else max(0.0, self.busy * self.seconds - worked)
