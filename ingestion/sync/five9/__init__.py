"""Five9."""
