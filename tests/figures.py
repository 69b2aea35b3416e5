"""What tests see of a picture before it is a file."""

from matplotlib.figure import Figure


def drawn_figures(monkeypatch):
    """The figures drawn from here on, to look inside."""
    figures, make = [], Figure.__init__
    monkeypatch.setattr(Figure, "__init__", lambda self, *a, **k: (figures.append(self), make(self, *a, **k))[1])
    return figures
