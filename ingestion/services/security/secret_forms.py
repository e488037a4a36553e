"""What credentials look like in texts: patterns, and the forms in which a known value may stand.

Each pattern masks its groups whose names begin with ``secret``, or all of itself without one. None
of them looks further than its own line or quotes, and none is slow on a long text without them.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

# The last word of a name that holds a credential, e.g. of ``db_password`` and ``X-Auth-Token``.
NAMES = (
    r"(?:pass(?:word|wd|phrase|code)s?|(?<![a-z])pass|pwd|secrets?|tokens?|credentials?|hapikey|"
    r"(?:api|access|account|auth|encryption|master|private|secret|shared|signing|user)[_\-. ]?keys?|"
    r"session[_\-. ]?(?:id|key)|signature|jwt)"
)
# What stands between a name and its value; JSON within JSON has its quotes escaped.
BETWEEN = r"(?:\\*[\"'])?\s*(?:[=:]|=>|%3[AD])\s*+"
QUOTED = (
    r"b?\"(?P<secret_double>(?:[^\"\\]|\\.)+)\"|b?'(?P<secret_single>(?:[^'\\]|\\.)+)'|"
    r"(?P<escaped>\\+[\"'])(?P<secret_escaped>(?s:.)+?)(?<!\\)(?P=escaped)"
)
# Prose follows a colon and a space, so words shorter than four letters may stand there.
BARE = (
    r"(?!\*\*\*|(?:none|null|true|false)\b)"
    r"(?:(?<=[=:])(?P<secret_close>[^\s\"'&,;<>()\[\]{}\\]+)|(?P<secret_bare>[^\s\"'&,;<>()\[\]{}\\]{4,}))"
)
LISTED = r"(?P<secret_listed>\[[^\[\]]+\]|\{[^{}]+\})"
REST_OF_LINE = r"(?!\*\*\*)(?P<secret_rest>(?:=\"[^\r\n\"]*\"|[^\r\n\"'\\])+)"
SCHEME = r"(?:bearer|basic|token|api-?key|negotiate)\s++"
ONE_WORD = r"(?!\*\*\*)(?P<secret_word>(?:=\"[^\s\"]*\"|[^\s\"'\\,;])+)"

PATTERNS = (
    re.compile(
        r"\b(?:proxy-)?authorization(?:\\*[\"'])?\s*(?:[=:,]|=>|%3A)\s*+"
        rf"(?:{QUOTED}|{SCHEME}{ONE_WORD}|(?!{SCHEME}){REST_OF_LINE})",
        re.IGNORECASE,
    ),
    re.compile(rf"\b(?:set-)?cookie{BETWEEN}(?:{QUOTED}|{REST_OF_LINE})", re.IGNORECASE),
    re.compile(rf"{NAMES}{BETWEEN}(?:{QUOTED}|{LISTED}|{BARE})", re.IGNORECASE),
    # A list of headers: ('X-Auth-Token', 'abc').
    re.compile(rf"\(\s*b?[\"'][\w\-]{{0,60}}{NAMES}[\"']\s*,\s*(?:{QUOTED})", re.IGNORECASE),
    re.compile(
        rf"<(?:[\w\-]{{1,60}}:)?[\w\-]{{0,60}}{NAMES}(?:\s[^<>]*)?>(?P<secret>[^<]+)<",
        re.IGNORECASE,
    ),
    # scheme://user:password@host; a password that holds a slash should not, but does.
    re.compile(
        r"\b[a-z][a-z0-9+.\-]{0,30}://[^\s/:@\"'<>]{0,200}:"
        r"(?!\d+[/?#\s])(?P<secret>[^\s/\"'<>]{1,400}|[^\s\"'<>]{1,400})@",
        re.IGNORECASE,
    ),
    re.compile(r"%3A%2F%2F[\w.\-]{0,200}%3A(?P<secret>[^\s&]{1,400}?)%40", re.IGNORECASE),
    re.compile(r"[?&](?:key|sig|auth|code)=(?P<secret>(?!\*\*\*)[^\s&#\"'<>]+)", re.IGNORECASE),
    # Prose about "basic authentication" is all small letters.
    re.compile(
        r"\b(?i:bearer|basic)\s+(?P<secret>(?=[a-z._~+/\-]*[A-Z0-9=])[A-Za-z0-9._~+/\-]{8,}=*)"
    ),
    re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----"
        r"(?:.*?-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|.*)",
        re.DOTALL,
    ),
    re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    re.compile(r"\bAIza[0-9A-Za-z_\-]{35}"),
    re.compile(r"(?<![A-Za-z0-9_\-])eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]*"),
    re.compile(r"\bpat-(?:na|eu|ap)\d-[0-9a-f\-]{20,}\b", re.IGNORECASE),
    re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|xox[abprs]-[A-Za-z0-9\-]{10,})\b"),
    re.compile(r"\b(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{10,}\b"),
)

# What every match of a pattern holds, so that most texts need one look.
HINTS = re.compile(
    r"://|%3a|[?&](?:key|sig|auth|code)=|pass|pwd|secret|token|credential|key|auth|session|"
    r"signature|jwt|cookie|bearer|basic|akia|asia|aiza|eyj|pat-|gh[pousr]_|xox|[sr]k_",
    re.IGNORECASE,
)

# A value of letters or of digits alone reads as a word or a number: only a whole one is meant. It
# may follow an escaped character, as in "\nvalue" and "%3Avalue".
BEFORE_WORD = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4}))"
AFTER_WORD = r"(?![A-Za-z0-9])"


def pattern_of(value: str) -> str:
    """Finds a known secret as it is, quoted for a URL, JSON, Python or XML, and in base64."""
    plain = "|".join(re.escape(form) for form in sorted(spellings(value), key=len, reverse=True))
    if value.isalpha() or value.isdigit():
        plain = f"{BEFORE_WORD}(?:{plain}){AFTER_WORD}"
    encoded = "|".join(f"{re.escape(core)}[A-Za-z0-9+/_\\-]*=*" for core in base64_cores(value))
    return f"{plain}|{encoded}"


def spellings(value: str) -> set[str]:
    """The ways in which libraries write a text into another one."""
    quoted = {quote(value), quote(value, safe=""), quote_plus(value)}
    in_small = {re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), form) for form in quoted}
    in_json = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    return {value, repr(value)[1:-1], html.escape(value), *quoted, *in_small, *in_json}


def base64_cores(value: str) -> set[str]:
    """What every base64 text that contains ``value`` holds, wherever in it the value stands, e.g.
    behind the user's name in Basic authentication."""
    return {
        core.replace("+", plus).replace("/", slash)
        for core in _cores(value)
        for plus, slash in ("+/", "-_")
    }


def _cores(value: str) -> Iterator[str]:
    """A character holds six bits, so those at the edges hold bits of the neighbours too."""
    raw = value.encode()
    for offset in range(3):
        first, last = -(-offset * 8 // 6), (offset + len(raw)) * 8 // 6
        yield base64.b64encode(bytes(offset) + raw).decode()[first:last]
