"""What a hyperparameter may be."""

import math
from typing import NamedTuple

import numpy as np

FLOAT32 = np.finfo(np.float32)


class Range(NamedTuple):
    """Numbers from the minimum to the maximum, both included.

    Attributes:
      minimum: the least number.
      maximum: the greatest number.
      words: what a message says of a number that lies elsewhere.

    Example:
      >>> SHARE.minimum <= 0.25 <= SHARE.maximum
      True
    """

    minimum: float
    maximum: float
    words: str


REAL = Range(-math.inf, math.inf, "must be a number")
NOT_NEGATIVE = Range(0.0, math.inf, "must not be negative")
POSITIVE = Range(float(FLOAT32.tiny), math.inf, "must be above 0")
SHARE = Range(0.0, 1.0, "must lie between 0 and 1")
DECAY = Range(0.0, 1.0 - float(FLOAT32.epsneg), "must be at least 0 and below 1")
SIGN = Range(-1.0, 1.0, "must lie between -1 and 1")
