"""Opens single modules of a package without running the package's own imports, most of which load models or
talk to servers. What the modules import and do not need is put in place as an empty shell."""
import importlib
import importlib.util
import pathlib
import sys
import types
from unittest.mock import MagicMock


def open_package(package: str, folders: list[str], unneeded: list[str]) -> None:
    """
    package: its name
    folders: sub-packages whose __init__ is not to run, outer ones first
    unneeded: modules that are imported and never used
    """
    root = pathlib.Path(importlib.util.find_spec(package).submodule_search_locations[0])
    for name in [package, *folders]:
        shell = types.ModuleType(name)
        shell.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = shell
    for name in unneeded:
        sys.modules[name] = MagicMock()
