"""How a source of data is written: `kind:location#name=value,...`."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from genjax.system.messages import describe_unknown, quote
from genjax.types import InputError

PATHS = ("npz", "npy", "mat", "folder", "hf", "codes")  # kinds whose location is a path
NAMED = ("hf",)  # or, if there is no such path, a name
NESTING = ("stacked",)  # kinds whose location is itself a source, to which the options belong


class Source(NamedTuple):
    """A source in its parts.

    Attributes:
      text: all of it, as the user wrote it.
      kind: what stands before the first colon, or all of a source without a colon.
      location: a path, a name, or the source that another one is made of.
      options: what follows the last `#`, `{name: value}`.
    """

    text: str
    kind: str
    location: str
    options: dict[str, str]


def parse(text: str, names: Collection[str] | None = None) -> Source:
    """Takes a source apart.

    The last `#` begins the options. A path that has a `#` itself ends with another one: `npz:a#b.npz#`.

    Args:
      text: as the user wrote it.
      names: of the options that the kind has; None allows any.

    Raises:
      InputError: the options are not written `name=value,...`, or the kind does not have one of them.

    Example:
      >>> parse("npz:faces.npz#images=pixels,labels=person").options
      {'images': 'pixels', 'labels': 'person'}
      >>> parse("stacked:npz:faces.npz#images=pixels").location
      'npz:faces.npz#images=pixels'
    """
    place, _, fragment = text.rpartition("#")
    if "#" not in text or text.partition(":")[0] in NESTING:
        place, fragment = text, ""
    kind, _, location = place.partition(":")
    options: dict[str, str] = {}
    for assignment in fragment.split(",") if fragment else ():
        name, _, value = assignment.partition("=")
        if not name or not value:
            raise InputError(
                f"{text}: an option is written name=value, not {assignment!r}; a path that has a '#' ends with another"
            )
        if names is not None and name not in names:
            unknown = describe_unknown("option", name, names) if names else f"{kind} has no options"
            raise InputError(f"{text}: {unknown}")
        if name in options:
            raise InputError(f"{text}: option {name!r} stands there twice")
        options[name] = value
    return Source(text, kind, location, options)


def write(source: Source) -> str:
    """The text of which `parse` makes these parts."""
    place = f"{source.kind}:{source.location}" if source.location else source.kind
    options = ",".join(f"{name}={value}" for name, value in source.options.items())
    ambiguous = "#" in source.location and source.kind not in NESTING
    return f"{place}#{options}" if options or ambiguous else place


def find_path(source: Source) -> Path:
    """The path of a source that is a file or a folder, with `~` for the home of a user.

    Raises:
      InputError: there is no such user, or the path cannot be one.
    """
    try:
        path = Path(source.location).expanduser()
        path.exists()
    except RuntimeError as error:
        raise InputError(f"{quote(source.text)}: there is no such user") from error
    except (ValueError, OSError) as error:  # a zero byte; a name that is too long
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{quote(source.text)}: {reason}") from error
    return path


def without_version(text: str) -> str:
    """The source without the version of a data set of TFDS. Options, which make other data, stay.

    Example:
      >>> without_version("stacked:tfds:mnist:3.0.1"), without_version("tfds:mnist:3.0.1#resize=14")
      ('stacked:tfds:mnist', 'tfds:mnist#resize=14')
    """
    source = parse(text)
    if source.kind in NESTING:
        return write(source._replace(location=without_version(source.location)))
    return write(source._replace(location=source.location.partition(":")[0])) if source.kind == "tfds" else text


def make_absolute(text: str) -> str:
    """The source with the whole path of its file or folder, so that it means the same from every folder.

    Example:
      >>> make_absolute("npz:/data/../data/a.npz#images=x"), make_absolute("stacked:digits")
      ('npz:/data/a.npz#images=x', 'stacked:digits')
    """
    source = parse(text)
    if source.kind in NESTING:
        return write(source._replace(location=make_absolute(source.location)))
    if not source.location or source.kind not in PATHS:
        return text
    path = find_path(source)
    if source.kind in NAMED and not path.exists():
        return text
    return write(source._replace(location=os.path.abspath(path)))  # noqa: PTH100 (a link in it stays)


def whole_number(source: Source, name: str, largest: int) -> int | None:
    """The value of an option that is a number from 1 to `largest`; None where the source does not have the option.

    Raises:
      InputError: it is no such number.
    """
    value = source.options.get(name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 10 and 1 <= int(value) <= largest):
        raise InputError(f"{source.text}: {name}={value} must be a whole number from 1 to {largest}")
    return int(value)


def with_option(source: Source, name: str, value: str) -> str:
    """The text of a source that has one more option.

    Example:
      >>> with_option(parse("folder:faces"), "resize", "64")
      'folder:faces#resize=64'
    """
    return write(source._replace(options={**source.options, name: value}))
