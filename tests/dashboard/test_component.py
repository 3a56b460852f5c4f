"""How the scripts of a component become the one module that Streamlit takes."""

from __future__ import annotations

import pytest

from dashboard.components.component import joined_script


def write(folder, **modules):
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text, encoding="utf-8")
    return folder / "view.js"


def test_each_module_is_joined_once_before_those_that_import_it(tmp_path):
    (tmp_path / "shared").mkdir()
    write(tmp_path / "shared", base="// @ts-check\nexport const BASE = 1;\n")
    view = write(
        tmp_path,
        left='import { BASE } from "./shared/base.js";\n\nexport function left() {\n  return BASE;\n}\n',
        right='import {\n  BASE,\n} from "./shared/base.js";\nexport const RIGHT = BASE;\n',
        view='import { left } from "./left.js";\nimport { RIGHT } from "./right.js";\n\n'
        "export default run;\n\nexport function run() {\n  return left() + RIGHT;\n}\n",
    )
    script = joined_script(view)
    assert [line for line in script.splitlines() if line] == [
        "const BASE = 1;",
        "function left() {",
        "  return BASE;",
        "}",
        "const RIGHT = BASE;",
        "export default run;",
        "export function run() {",
        "  return left() + RIGHT;",
        "}",
    ]


def test_only_whole_lines_of_comment_are_left_out(tmp_path):
    view = write(
        tmp_path,
        view="/**\n * Says what.\n */\nexport const ONE = 1; // why\n  // a reason\n"
        "/** @type {string} */ (call());\nconst TWO = 2;\n/** @type {Set<string>} */\nconst THREE = 3;\n",
    )
    assert joined_script(view).splitlines() == [
        "export const ONE = 1; // why",
        "/** @type {string} */ (call());",
        "const TWO = 2;",
        "const THREE = 3;",
    ]


def test_two_modules_may_not_declare_the_same_name(tmp_path):
    view = write(
        tmp_path,
        other="const SIDE = 1;\nexport function draw() {}\n",
        view='import { draw } from "./other.js";\n\nconst SIDE = 2;\nexport default draw;\n',
    )
    with pytest.raises(ValueError, match="declare twice: SIDE"):
        joined_script(view)
