"""Tables of pages: which size they have, and what of it is not there."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pytest

from py_code_mode.tables import describe_frame, describe_page

LONG, OTHER = pl.DataFrame({"a": range(5_000)}), pl.DataFrame({"b": range(777)})
OUTER = pd.DataFrame({"v": range(80)}, index=pd.MultiIndex.from_product([["A"], range(80)]))
WIDE = pd.DataFrame([range(60)] * 3)


def sizes(page: str, rows: int = 5) -> list[str]:
    """The lines that tell how large tables are."""
    return [line for line in describe_page(page, rows).split("\n") if line.startswith("table, ")]


def test_each_frame_of_a_page_has_its_own_size():
    """The size above a frame of polars, and below one of pandas, is nobody else's."""
    polars = LONG._repr_html_() + OTHER._repr_html_()
    assert sizes(polars) == ["table, 5,000 rows x 1 columns", "table, 777 rows x 1 columns"]
    frames = OUTER._repr_html_() + WIDE.iloc[:, :3].to_html() + LONG._repr_html_()
    assert sizes(frames) == [
        "table, 80 rows x 1 columns",
        "table, 3 rows x 3 columns",
        "table, 5,000 rows x 1 columns",
    ]


def test_a_series_of_polars_has_its_length():
    """The shape of a series names no columns, and is its size all the same."""
    told = describe_page(pl.Series("n", range(123_456))._repr_html_(), 2)
    assert told.split("\n")[0] == "table, 123,456 rows x 1 columns"
    assert "shape" not in told


@pytest.mark.parametrize(
    "words",
    [
        "We expected 5 rows \u00d7 7 columns, see",
        "not shape: (1, 2)",
        "9 rows \u00d7 9 columns",  # above, where pandas never tells it
    ],
)
def test_words_that_look_like_a_size_are_words(words):
    """What a page says in a sentence of its own is told, and believed of no table."""
    told = describe_page(f"<p>{words}</p><table><tr><td>1</td></tr></table>", 5)
    assert told == f"{words}\ntable, 1 rows x 1 columns\n1"


def test_rows_and_columns_of_dots_are_none():
    """An ellipsis is neither a row nor a column, below a name that reaches over it neither."""
    cut = OUTER.to_html(max_rows=6, show_dimensions=False)
    assert sizes(cut) == ["table, at least 6 rows x 1 columns"]
    told = describe_page(OUTER.to_html(max_rows=6, show_dimensions=True), 50)
    assert "A | ..." not in told
    assert told.endswith("A | 79 | 79\n[... 74 more rows ...]")
    narrow = WIDE.to_html(max_cols=6, show_dimensions=False)
    assert sizes(narrow) == ["table, 3 rows x at least 6 columns"]
    assert sizes(WIDE.to_html(max_cols=6, show_dimensions=True)) == ["table, 3 rows x 60 columns"]


def test_a_cell_that_holds_dots_is_a_row():
    """Only where the row's own name is dots, too, does it stand for others."""
    page = pd.DataFrame({"said": ["well", "...", "..."]}).to_html()
    assert sizes(page) == ["table, 3 rows x 1 columns"]


def test_an_escape_sequence_is_not_cut_in_half():
    """Cells lose their colours before they are shortened."""
    frame = pd.DataFrame({"t": ["x" * 43 + "\x1b[31mred\x1b[0m and more"] * 9})
    told = describe_frame(frame, 2) or ""
    assert "0 | " + "x" * 43 + "re...\n" in told
    assert "[3" not in told
