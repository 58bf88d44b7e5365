"""Marks and traces: a death at a record is known to the next process, an orderly end leaves nothing behind."""

from hypothesis import given
from hypothesis import strategies as st

from router.engine.quarantine import CRASHES, Quarantine


class Disk:
    """Files that outlive the process."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def read(self, name: str) -> bytes | None:
        return self.files.get(name)

    def write(self, name: str, data: bytes, *, sync: bool) -> None:
        self.files[name] = data

    def remove(self, name: str) -> None:
        self.files.pop(name, None)


def serve(disk: Disk, records: list[str], killers: set[str], parked: list[str]) -> bool:
    """One life: True where it took everything, False where it died. What is parked goes to `parked` when committed."""
    life = Quarantine(disk, "shard-0")
    careful = life.begin(len(records), 0)
    now_parked: list[str] = []
    for record in records:
        if not careful:
            if record in killers:
                return False
            continue
        deaths = life.mark(record)
        if deaths >= CRASHES:
            now_parked.append(record)
            life.survived(record, deaths)
        elif record in killers:
            return False
        else:
            life.survived(record)
        life.commands -= 1
    parked += now_parked
    life.committed()
    life.end()
    return True


@given(st.integers(1, 6).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_exactly_the_killers_are_parked_after_three_deaths_each_and_nothing_is_left(
    given: tuple[int, set[int]],
) -> None:
    """However many there are in one batch: one life more than their deaths, and one that nobody saw coming."""
    count, chosen = given
    records, killers = [f"r{n}" for n in range(count)], {f"r{n}" for n in chosen}
    disk, parked, lives = Disk(), list[str](), 1
    while not serve(disk, records, killers, parked):
        lives += 1
        assert lives <= 2 + CRASHES * count
    assert set(parked) == killers
    assert lives == (2 + CRASHES * len(killers) if killers else 1)
    assert disk.files == {}


def test_a_trace_stays_until_all_that_the_last_death_left_has_been_taken() -> None:
    """An orderly end in the middle forgets nothing."""
    disk = Disk()
    Quarantine(disk, "shard-0").begin(5, 0)  # and dies
    second = Quarantine(disk, "shard-0")
    assert second.begin(5, 0)
    second.commands = 2
    second.end()
    assert Quarantine(disk, "shard-0").begin(5, 0)


def test_what_is_committed_before_a_killer_is_met_again_forgets_none_of_its_deaths() -> None:
    """A deadline that fires, offsets alone: transactions that have nothing to do with it come first in every life."""
    disk = Disk()
    Quarantine(disk, "shard-0").begin(1, 0)  # and dies
    for deaths in range(CRASHES):
        life = Quarantine(disk, "shard-0")
        assert life.begin(1, 1)
        life.mark("deadline")
        life.survived("deadline")
        life.deadlines = 0
        life.committed()
        assert life.mark("killer") == deaths
    last = Quarantine(disk, "shard-0")
    last.begin(1, 0)
    last.committed()
    last.survived("killer", last.mark("killer"))
    last.commands = 0
    last.committed()
    last.end()
    assert disk.files == {}


def test_marks_of_what_somebody_else_has_dealt_with_are_forgotten() -> None:
    """Once all has been taken that the last death left behind, what is still marked is not to come here any more."""
    disk = Disk()
    disk.files["shard-0.marks"] = b'{"case.commands/0/7":2}'
    life = Quarantine(disk, "shard-0")
    assert life.begin(1, 1)
    life.commands = life.deadlines = 0
    life.committed()
    life.end()
    assert disk.files == {}


def test_marks_that_cannot_be_read_count_for_nothing() -> None:
    """A torn file must not stop the shard."""
    disk = Disk()
    disk.files["shard-0.marks"] = b"\xff{"
    life = Quarantine(disk, "shard-0")
    life.begin(1, 0)
    assert life.mark("r0") == 0
