"""One file per rule; the engine finds them here."""
