"""An app whose ``sync_five9_contacts`` takes the place of the real one in worker tests."""
