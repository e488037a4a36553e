"""Which error replies of Redis are a fault of ours. All others, those that nobody has thought of
among them, mean that this server cannot serve now."""

from __future__ import annotations

import re

# The first word of a reply names what is wrong; ERR names nothing.
CODE = re.compile(r"(?:-)?([A-Z][A-Z_]{2,})\b")
REFUSED_BY_CLIENT = "DataError"
UNNAMED = frozenset({"", "ERR"})
# A server before 7.0 puts the reply that a script met behind its own words.
WITHIN = re.compile(
    r"\b(BUSY|CLUSTERDOWN|CROSSSLOT|LOADING|MASTERDOWN|MISCONF|NOAUTH|NOPERM|NOREPLICAS|OOM|READONLY"
    r"|TRYAGAIN)\b"
)
OF_OURS = re.compile(
    r"user_script|compiling script|wrong number of (arguments|args)|syntax error"
    r"|not an integer|not a valid float|Number of keys"
)


def is_own_fault(problem: Exception) -> bool:
    """Whether a script or a command of ours is wrong, so that no waiting mends it."""
    if type(problem).__name__ == REFUSED_BY_CLIENT:
        return True
    reply = reply_of(problem)
    is_named = _code(problem) not in UNNAMED or WITHIN.search(reply)
    return not is_named and OF_OURS.search(reply) is not None


def reply_of(problem: Exception) -> str:
    """What the server answered, with its first word, which the client may have taken off."""
    status = getattr(problem, "status_code", None) or ""
    text = str(problem) or type(problem).__name__
    return text if not status or text.startswith(status) else f"{status} {text}"


def _code(problem: Exception) -> str:
    found = CODE.match(reply_of(problem))
    if found:
        return found[1]
    # Classes of their own are replies with a code that the client knows and takes off.
    return (
        "" if type(problem).__name__ in {"ResponseError", "RedisError"} else type(problem).__name__
    )
