"""Proposing a category for a request that names none: keywords, and a linear model over n-grams; pure (docs/proposals.md)."""
