"""The read model and its projector: what holds whatever stretch of the log is projected, and however often."""

import asyncio
import json
from dataclasses import fields
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from sqlalchemy import create_engine, inspect, text

from adapters.clock import Clock
from adapters.kafka.log import TopicSpec
from adapters.kafka.memory import MemoryLog, MemoryReader
from adapters.readmodel import (
    Batch,
    CaseRow,
    ClockRow,
    DeliveryRow,
    LegRow,
    OffsetMoved,
    ReadModel,
    ReadModelMissing,
    StepRow,
)
from adapters.readmodel import tables as t
from router.operate import metrics
from router.operate.process import Process
from router.operate.settings import Settings
from router.projector import role
from router.projector.kept import KEPT, WITHHELD, detail
from router.projector.role import Projection
from tests.unit.reading.made_up import (
    EVENTS,
    NINE,
    OUTBOX,
    SECRET,
    TOPICS,
    Read,
    handed_out,
    read,
    read_outbox,
    record,
    registered,
    whole_life,
)
from workflows import events as ev
from workflows.evolve import fold

SLOT = TopicPartition(EVENTS, 0)
OUT = TopicPartition(OUTBOX, 0)


def opened(folder: Path) -> tuple[ReadModel, Projection]:
    model = ReadModel(f"sqlite:///{folder / 'readmodel.db'}")
    model.prepare("log-1")
    projection = Projection(model, TOPICS)
    projection.resume()
    return model, projection


def dump(model: ReadModel) -> dict[str, list[tuple[object, ...]]]:
    with model._engine.connect() as db:
        return {
            table.name: sorted(tuple(row) for row in db.execute(table.select())) for table in t.METADATA.sorted_tables
        }


@pytest.fixture
def model(tmp_path: Path) -> ReadModel:
    return opened(tmp_path)[0]


RENAMED = {
    "number": "case_number", "ref": "channel_ref", "of": "clock_of", "start": "start_rule", "level": "escalation_level", "id": "message_id",
    "function": "unit_function", "result": "outcome", "rule": "rule_id", "partition": "log_partition", "offset": "log_offset", "kind": "appeal_kind",
}  # fmt: skip
"""Fields whose columns have another name, because the field's name is reserved in SQL."""


def test_every_row_has_the_columns_of_its_table_in_their_order() -> None:
    """A row is written by position: as many fields as columns, and the same meaning at each place."""
    for row, table in (
        (CaseRow, t.CASES),
        (LegRow, t.LEGS),
        (ClockRow, t.CLOCKS),
        (StepRow, t.TIMELINE),
        (DeliveryRow, t.DELIVERIES),
    ):
        for f, column in zip(fields(row), table.columns, strict=True):
            assert column.name in (f.name, RENAMED.get(f.name)) or column.name.endswith((f"_{f.name}", "_at")), (
                f.name,
                column.name,
            )


def test_a_whole_case_is_folded_to_what_stands_at_its_end(tmp_path: Path) -> None:
    """State, rule, legs, clocks and times of a case are those that its events say."""
    model, projection = opened(tmp_path)
    projection.write({SLOT: read(whole_life())})
    (case,) = model.find("370000-1")
    file = model.file(case)
    assert (case.state, case.close_reason, case.rule, case.rule_number, case.version) == (
        "closed",
        "solved",
        "water",
        40,
        13,
    )
    assert [(leg.leg, leg.state, leg.round) for leg in file.legs] == [
        ("l1", "returned", 0),
        ("l2", "review_passed", 1),
        ("l3", "dispatched", 0),
    ]
    (clock,) = file.clocks
    assert (clock.state, clock.provisional, clock.level, clock.budget) == ("missed", True, 1, "5wd")
    assert clock.warned_at and clock.overdue_at
    assert [step.version for step in file.timeline] == sorted(step.version for step in file.timeline)
    assert len(file.timeline) == sum(len(r.events) for r in whole_life())


def test_a_case_stands_where_the_engine_has_it(tmp_path: Path) -> None:
    """After each record the states of case and legs are those that `evolve` folds for the engine."""
    model, projection = opened(tmp_path)
    folded = None
    for offset, happened in enumerate(whole_life()):
        folded = fold(folded, happened)
        projection.write({SLOT: [Read(offset, ev.encode(happened))]})
        (case,) = model.find("case-1")
        assert folded is not None
        assert case.state == folded.state
        assert {leg.leg: leg.state for leg in model.file(case).legs} == {
            leg.id: leg.state for leg in folded.legs.values()
        }


