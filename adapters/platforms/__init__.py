"""Platforms of others that are asked for an opinion."""
