"""What a chart or a table is saved as: a CSV that a spreadsheet and a program read alike."""

from __future__ import annotations

import csv
import io

from tests.browser.modules import COMPONENTS, import_script


def test_a_table_becomes_a_csv_that_says_where_it_is_from_and_runs_nothing(page):
    page.goto("about:blank")
    import_script(page, COMPONENTS / "save_menu" / "csv.js")
    table = {
        "columns": ["class", "W, clean"],
        "rows": [["=1+1", -0.25], ['a "b", c', None], ["# d\ne", 1e-7], ["-3", 2]],
    }
    text = page.evaluate("table => m.toCsv(table, [['run', 'one\\ntwo'], ['draws', '100']])", table)
    assert text.startswith("\ufeff# run: one two\r\n# draws: 100\r\n"), "a byte order mark, without which Excel guesses"
    rows = list(csv.reader(io.StringIO(text.partition("100\r\n")[2], newline="")))
    assert rows == [["class", "W, clean"], ["'=1+1", "-0.25"], ['a "b", c', ""], ["# d\ne", "1e-7"], ["-3", "2"]]
