"""One program per client, run by the Python of an environment that has the client.

Each takes the settings of the sandbox as JSON from stdin and prints what it has read, as JSON: by name of
a list, its records by key, each with values as texts.
"""
