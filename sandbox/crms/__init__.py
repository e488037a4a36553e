"""The CRMs, a module or a package each with its class as ``SANDBOX``.

They may use ``sandbox.base`` and ``sandbox.web``, never each other.
Entry point: ``SANDBOX`` of each; ``sandbox.serving.registry`` finds them.
"""
