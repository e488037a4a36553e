"""What a table goes through while a mutation is tried, by the kind of source: each module has LIVES,
by name. They are imported by the process that has the mutation, never before."""
