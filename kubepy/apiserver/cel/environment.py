"""CEL as Kubernetes speaks it: compile an expression once, evaluate it often.

    environment = Environment({"object": "dyn", "request": Object("Request", {"name": "string"}), ...})
    program = environment.compile("object.spec.replicas <= 5", result_type="bool")      # raises CompileError
    verdict = program.evaluate({"object": pod, "request": {...}}, budget)               # raises EvaluationError

- Variables are declared with a kind (`kinds`: a type's name, `dyn`, or objects with fields, which the expression is
  then checked against). Bindings are plain JSON values, or any Mapping: one whose items are made when they are asked
  for gives lazy variables (ValidatingAdmissionPolicy's `variables`). A declared variable may be left out of the
  bindings; to read it then is an EvaluationError.
- What comes back is a plain value too (bool, int, float, str, bytes, list, dict, None), or one of `values`
  (Timestamp, Duration, Optional, TypeValue).
- Errors are raised, and carry upstream's text in `message`: `compilation failed: ` and the like are the caller's.
  CostExceeded is not an EvaluationError: it comes when one evaluation costs more than PER_CALL_LIMIT, or when all
  that share a Budget have spent it. With a Slice, TooLong comes before the loop is held up (see `pacing`).
- All of Kubernetes' libraries are there: lists, regex, url, quantity, ip, cidr, format, semver, strings, sets,
  optional types, comprehensions with two variables, and `authorizer` (see library/authorizer.py for what to bind).
- `dynamic=True` is for expressions that make objects of types that nobody declares (see `making`):
  `Object{spec: Object.spec{replicas: 3}}` becomes {"spec": {"replicas": 3}}.
- `extensions` are those of the language that not all of Kubernetes speaks: `bindings` (cel.bind).

Nothing of the checker is loaded before the first Environment compiles.
Source: apiserver pkg/cel/environment/base.go, pkg/apis/cel/config.go.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from kubepy.apiserver.cel import making
from kubepy.apiserver.cel.checker import Checker
from kubepy.apiserver.cel.compiling import Compiler
from kubepy.apiserver.cel.errors import CompileError, CostExceeded, EvaluationError
from kubepy.apiserver.cel.frame import Frame, Step
from kubepy.apiserver.cel.kinds import Kind
from kubepy.apiserver.cel.literals import faults_of_literals
from kubepy.apiserver.cel.pacing import Slice, TooLong
from kubepy.apiserver.cel.syntax import Tree

PER_CALL_LIMIT: Final = 1_000_000
"""What one evaluation may cost; about a third of a second of one core."""
BUDGET: Final = 10_000_000
"""What all evaluations for one request may cost together."""

_FAULTS: Final = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError)


class Budget:
    """What several evaluations may cost together."""

    __slots__ = ("left",)

    def __init__(self, left: int = BUDGET) -> None:
        self.left = left


class Program:
    """A compiled expression. `result_type` is what the checker found, `dyn` when it cannot know; `used` are the
    variables that it reads; `tree` is what was parsed.
    """

    __slots__ = ("_step", "expression", "result_type", "tree", "used")

    def __init__(self, expression: str, result_type: str, tree: Tree, step: Step, used: Collection[str]) -> None:
        self.expression = expression
        self.result_type = result_type
        self.tree = tree
        self.used = frozenset(used)
        self._step = step

    def evaluate(self, bindings: Mapping[str, Any], budget: Budget | None = None, slice_: Slice | None = None) -> Any:
        """The value. Raises EvaluationError, CostExceeded, or TooLong for want of a slice; all of them are charged."""
        limit = PER_CALL_LIMIT if budget is None else min(PER_CALL_LIMIT, budget.left)
        here = limit if slice_ is None else min(limit, slice_.left)
        frame = Frame(dict(bindings), here, limit)
        try:
            found = self._step(frame)
        except CostExceeded:
            if frame.limit < limit:
                raise TooLong from None
            raise
        except _FAULTS as fault:  # of ours, or of a value that nothing was made for: only this expression shall fail
            raise EvaluationError(f"internal error: {fault}") from fault
        finally:
            if budget is not None:
                budget.left -= frame.cost
            if slice_ is not None:
                slice_.left -= frame.cost - frame.idle
        if frame.cost > limit:
            raise CostExceeded
        return found


class Environment:
    """Compiles expressions over the same variables; see the module's docstring."""

    def __init__(
        self, variables: Mapping[str, Kind], *, dynamic: bool = False, extensions: tuple[str, ...] = ()
    ) -> None:
        self._variables = variables
        self._extensions = extensions
        self._dynamic = dynamic
        self._checker: Checker | None = None

    def compile(self, expression: str, result_type: str | tuple[str, ...] | None = None) -> Program:
        """The program. Raises CompileError; where a type of result is wanted, anything but `dyn` must be it."""
        if self._checker is None:
            self._checker = Checker(self._variables, self._extensions)
        if self._dynamic:
            tree = self._checker.parse(expression)
            found = making.result_type(expression, tree.root, self._variables)
        else:
            tree, found = self._checker.check(expression)
            if (faults := faults_of_literals(tree, expression)) is not None:
                raise CompileError(faults)
        wanted = (result_type,) if isinstance(result_type, str) else result_type
        if wanted and found != "dyn" and found not in wanted:
            many = f"one of [{' '.join(wanted)}]" if len(wanted) > 1 else wanted[0]
            raise CompileError(f"must evaluate to {many}")
        compiler = Compiler(tree, self._variables)
        return Program(expression, found, tree, compiler.compile(), compiler.used)
