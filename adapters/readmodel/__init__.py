"""The read model: cases, timelines, legs, clocks and deliveries for looking at (design D13, docs/adr/0013)."""

from adapters.readmodel.rows import CaseFile, CaseRow, ClockRow, DeliveryRow, Folded, LegRow, StepRow
from adapters.readmodel.store import Batch, OffsetMoved, ReadModel, ReadModelMissing

__all__ = [
    "Batch",
    "CaseFile",
    "CaseRow",
    "ClockRow",
    "DeliveryRow",
    "Folded",
    "LegRow",
    "OffsetMoved",
    "ReadModel",
    "ReadModelMissing",
    "StepRow",
]
