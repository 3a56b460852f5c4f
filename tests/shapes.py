"""The shapes that signatures name are checked while tests run: by jaxtyping, with beartype for the other types.

The checked modules import their types for type checkers alone, so that `import core` needs no torch and a machine that
only computes needs no jaxtyping. Here these imports are made, and each function is replaced by one that checks.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from functools import cached_property
from types import FunctionType, ModuleType
from typing import Any

from beartype import BeartypeConf, beartype
from jaxtyping import jaxtyped

# In the order of their imports: a module that came before one whose functions it imports would keep unchecked ones.
CHECKED = (
    "core.attacks.attack",
    "core.attacks.poisoning",
    "core.attacks.clean_label",
    "core.instruments.estimators",
    "core.instruments.certificate",
    "core.instruments.noise",
    "core.instruments.smoothness",
    "core.instruments.predictor",
    "core.instruments.evaluation",
    "core.instruments.slices.plane",
    "core.instruments.slices.choice",
    "core.instruments.slices.line",
    "core.instruments.slices.refine",
    "core.training.augmentation",
)
_CHECKER = beartype(conf=BeartypeConf(is_pep484_tower=True))


def check_shapes() -> None:
    """Check arguments and results of all functions of the modules in `CHECKED` from now on."""
    for name in CHECKED:
        module = importlib.import_module(name)
        _import_types(module)
        _check_functions(module, module)
        for thing in list(vars(module).values()):
            if inspect.isclass(thing) and thing.__module__ == name:
                _check_functions(thing, module)


def _import_types(module: ModuleType) -> None:
    """Make the imports below `if TYPE_CHECKING:` in a module."""
    for statement in ast.parse(inspect.getsource(module)).body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            exec(compile(ast.Module(statement.body, []), module.__name__, "exec"), vars(module))


def _check_functions(holder: Any, module: ModuleType) -> None:
    for name, thing in list(vars(holder).items()):
        if isinstance(thing, property) and _is_checked(thing.fget, module):
            setattr(holder, name, property(_checking(thing.fget)))
        elif isinstance(thing, cached_property) and _is_checked(thing.func, module):
            thing.func = _checking(thing.func)
        elif _is_checked(thing, module):
            setattr(holder, name, _checking(thing))


def _is_checked(function: Any, module: ModuleType) -> bool:
    return isinstance(function, FunctionType) and function.__module__ == module.__name__ and _names_shapes(function)


def _checking(function: Any) -> Any:
    # A tensor of any shape is one that the function looks at itself, to refuse it in words.
    function.__annotations__ = {name: hint for name, hint in function.__annotations__.items() if hint != "Tensor"}
    return jaxtyped(typechecker=_CHECKER)(function)


def _names_shapes(function: FunctionType) -> bool:
    return any("[Tensor" in hint or "[np.ndarray" in hint for hint in map(str, function.__annotations__.values()))


check_shapes()
