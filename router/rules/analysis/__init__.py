"""What is wrong with a set of rules as a whole, each finding with a request that shows it (docs/rules.md, docs/adr/0017)."""
