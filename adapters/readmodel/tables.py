"""
The tables of the read model, in SQL that every database we may meet speaks (SQLite, PostgreSQL, 达梦, 人大金仓).

Only plain types, no upsert dialects, no foreign keys (rows are rewritten per case, and the whole is
rebuilt from the log when `FORMAT` changes). Column names avoid reserved words.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, String, Table, Text

FORMAT = 1
"""Raise it with every change of these tables: a read model of another format is dropped and rebuilt."""

METADATA = MetaData()


def _id(name: str, *, key: bool = False) -> "Column[str]":
    return Column(name, String(64), primary_key=key, nullable=False)


def _text(name: str, length: int = 128, *, key: bool = False) -> "Column[str]":
    return Column(name, String(length), primary_key=key, nullable=False)


def _number(name: str, *, key: bool = False) -> "Column[int]":
    return Column(name, BigInteger, primary_key=key, nullable=False, autoincrement=False)


CASES = Table(
    "cases",
    METADATA,
    _id("case_id", key=True),
    _text("case_number", 64),
    _text("channel", 64),
    _text("channel_ref", 256),
    _text("case_state", 32),
    _text("appeal_kind", 32),
    _text("category", 64),
    _text("matter", 64),
    _text("region", 16),
    _text("urgency", 16),
    _text("centre"),
    _text("rule_id"),
    _number("rule_number"),
    _text("outcome", 32),
    _text("policy"),
    _number("catalogue"),
    _text("close_reason", 32),
    _id("lead_leg"),
    _number("received_at"),
    _number("updated_at"),
    _number("closed_at"),
    _number("version"),
    Index("cases_by_number", "case_number"),
    Index("cases_by_ref", "channel", "channel_ref"),
    Index("cases_by_state", "case_state", "received_at"),
)

LEGS = Table(
    "legs",
    METADATA,
    _id("case_id", key=True),
    _id("leg", key=True),
    _text("unit"),
    _text("unit_name", 256),
    _text("part", 16),
    _id("parent"),
    _text("endpoint"),
    _text("unit_function"),
    _text("matter", 64),
    _text("stage", 64),
    _id("task"),
    _text("leg_state", 32),
    _text("outcome", 32),
    _number("round"),
    _number("dispatched_at"),
    _number("signed_at"),
    _number("replied_at"),
)

CLOCKS = Table(
    "clocks",
    METADATA,
    _id("case_id", key=True),
    _text("kind", 32, key=True),
    _id("clock_of", key=True),
    _text("clock_state", 16),
    _text("policy"),
    _text("calendar"),
    _text("budget", 16),
    _text("start_rule", 32),
    _number("anchor"),
    _number("due"),
    Column("provisional", Boolean, nullable=False),
    _number("consumed"),
    _number("warned_at"),
    _number("overdue_at"),
    Column("escalation_level", Integer, nullable=False),
)

TIMELINE = Table(
    "timeline",
    METADATA,
    _number("log_partition", key=True),
    _number("log_offset", key=True),
    _number("step", key=True),
    _id("case_id"),
    _number("version"),
    _number("happened_at"),
    _text("event_type", 64),
    _number("catalogue"),
    Column("detail", Text, nullable=False),
    Index("timeline_by_case", "case_id"),
)

DELIVERIES = Table(
    "deliveries",
    METADATA,
    _number("log_partition", key=True),
    _number("log_offset", key=True),
    _number("step", key=True),
    _id("case_id"),
    _number("version"),
    _number("handed_at"),
    _text("destination", 256),
    _text("message_type"),
    _id("message_id"),
    _number("seq"),
    Index("deliveries_by_case", "case_id"),
)

OFFSETS = Table(
    "offsets",
    METADATA,
    _text("topic", 256, key=True),
    _number("log_partition", key=True),
    _number("next_offset"),
)
"""Up to where each partition is projected; written in the same transaction as what was projected."""

DELIVERED = Table("delivered", METADATA, _number("log_partition", key=True), _number("upto"))
"""Up to where delivery has acknowledged each partition of the outbox: what lies below has reached its topic."""

ORIGIN = Table("origin", METADATA, _number("format", key=True), _text("log_id", 256))
"""One row: the format of these tables and the log they were made from."""
