"""Routing rules, pure: the model, the compiled index, the explanation. No I/O, no clock (docs/rules.md)."""
