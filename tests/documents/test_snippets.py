"""How a page's commands are found, and when what they print is what the page shows."""

from __future__ import annotations

from pathlib import Path

from tests.documents.snippets import commands, missing_from

PAGE = """# A page
```console
$ first --option    # a remark
one
...
three
$ second \\
    --more
```
1. In a list:

    <!-- not run: needs an account -->
    ```console
    $ third
    ```

<!-- exit: 3 -->
```console
$ fourth
$ fifth
```
"""


def test_the_commands_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)

    first, second, third, fourth, fifth = commands(page)

    assert (first.words, first.line, first.shown) == (
        "first --option",
        3,
        ["one", "...", "three"],
    )
    assert second.words == "second --more"
    assert (third.words, third.why_not_run) == ("third", "needs an account")
    assert (fourth.exit_code, fifth.exit_code) == (0, 3)


def test_numbers_times_and_ids_may_differ() -> None:
    printed = "Task 2046c865-5809-41fd-8deb-12da6de09740: completed after 8s, processed 1,646"
    shown = "Task 11111111-2222-3333-4444-555555555555: completed after 12s, processed 17"

    assert missing_from([shown], printed) == []
    assert missing_from([shown.replace("completed", "failed")], printed) != []


def test_a_line_that_is_left_out_unsaid_is_noticed() -> None:
    printed = "alpha\nbeta\ngamma"

    assert missing_from(["alpha", "gamma"], printed) == ["gamma"]
    assert missing_from(["alpha", "...", "gamma"], printed) == []
    assert missing_from(["gamma", "alpha"], printed) == ["alpha"]
