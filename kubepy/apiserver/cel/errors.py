"""What goes wrong with an expression: it does not compile, or one evaluation of it fails. The texts are upstream's."""


class CelError(Exception):
    """An expression that cannot be used. `message` is the text without any prefix of the caller's."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class CompileError(CelError):
    """Not an expression, or not one of the type that is wanted: `ERROR: <input>:1:5: undefined field 'foo' ...`."""


class EvaluationError(CelError):
    """One evaluation failed: `no such key: foo`. A `||` or `&&` around it may still know the answer."""


class CostExceeded(CelError):
    """The evaluation costs more than its limit; nothing inside of the expression can catch it."""

    def __init__(self) -> None:
        super().__init__("operation cancelled: actual cost limit exceeded")


def no_such_overload() -> EvaluationError:
    """A function or operator was given values that it does not take."""
    return EvaluationError("no such overload")
