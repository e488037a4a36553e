"""What a question in SQL gives, and why it is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from ingestion.services.data.errors import InvalidQuestion
from ingestion.services.data.masking import Mask, masks

LONGEST_VALUE: Final = 500
MOST_CHARACTERS: Final = 5_000_000


class RefusedQuery(InvalidQuestion):
    """The database refuses it: what is wrong, in its words."""

    code = "REFUSED_QUERY"


class NoBox(RefusedQuery):
    """This warehouse cannot be asked in SQL here."""

    code = "NO_SQL_BOX"


@dataclass(frozen=True)
class Bounds:
    seconds: float
    rows: int

    @property
    def sentence(self) -> str:
        return f"The query was stopped after {self.seconds:g} s; ask for less."


@dataclass
class Answer:
    """``is_cut``: there are more rows than may be given."""

    columns: list[str]
    rows: list[list[Any]] = field(default_factory=list)
    is_cut: bool = False
    _characters: int = 0

    def add(self, values: tuple[Any, ...], bounds: Bounds) -> bool:
        """Whether there is room for more. Long texts are cut."""
        if len(self.rows) >= bounds.rows or self._characters > MOST_CHARACTERS:
            self.is_cut = True
            return False
        row = [_shown(value) for value in values]
        self._characters += sum(len(v) for v in row if isinstance(v, str))
        self.rows.append(row)
        return True

    def to_dict(self) -> dict[str, Any]:
        return {"columns": self.columns, "rows": self.rows, "is_cut": self.is_cut}


def readable(
    crm_source: str, model: str, types: dict[str, str], *, personal: bool
) -> dict[str, bool]:
    """By column, whether the query may read its values."""
    seen = (Mask.NONE, Mask.PERSONAL) if personal else (Mask.NONE,)
    return {name: mask in seen for name, mask in masks(crm_source, model, types).items()}


def _shown(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
