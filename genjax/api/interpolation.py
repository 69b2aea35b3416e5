"""Paths between two codes."""

import numpy as np

from genjax.system.messages import nearest_name


def linear(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """(1 - t) a + t b for each t, `[steps, latent]`.

    Example:
      >>> linear(np.zeros(2), np.ones(2), np.array([0.0, 0.5]))
      array([[0. , 0. ],
             [0.5, 0.5]])
    """
    return (1 - t)[:, None] * a + t[:, None] * b


def spherical(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """sin((1 - t) w) / sin w a + sin(t w) / sin w b, w the angle between a and b, `[steps, latent]` (White 2016).

    Codes of a Gaussian prior in many dimensions lie near a sphere, and so does this path. Where a and b point in one
    direction or in opposite ones, or one of them is zero, no such path is known, and it is the straight line.

    Example:
      >>> path = spherical(np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([0.0, 0.5, 1.0]))
      >>> np.linalg.norm(path, axis=1).round(6)
      array([1., 1., 1.])
    """
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    angle = np.arccos(np.clip(a @ b / lengths, -1, 1)) if lengths else 0.0
    if np.sin(angle) < 1e-6:
        return linear(a, b, t)
    return (np.sin((1 - t) * angle)[:, None] * a + np.sin(t * angle)[:, None] * b) / np.sin(angle)


PATHS = {"linear": linear, "spherical": spherical}


def path_between(a: np.ndarray, b: np.ndarray, steps: int, path: str) -> np.ndarray:
    """`steps` codes from a to b, both ends included, `[steps, latent]` float32.

    Raises:
      InputError: there is no such path.

    Example:
      >>> path_between(np.zeros(1), np.ones(1), 3, "linear").ravel()
      array([0. , 0.5, 1. ], dtype=float32)
    """
    function = PATHS[nearest_name("path", path, PATHS)]
    return function(np.asarray(a, np.float64), np.asarray(b, np.float64), np.linspace(0, 1, steps)).astype(np.float32)
