"""What is wrong with a statement, and where."""

from qanat.errors import ConfigError, QanatError


class SqlError(ConfigError):
    """A statement can't be used. Raised before anything runs.

    Attributes:
        place: The file, or `SQL` for text that is in a declaration.
        line: From 1, in that file.
        column: From 1, in characters.
    """

    def __init__(self, place: str, line: int, column: int, reason: str, hint: str = "") -> None:
        self.setting = place
        self.got = reason
        self.valid = hint
        self.place = place
        self.line = line
        self.column = column
        QanatError.__init__(self, f"{place}:{line}:{column}: {reason}", hint=hint)
