"""The mutations of a Lua file, found in its text."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from tests.mutants.mutation import Mutation, Operator, numbered

_COMPARED = {
    "==": ("~=",),
    "~=": ("==",),
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "and": ("or",),
    "or": ("and",),
    "not ": ("",),
    "true": ("false",),
    "false": ("true",),
}
_COMPARISON = re.compile(r"==|~=|<=|>=|<|>|\b(?:and|or|true|false)\b|\bnot ")
_NUMBER = re.compile(r"(?<![\w.'%])\d+\b(?![.\w'])")
_TEXT = re.compile(r"'[^'\n]*'")
_COMMENT = re.compile(r"--[^\n]*")
# A whole line that does something, and is no beginning or end of a block.
_STATEMENT = re.compile(
    r"^[ \t]*((?!local\b|return\b|if\b|for\b|while\b|function\b|end\b|else)[\w.\[\]]+ ?"
    r"(?:\(.*\)|= .*[^,{(]))[ \t]*$",
    re.MULTILINE,
)
# A line that ends the script or function where something is not as it must be.
_GUARD = re.compile(r"^[ \t]*(if .+ then return .+ end)[ \t]*$", re.MULTILINE)
# The order of what these take does not count.
_UNORDERED = ("math.min(", "math.max(")
_FUNCTION = re.compile(r"^(?:local )?function ([\w.]+)", re.MULTILINE)
_CALL = re.compile(r"[\w.]+\(")


def lua_mutations(path: str, source: str) -> list[Mutation]:
    return numbered(_Finder(path, source).found())


class _Finder:
    def __init__(self, path: str, source: str) -> None:
        self._path, self._source = path, source
        # Without comments, and for signs and words without texts; every place as it was.
        self._code = _COMMENT.sub(lambda m: " " * len(m[0]), source)
        self._bare = _TEXT.sub(lambda m: "'" + "_" * (len(m[0]) - 2) + "'", self._code)

    def found(self) -> Iterator[Mutation]:
        for found in _COMPARISON.finditer(self._bare):
            for other in _COMPARED[found[0]]:
                yield self._mutation(found.start(), found.end(), "comparison", other)
        for found in _NUMBER.finditer(self._bare):
            yield self._mutation(found.start(), found.end(), "constant", str(int(found[0]) + 1))
        for found in _TEXT.finditer(self._code):
            yield self._mutation(found.start(), found.end(), "constant", f"{found[0][:-1]}x'")
        for found in (*_STATEMENT.finditer(self._bare), *_GUARD.finditer(self._bare)):
            yield self._mutation(found.start(1), found.end(1), "dropped statement", "")
        for found in _CALL.finditer(self._bare):
            if found[0] not in _UNORDERED:
                yield from self._swapped(found.end())

    def _swapped(self, start: int) -> Iterator[Mutation]:
        places = self._arguments(start)
        for (a, b), (c, d) in itertools.pairwise(places):
            one, other = self._source[a:b], self._source[c:d]
            if one != other:
                after = other + self._source[b:c] + one
                yield self._mutation(a, d, "swapped argument", after)

    def _arguments(self, start: int) -> list[tuple[int, int]]:
        """Where the arguments of a call begin and end; none for a definition."""
        if re.search(r"function [\w.]*\($", self._bare[:start]):
            return []
        depth, begin, places = 0, start, []
        for at in range(start, len(self._bare)):
            sign = self._bare[at]
            if sign in ",)" and depth == 0:
                places.append((begin, at))
                begin = at + 1
                if sign == ")":
                    break
            depth += (sign in "({[") - (sign in ")}]")
        return [self._trimmed(a, b) for a, b in places if self._bare[a:b].strip()]

    def _trimmed(self, start: int, end: int) -> tuple[int, int]:
        text = self._bare[start:end]
        return start + len(text) - len(text.lstrip()), end - (len(text) - len(text.rstrip()))

    def _mutation(self, start: int, end: int, operator: Operator, after: str) -> Mutation:
        functions = [f[1] for f in _FUNCTION.finditer(self._code) if f.start() <= start]
        first = len(self._source[:start].encode())
        before = self._source[start:end]
        return Mutation(
            self._path,
            functions[-1] if functions else "",
            operator,
            first,
            first + len(before.encode()),
            before,
            after,
            self._source[:start].count("\n") + 1,
        )
