"""A library of saved triggers: a folder of small JSON files, one a trigger, that people can copy and send."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from core.attacks.triggers.registry import AnyTrigger
from core.errors import InputError
from core.files import write_whole

LONGEST_NAME = 40
# Deleted triggers are kept this many deep, so that a deletion can be undone.
KEPT = 20
_LARGEST_FILE = 16 * 2**20
_TRIGGER: TypeAdapter[AnyTrigger] = TypeAdapter(AnyTrigger)


@dataclass(frozen=True)
class SavedTrigger:
    """A trigger under the name that a person gave it; the trigger carries the same name."""

    name: str
    trigger: AnyTrigger


class TriggerLibrary:
    """The triggers saved in one folder, one for each name; "Dot" and "dot" are the same name.

    A file's own name does not matter: one that somebody sent is found wherever it came from.

    Parameters
    ----------
    folder
        Where the files lie; made when something is saved.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def saved(self) -> list[SavedTrigger]:
        """Return the saved triggers by name; a file that is no trigger is left out, and left alone."""
        return [one for _, (_, one) in sorted(self._found().items())]

    def get(self, name: str) -> SavedTrigger:
        """Return the saved trigger of that name; InputError if there is none."""
        return self._find(name)[1]

    def save(self, trigger: AnyTrigger, name: str) -> SavedTrigger:
        """Keep a trigger under a name.

        Raises
        ------
        InputError
            The name is empty, too long, not printable or taken, or the folder cannot be written.
        """
        name = checked_name(name)
        path = self._free(name)
        one = SavedTrigger(name, trigger.model_copy(update={"name": name}))
        self._write(path, one)
        return one

    def rename(self, name: str, new_name: str) -> SavedTrigger:
        """Give a saved trigger another name; InputError as in `get` and `save`."""
        (old_path, one), new_name = self._find(name), checked_name(new_name)
        path = old_path if _key(new_name) == _key(name) else self._free(new_name)
        renamed = SavedTrigger(new_name, one.trigger.model_copy(update={"name": new_name}))
        self._write(path, renamed)
        if path != old_path:
            with self._writing():
                old_path.unlink()
        return renamed

    def delete(self, name: str) -> None:
        """Put a saved trigger aside; `undelete` brings it back. InputError if there is none of that name."""
        path, _ = self._find(name)
        with self._writing():
            self._deleted.mkdir(exist_ok=True)
            path.touch()  # the last deleted is the newest file
            path.replace(self._deleted / _file_name(name))
            oldest_first = sorted(self._deleted.glob("*.json"), key=lambda one: one.stat().st_mtime_ns)
            for forgotten in oldest_first[:-KEPT]:
                forgotten.unlink()

    def undelete(self, name: str) -> SavedTrigger:
        """Bring a deleted trigger back.

        Raises
        ------
        InputError
            It is not among the last deleted ones, or its name is taken by now.
        """
        aside = self._deleted / _file_name(name)
        if _read(aside) is None:
            raise InputError(f"The trigger {name!r} is not among the {KEPT} last deleted ones: draw and save it anew.")
        if _key(name) in self._found():
            raise InputError(f"There is a saved trigger called {name!r} by now: rename that one first.")
        path = self._free(name)
        with self._writing():
            aside.replace(path)
        return self.get(name)

    @property
    def _deleted(self) -> Path:
        return self.folder / ".deleted"

    def _found(self) -> dict[str, tuple[Path, SavedTrigger]]:
        read = ((path, _read(path)) for path in sorted(self.folder.glob("*.json"), reverse=True))
        return {_key(one.name): (path, one) for path, one in read if one is not None}

    def _find(self, name: str) -> tuple[Path, SavedTrigger]:
        found = self._found().get(_key(name))
        if found is None:
            raise InputError(f"There is no saved trigger called {name!r}: choose one of the library.")
        return found

    def _free(self, name: str) -> Path:
        """Return the file for a new name; InputError if it is taken."""
        if _key(name) in self._found():
            raise InputError(f"There is already a saved trigger called {name!r}: choose another name.")
        path = self.folder / _file_name(name)
        others = (path.with_stem(f"{path.stem}-{number}") for number in itertools.count(2))
        # A damaged file, or one that somebody sent, may have that name: it stays.
        return path if not path.exists() else next(other for other in others if not other.exists())

    def _write(self, path: Path, one: SavedTrigger) -> None:
        content = {"name": one.name, "trigger": one.trigger.model_dump(mode="json")}
        with self._writing():
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, json.dumps(content).encode())

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(
                f"The trigger library in {self.folder} cannot be written ({error.strerror or error}): make "
                "room, or choose a folder that can be written."
            ) from None


def _key(name: str) -> str:
    return name.strip().casefold()


def _file_name(name: str) -> str:
    # Whatever a name holds, its file's name is safe on every system, and the same for "Dot" and "dot".
    return f"{hashlib.sha256(_key(name).encode()).hexdigest()[:16]}.json"


def checked_name(name: str) -> str:
    """Return a name without blanks around it, or raise InputError if nobody could read it."""
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise InputError(
            f"A trigger's name has 1 to {LONGEST_NAME} letters, digits or signs on one line; got {name!r:.60}."
        )
    return name


def _read(path: Path) -> SavedTrigger | None:
    """Return a file's trigger; None where there is no such file or it holds none."""
    try:
        if path.stat().st_size > _LARGEST_FILE:
            return None
        content = json.loads(path.read_text(encoding="utf-8"))
        name = checked_name(content["name"])
        trigger = _TRIGGER.validate_python(content["trigger"])
        return SavedTrigger(name, trigger.model_copy(update={"name": name}))
    except (OSError, ValueError, ValidationError, KeyError, TypeError, AttributeError, RecursionError):
        return None
