"""The one exception that people are meant to read, and how what a file says is quoted in it."""


class InputError(ValueError):
    """Something a person gave cannot be used.

    The message is one sentence that says what was wrong, what was expected and what to do. The command line prints
    it and exits with status 2; the pages show it in place of a result; nothing has been written when it is raised.

    Examples
    --------
    >>> from core import load_dataset
    >>> load_dataset("digit")
    Traceback (most recent call last):
    ...
    core.errors.InputError: There is no data set 'digit': choose one of digits, ... Did you mean 'digits'?
    """


def printable(text: str, most: int = 60) -> str:
    """Return a text from somebody's file fit for a sentence: cut short, and without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:most])
