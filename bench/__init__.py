"""What Duokua costs: figures next to what the same machine can do without it (docs/performance.md)."""
