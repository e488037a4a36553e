"""Texts of the same shape: as long, letters where letters were, in the same case, digits where digits
were. Equal texts become equal ones, different ones stay different.

What comes out depends on a random key that nobody stores, so that nothing leads back.
"""

from __future__ import annotations

import re
import secrets
import string
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from hashlib import blake2b
from random import Random
from typing import Final

# A run of letters, of digits, or a character that stays.
RUNS: Final = re.compile(r"[^\W\d_]+|\d+|[\W_]")
HEXADECIMAL: Final = re.compile(
    r"(?=.*\d)(?=.*[a-f])[0-9a-f]{16,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE
)
NUMBER: Final = re.compile(r"[+-]?[\d.]+[eE][+-]?\d{1,3}")
# Values that say yes, no or nothing; and what addresses begin with.
PLAIN_VALUES: Final = frozenset({"true", "false", "yes", "no", "none", "null", "nan"})
ADDRESSES: Final = re.compile(r"(?:https?://(?:www\.)?|mailto:)", re.IGNORECASE)
BLOCK: Final = 64
TRIES: Final = 200
MOST_STEPS: Final = 100_000


class MadeUp:
    """Made-up texts of one bundle."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._made: dict[str, str] = {}
        self._taken: set[str] = set()

    def text(self, text: str) -> str:
        """``text`` in the same shape. A text without letters is one number, however it is written:
        615-555-0001 and 6155550001 stay the same number."""
        if text.lower() in PLAIN_VALUES:
            return text
        if HEXADECIMAL.fullmatch(text):
            return self._hexadecimal(text)
        if NUMBER.fullmatch(text):
            number, exponent, power = re.split("([eE])", text, maxsplit=1)
            return self.number(number) + exponent + power
        if not any(c.isalpha() for c in text):
            return self.number(text)
        start = ADDRESSES.match(text)
        begin = start[0] if start else ""
        return begin + "".join(self._run(run) for run in RUNS.findall(text[len(begin) :]))

    def number(self, text: str) -> str:
        """The digits of ``text`` as one number: zeros at its ends stay, and what is no digit."""
        found = "".join(c for c in text if c in string.digits)
        if len(found) < 2:  # says nothing of anybody, and may stand for yes or no
            return text
        digits = iter(self._digits(found))
        return "".join(next(digits) if c in string.digits else c for c in text)

    def day(self, text: str) -> str:
        """A day written as this one is, in the same century."""
        draw = Random(self._seed(0, text))

        def part(found: re.Match[str]) -> str:
            digits = found[0]
            if len(digits) == 4:
                return f"{digits[:2]}{draw.randint(0, 4 if digits[0] == '2' else 99):02d}"
            return f"{draw.randint(1, 12 if len(digits) == 2 else 9):0{len(digits)}d}"

        return re.sub(r"\d+", part, text)

    def _run(self, run: str) -> str:
        if run[0] in string.digits:
            return self._digits(run)
        if not any(c.isalpha() for c in run):
            return run
        made = self._unique("".join(map(_small, run)), _letters)
        return "".join(_cased(new, old) for new, old in zip(made, run, strict=True))

    def _digits(self, digits: str) -> str:
        middle = digits.strip("0")
        if not middle:
            return digits
        before, after = digits.split(middle, 1)
        return before + self._unique(middle, _number) + after

    def _hexadecimal(self, text: str) -> str:
        made = self._unique(text.lower(), _hex_digits)
        return "".join(_cased(new, old) for new, old in zip(made, text, strict=True))

    def _unique(self, text: str, make: Callable[[str, Random], str]) -> str:
        """Where only a few words have the shape, the last of them may come twice."""
        if (known := self._made.get(text)) is not None:
            return known
        made = text
        for attempt in range(TRIES):
            made = make(text, Random(self._seed(attempt, text)))
            if made not in self._taken and (made != text or len(text) < 2):
                break
        else:
            made = self._free_number(made) if made.isdecimal() else made
        self._taken.add(made)
        self._made[text] = made
        return made

    def _seed(self, attempt: int, text: str) -> bytes:
        return blake2b(f"{attempt} {text}".encode("utf-8", "replace"), key=self._key).digest()

    def _free_number(self, digits: str) -> str:
        """The next one of as many digits, without a zero at its end; ``digits`` where all are taken."""
        lowest, count = 10 ** (len(digits) - 1), 9 * 10 ** (len(digits) - 1)
        for step in range(min(count, MOST_STEPS)):
            found = str(lowest + (int(digits) - lowest + step) % count)
            if found not in self._taken and not found.endswith("0"):
                return found
        return digits


def _number(digits: str, draw: Random) -> str:
    """Neither end is a zero. A number that hardly fits into 64 bits grows no larger."""
    ends = string.digits[1:]
    first = ends[: int(digits[0])] if len(digits) > 18 else ends
    made = [draw.choice(string.digits) for _ in digits]
    made[-1] = draw.choice(ends)
    made[0] = draw.choice(first)
    return "".join(made)


def _hex_digits(text: str, draw: Random) -> str:
    classes = (string.digits, "abcdef")
    return "".join(next((draw.choice(k) for k in classes if c in k), c) for c in text)


def _letters(text: str, draw: Random) -> str:
    return "".join(draw.choice(_like(c)) for c in text)


@lru_cache(maxsize=10_000)
def _like(letter: str) -> str:
    """Letters of the same alphabet, as long in UTF-8: of the same 64 code points. Those of both cases
    have their partner there as well."""
    if letter in string.ascii_lowercase:
        return string.ascii_lowercase
    kind, upper = unicodedata.category(letter), letter.upper()
    found = (c for c in _block(letter) if unicodedata.category(c) == kind)
    if len(upper) == 1 and upper != letter:
        found = (c for c in found if len(c.upper()) == 1 and c.upper() in _block(upper))
    return "".join(c for c in found if c.upper() != c or upper == letter) or letter


def _block(letter: str) -> str:
    first = ord(letter) - ord(letter) % BLOCK
    return "".join(_characters(first))


def _characters(first: int) -> Iterator[str]:
    return (chr(point) for point in range(first, first + BLOCK))


def _small(letter: str) -> str:
    lower = letter.lower()
    return lower if len(lower) == 1 else letter


def _cased(new: str, old: str) -> str:
    """As ``old`` is; a letter whose capital is more than one stays small."""
    upper = new.upper()
    return upper if old.isupper() and len(upper) == 1 else new
