"""Where the files that ship with the project lie: configs/ and data/, in a checkout and in an installed wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def resource(name: str) -> Path:
    """The folder or file `name` ("configs/demo", "data/grammar"): of the wheel if installed, of the checkout otherwise."""
    installed = _PACKAGE / "shipped" / name
    return installed if installed.exists() else _PACKAGE.parent / name
