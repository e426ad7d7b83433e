"""Texts as small integers, so that a column of label values is an array that compares in one instruction a node."""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

ABSENT = 0
"""The number of a value that is not there."""


class Interner:
    """Numbers from 1 on for the texts that were seen."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._texts: list[str] = [""]

    def __len__(self) -> int:
        return len(self._texts)

    def number(self, text: str) -> int:
        """The text's number; a new one where it was not seen before."""
        number = self._numbers.get(text)
        if number is None:
            number = len(self._texts)
            self._numbers[text] = number
            self._texts.append(text)
        return number

    def find(self, text: str) -> int | None:
        """The text's number, or None where it was not seen."""
        return self._numbers.get(text)

    def text(self, number: int) -> str:
        return self._texts[number]

    def as_integers(self) -> Floats:
        """By number, the integer that the text spells, or NaN."""
        return np.array([_integer(text) for text in self._texts])


def _integer(text: str) -> float:
    try:
        return float(int(text))
    except ValueError:
        return float("nan")
