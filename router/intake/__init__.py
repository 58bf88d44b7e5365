"""Intake: what channels and units say becomes commands, and what cannot becomes an answer and a dead letter."""