def test_a_case_is_found_by_number_id_and_by_the_channels_own_id(tmp_path: Path) -> None:
    """Three names, one case; another name finds nothing."""
    model, projection = opened(tmp_path)
    projection.write({SLOT: read(whole_life("case-1", "370000-1", "r-1") + whole_life("case-2", "370000-2", "r-2"))})
    assert [c.case_id for c in model.find("370000-2")] == ["case-2"]
    assert [c.case_id for c in model.find("case-2")] == ["case-2"]
    assert [c.case_id for c in model.find_ref("website", "r-2")] == ["case-2"]
    assert model.find("370000-3") == [] == model.find_ref("wechat", "r-2")
    assert [c.case_id for c in model.latest("", 1)] == ["case-2"]
    assert model.latest("open", 9) == []


def test_the_same_stretch_is_never_written_over_a_later_one(tmp_path: Path) -> None:
    """A projector that was overtaken is refused as a whole: neither its rows nor its offsets are written."""
    model, projection = opened(tmp_path)
    late = Projection(model, TOPICS)
    late.resume()
    projection.write({SLOT: read(whole_life())})
    before = dump(model)
    with pytest.raises(OffsetMoved):
        late.write({SLOT: read(whole_life("case-9", "370000-9"))})
    assert dump(model) == before
    late.resume()
    late.write({SLOT: read(whole_life("case-2", "370000-2"), first=13)})
    assert len(model.latest("", 9)) == 2


def test_rows_and_offsets_are_one_transaction(tmp_path: Path) -> None:
    """When the rows cannot be written, the offset stays where it was."""
    model, _ = opened(tmp_path)
    step = StepRow(0, 0, 0, "case-1", 1, NINE, "X.v1", 1, "{}")
    with pytest.raises(Exception, match="UNIQUE"):
        model.write(Batch(timeline=[step, step], offsets={(EVENTS, 0): (0, 1)}))
    assert model.offsets() == {}


def test_gaps_in_the_offsets_are_no_gaps_in_the_projection(tmp_path: Path) -> None:
    """Transaction markers take offsets too: what counts is where the next read goes on."""
    model, projection = opened(tmp_path)
    life = whole_life()
    projection.write({SLOT: [Read(0, ev.encode(life[0])), Read(2, ev.encode(life[1]))]})
    projection.write({SLOT: [Read(7, ev.encode(life[2]))]})
    assert model.offsets() == {(EVENTS, 0): 8}


def test_nothing_that_people_wrote_is_kept(tmp_path: Path) -> None:
    """No request, reply, reason, matched word or query code stands anywhere in the read model's files."""
    model, projection = opened(tmp_path)
    projection.write({SLOT: read(whole_life()), OUT: read_outbox(handed_out())})
    model.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for secret in (*SECRET.split(), "QUERYCODE"):
        assert secret.encode() not in stored
    assert "牡丹区水务局".encode() in stored


def test_each_field_of_each_event_is_either_kept_or_withheld() -> None:
    """A new event, or a new field of one, is shown to nobody before somebody decided that it may be."""
    kinds = ev.AnyEvent.__args__
    assert {k.__name__ for k in kinds} == set(KEPT)
    for kind in kinds:
        decided = (*KEPT[kind.__name__], *WITHHELD.get(kind.__name__, ()))
        assert sorted(decided) == sorted(kind.__struct_fields__), kind.__name__


def test_whatever_an_event_says_has_a_place_in_the_timeline() -> None:
    """Each event of the examples, with all its fields and with the fewest, becomes a JSON object."""
    examples = Path(__file__).parents[3] / "examples" / "events" / "case.events.jsonl"
    for line in examples.read_bytes().splitlines():
        for event in ev.decode(line).events:
            assert isinstance(json.loads(detail(event)), dict)


def test_a_record_that_cannot_be_read_delays_nobody(tmp_path: Path) -> None:
    """An event of a later version is passed over; the records around it are projected."""
    model, projection = opened(tmp_path)
    strange = Read(1, b'{"case":"case-1","version":2,"at":1,"cause":"c","events":[{"type":"CaseSung.v1"}]}')
    projection.write(
        {SLOT: [Read(0, ev.encode(whole_life()[0])), strange, Read(2, b"\xff"), Read(3, ev.encode(whole_life()[1]))]}
    )
    (case,) = model.find("case-1")
    assert case.version == 2 and model.offsets() == {(EVENTS, 0): 4}


def test_an_event_of_an_unknown_case_makes_no_case(tmp_path: Path) -> None:
    """What refers to a case nobody registered stays a line of the timeline."""
    model, projection = opened(tmp_path)
    refused = ev.CommandRefused(action="sign", code="unknown_case", state="")
    projection.write({SLOT: read([record("case-7", 1, refused), record("case-7", 2, ev.LegSigned(leg="l1"))])})
    assert model.find("case-7") == []


