"""What the sandbox refuses; each message is one sentence with the cure."""


class SandboxError(Exception):
    """The sandbox cannot do what was asked."""


class SandboxBusy(SandboxError):
    """Another process serves this data directory."""


class SandboxNotRunning(SandboxError):
    """No process serves this data directory."""


class PortTaken(SandboxError):
    """The requested port is in use."""


class UnknownCrm(SandboxError):
    """The sandbox has no CRM of that name."""


class UnknownFault(SandboxError):
    """There is no fault of that name."""


class FaultDoesNotApply(SandboxError):
    """The CRM cannot have this fault."""
