"""How far the design goes, computed from measured costs: ``python -m benchmarks.capacity``."""