def test_deliveries_stand_in_the_order_they_were_handed_out(tmp_path: Path) -> None:
    """Where to, what, which number; and whether delivery has acknowledged that stretch of the outbox."""
    model, projection = opened(tmp_path)
    projection.write({SLOT: read(whole_life()), OUT: read_outbox(handed_out())})
    projection.note_delivered({0: 1})
    file = model.file(model.find("case-1")[0])
    assert [(d.destination, d.id, d.seq) for d in file.deliveries] == [
        ("tasks.desk", "m1", 1),
        ("answers.website", "m2", 1),
        ("tasks.desk", "m3", 2),
    ]
    assert [d.offset < file.delivered[d.partition] for d in file.deliveries] == [True, True, False]


def test_a_read_model_of_another_log_is_made_anew(tmp_path: Path) -> None:
    """The same file after the cluster was thrown away: nothing of the old log is left, and the offsets start anew."""
    model, projection = opened(tmp_path)
    assert model.prepare("log-1") is False
    projection.write({SLOT: read(whole_life())})
    assert model.prepare("log-2") is True
    assert model.offsets() == {} and model.find("case-1") == []


def test_a_missing_read_model_is_said_so(tmp_path: Path) -> None:
    """Looking makes no file; a database without our tables is no read model either."""
    url = f"sqlite:///{tmp_path / 'none.db'}"
    with pytest.raises(ReadModelMissing):
        ReadModel.existing(url)
    assert list(tmp_path.iterdir()) == []
    with create_engine(url).begin() as db:
        db.execute(text("create table other (x integer)"))
    with pytest.raises(ReadModelMissing):
        ReadModel.existing(url)


def test_the_tables_have_portable_names(model: ReadModel) -> None:
    """No column is a reserved word of the SQL that the databases in question share."""
    reserved = {
        "number",
        "offset",
        "partition",
        "state",
        "level",
        "type",
        "of",
        "to",
        "at",
        "function",
        "result",
        "start",
        "end",
        "key",
        "value",
        "order",
    }
    columns = {
        c["name"]
        for table in inspect(model._engine).get_table_names()
        for c in inspect(model._engine).get_columns(table)
    }
    assert not columns & reserved


async def test_the_role_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Two runs over a growing log give what one run over the whole log gives; what was there is not read again."""
    log = MemoryLog()
    await log.create_topics([TopicSpec(EVENTS, 4), TopicSpec(OUTBOX, 4)])
    life = whole_life()
    for first, upto in ((0, 5), (5, len(life))):
        async with log.writer() as writer:
            for item in life[first:upto]:
                writer.add(EVENTS, 2, item.case.encode(), ev.encode(item))
            await writer.flush()
        await run_until(log, tmp_path, upto)
    model = ReadModel.existing(f"sqlite:///{tmp_path / 'readmodel.db'}")
    (case,) = model.find("case-1")
    assert (case.version, case.state) == (13, "closed")
    assert len(model.file(case).timeline) == sum(len(r.events) for r in life)


async def test_a_group_that_does_not_answer_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Projecting goes on, the unanswered looks are counted; what is known of delivery is noted when there is an answer."""
    log, life, is_away = MemoryLog(), whole_life(), True
    await log.create_topics([TopicSpec(EVENTS, 4), TopicSpec(OUTBOX, 4)])
    real = MemoryReader.committed

    async def committed(reader: MemoryReader, partition: TopicPartition) -> int | None:
        if is_away:
            await asyncio.Event().wait()
        return await real(reader, partition)

    monkeypatch.setattr(MemoryReader, "committed", committed)
    monkeypatch.setattr(role, "ANSWER", 0.05)
    log.committed[TOPICS.group("delivery"), TopicPartition(OUTBOX, 2)] = 3
    before = metrics.PROJECTOR_UNANSWERED._value.get()
    log.append([(TopicPartition(EVENTS, 2), b"", ev.encode(item), ()) for item in life])
    await run_until(log, tmp_path, len(life))
    assert metrics.PROJECTOR_UNANSWERED._value.get() > before

    is_away = False
    await run_until(log, tmp_path, len(life))
    model = ReadModel.existing(f"sqlite:///{tmp_path / 'readmodel.db'}")
    assert model.file(model.find("case-1")[0]).delivered == {2: 3}


async def run_until(log: MemoryLog, folder: Path, upto: int) -> None:
    process = Process("projector", Settings(state_dir=folder), Clock(), log)
    task = asyncio.create_task(role.run(process))
    async with asyncio.timeout(60):
        while role_offset(folder) < upto:
            await asyncio.wait({task}, timeout=0.01)
            assert not task.done(), task
    process.stop.set()
    await task


def role_offset(folder: Path) -> int:
    try:
        return ReadModel.existing(f"sqlite:///{folder / 'readmodel.db'}").offsets().get((EVENTS, 2), 0)
    except ReadModelMissing:
        return 0


def test_registered_only(tmp_path: Path) -> None:
    """A case that has only been registered is shown as such."""
    model, projection = opened(tmp_path)
    projection.write({SLOT: read([record("case-1", 1, registered("case-1", "370000-1"))])})
    assert model.find("case-1")[0].state == "registered"
