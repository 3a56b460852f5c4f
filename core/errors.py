"""The one exception that people are meant to read."""


class InputError(ValueError):
    """Something a person gave cannot be used.

    The message is one sentence that says what was wrong, what was expected and what to do. The command line prints
    it and exits with status 2; the pages show it in place of a result; nothing has been written when it is raised.
    """
