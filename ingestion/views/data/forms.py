"""What a reader asks of a dataset's rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms

from ingestion.services.data.rows import DELETED, Filter

ANY = ("", "–")
OPERATORS = (
    ("eq", "is"),
    ("ne", "is not"),
    ("contains", "contains"),
    ("lt", "is less than"),
    ("ge", "is at least"),
    ("empty", "is empty"),
    ("filled", "has a value"),
)
WORDS = {"no": "those that are there", "yes": "deleted ones", "all": "all"}


class RowsFilter(forms.Form):
    """One filter, an order, and whether deleted rows count."""

    column = forms.ChoiceField(label="Where", required=False)
    operator = forms.ChoiceField(label="Compared", required=False, choices=OPERATORS)
    value = forms.CharField(label="Value", required=False, max_length=500)
    sort = forms.ChoiceField(label="Sorted by", required=False)
    deleted = forms.ChoiceField(
        label="Rows", required=False, choices=[(word, WORDS[word]) for word in DELETED]
    )

    def __init__(self, *args: Any, columns: Iterable[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [(name, name) for name in columns]
        orders = [(f"-{name}", f"{name}, highest first") for name, _ in names]
        self.fields["column"] = forms.ChoiceField(
            label="Where", required=False, choices=[ANY, *names]
        )
        self.fields["sort"] = forms.ChoiceField(
            label="Sorted by", required=False, choices=[("", "key"), *names, *orders]
        )

    @property
    def filters(self) -> tuple[Filter, ...]:
        asked = self.cleaned_data
        if not asked["column"]:
            return ()
        return (Filter(asked["column"], asked["operator"] or "eq", asked["value"]),)
