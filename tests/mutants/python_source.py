"""The mutations of a Python file, found in its syntax tree; SQL is found inside its strings."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Sequence

from tests.mutants.mutation import Mutation, Operator, numbered

_COMPARED: dict[type[ast.cmpop], tuple[str, tuple[str, ...]]] = {
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Lt: ("<", ("<=", ">=")),
    ast.LtE: ("<=", ("<", ">")),
    ast.Gt: (">", (">=", "<=")),
    ast.GtE: (">=", (">", "<")),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)),
}
# What a word of a statement becomes; the longest that fits is taken.
_SQL: dict[str, str] = {
    "IS NOT NULL": "IS NULL",
    "IS NULL": "IS NOT NULL",
    "NOT EXISTS": "EXISTS",
    "NOT IN": "IN",
    " AND ": " OR ",
    " OR ": " AND ",
    "<>": "=",
    "<=": "<",
    ">=": ">",
    " < ": " <= ",
    " > ": " >= ",
    " = ": " <> ",
    "max(": "min(",
    "min(": "max(",
    "DESC": "ASC",
    "DISTINCT ": "",
    "LEFT JOIN": "JOIN",
}
_SQL_WORD = re.compile("|".join(re.escape(w) for w in sorted(_SQL, key=len, reverse=True)))
# Asking one of these later gives another answer.
_CLOCKS = {"clock", "_clock", "now", "utc_now", "ledger_now", "monotonic", "time"}
# The order of what these take does not count.
_UNORDERED = {"max", "min"}
_STATEMENT = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|WHERE|FROM|CREATE|ALTER|AND|OR|NULL)\b")
_BRACES = re.compile(r"\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")


def python_mutations(path: str, source: str) -> list[Mutation]:
    return numbered(_Finder(path, source).found())


class _Finder:
    def __init__(self, path: str, source: str) -> None:
        self._path, self._bytes, self._tree = path, source.encode(), ast.parse(source)
        self._starts = [0]
        for line in self._bytes.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def found(self) -> Iterator[Mutation]:
        yield from self._inside(self._tree, "")

    def _inside(self, node: ast.AST, within: str) -> Iterator[Mutation]:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            within = f"{within}.{node.name}".lstrip(".")
        yield from self._of(node, within)
        for child in _worth_a_look(node):
            yield from self._inside(child, within)

    def _of(self, node: ast.AST, within: str) -> Iterator[Mutation]:
        match node:
            case ast.Compare():
                yield from self._compared(node, within)
            case ast.BoolOp():
                yield from self._joined(node, within)
            case ast.UnaryOp(op=ast.Not()):
                yield self._mutation(node, within, "comparison", self._text(node.operand))
            case ast.JoinedStr():
                yield from self._sql(node, within)
            case ast.Constant():
                yield from self._constant(node, within)
            case ast.Call() if _called(node) not in _UNORDERED:
                yield from self._swapped(node, within)
            case ast.FunctionDef():
                yield from self._taken_late(node, within)
        for statements in (getattr(node, "body", None), getattr(node, "orelse", None)):
            if isinstance(statements, list):
                yield from self._dropped(statements, within, node)

    def _compared(self, node: ast.Compare, within: str) -> Iterator[Mutation]:
        sides = [node.left, *node.comparators]
        for left, operator, right in zip(sides, node.ops, node.comparators, strict=False):
            sign, others = _COMPARED[type(operator)]
            start, end = self._end(left), self._start(right)
            between = self._bytes[start:end].decode()
            for other in others:
                after = re.sub(sign.replace(" ", r"\s+"), other, between, count=1)
                yield self._between(start, end, within, "comparison", after)

    def _joined(self, node: ast.BoolOp, within: str) -> Iterator[Mutation]:
        words = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            start, end = self._end(left), self._start(right)
            between = self._bytes[start:end].decode()
            after = re.sub(rf"\b{words[0]}\b", words[1], between, count=1)
            yield self._between(start, end, within, "comparison", after)

    def _constant(self, node: ast.Constant, within: str) -> Iterator[Mutation]:
        value = node.value
        if isinstance(value, bool):
            yield self._mutation(node, within, "constant", str(not value))
        elif isinstance(value, int | float):
            yield self._mutation(node, within, "constant", repr(value + 1))
        elif isinstance(value, str):
            if _STATEMENT.search(value):
                yield from self._sql(node, within)
            else:
                yield self._mutation(node, within, "constant", repr(f"{value}x" if value else "x"))

    def _sql(self, node: ast.expr, within: str) -> Iterator[Mutation]:
        """Comparisons in the words of a statement; what stands in braces is not looked at."""
        text = _BRACES.sub(lambda m: "\x00" * len(m[0]), self._text(node))
        if not _STATEMENT.search(text):
            return
        for word in _SQL_WORD.finditer(text):
            start = self._start(node) + len(text[: word.start()].encode())
            end = start + len(word[0].encode())
            yield self._between(start, end, within, "comparison", _SQL[word[0]])

    def _swapped(self, node: ast.Call, within: str) -> Iterator[Mutation]:
        """Neighbors among what is passed by place, and among what is passed by name."""
        for values in (node.args, [keyword.value for keyword in node.keywords]):
            for one, other in itertools.pairwise(values):
                start, end = self._start(one), self._end(other)
                first, second = self._text(one), self._text(other)
                between = self._bytes[self._end(one) : self._start(other)].decode()
                is_starred = isinstance(one, ast.Starred) or isinstance(other, ast.Starred)
                if first != second and not is_starred:
                    after = second + between + first
                    yield self._between(start, end, within, "swapped argument", after)

    def _taken_late(self, function: ast.FunctionDef, within: str) -> Iterator[Mutation]:
        """Where a moment that was noted is used, the clock is asked again."""
        noted: dict[str, ast.Call] = {}
        for node in ast.walk(function):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call):
                    if _is_clock(call):
                        noted[name] = call
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in noted:
                asked = self._text(noted[node.id])
                yield self._mutation(node, within, "moment taken late", asked)

    def _dropped(
        self, statements: Sequence[ast.stmt], within: str, of: ast.AST
    ) -> Iterator[Mutation]:
        if isinstance(of, ast.ClassDef | ast.Module):
            return
        for statement in statements:
            if _can_be_dropped(statement, last=statement is statements[-1], of=of):
                yield self._mutation(statement, within, "dropped statement", "pass")

    def _mutation(self, node: ast.AST, within: str, operator: Operator, after: str) -> Mutation:
        return self._between(self._start(node), self._end(node), within, operator, after)

    def _between(
        self, start: int, end: int, within: str, operator: Operator, after: str
    ) -> Mutation:
        before = self._bytes[start:end].decode()
        line = self._bytes[:start].count(b"\n") + 1
        return Mutation(self._path, within, operator, start, end, before, after, line)

    def _text(self, node: ast.AST) -> str:
        return self._bytes[self._start(node) : self._end(node)].decode()

    def _start(self, node: ast.AST) -> int:
        return self._starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]

    def _end(self, node: ast.AST) -> int:
        return self._starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]


def _called(call: ast.Call) -> str:
    """The last part of the name of what is called; '' where it has none."""
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _is_clock(call: ast.Call) -> bool:
    """Not ``moment.time()``, which is a part of a moment."""
    match call.func:
        case ast.Attribute(attr="time", value=owner):
            return isinstance(owner, ast.Name) and owner.id == "time"
    return _called(call) in _CLOCKS


def _worth_a_look(node: ast.AST) -> Iterator[ast.AST]:
    """Not docstrings, types, imports and names in ``__all__``, nor the inside of an f-string, whose
    places are not known in every Python."""
    if isinstance(node, ast.JoinedStr | ast.Import | ast.ImportFrom):
        return
    of_types = [getattr(node, name, None) for name in ("annotation", "returns", "type_comment")]
    for child in ast.iter_child_nodes(node):
        is_text = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
        if not is_text and child not in of_types and not _is_about_types(child):
            yield child


def _is_about_types(node: ast.AST) -> bool:
    """``Final``, ``Literal["a"]``, ``if TYPE_CHECKING``."""
    match node:
        case ast.Subscript(value=ast.Name(id="Literal" | "Final" | "Annotated")):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
    return False


def _can_be_dropped(statement: ast.stmt, *, last: bool, of: ast.AST) -> bool:
    """Without it there is still a program; a name that nothing gives a value is no fault to look
    for."""
    match statement:
        case ast.Expr(value=ast.Call() | ast.Yield() | ast.YieldFrom()):
            return True
        case ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break() | ast.Delete():
            return True
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            return True
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(value))
        case ast.Return():
            return last and not isinstance(of, ast.FunctionDef)
    return False
