"""
The catalogue: reference data from files, checked as a whole, versioned on the topic `catalog`.

`load.load(folder)` reads and checks; `catalogue.Catalogue` is what comes of it; `Catalogue.facts()` answers
what decisions ask; `publish` brings versions to every process (docs/catalogue.md).
"""
