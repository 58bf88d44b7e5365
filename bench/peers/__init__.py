"""The peers of the engine's hop, each doing as much of its job as it does of itself, tuned as its users would."""
