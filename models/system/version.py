"""The version, known without the import of PyTorch that ``lfdeblur_ops`` begins with."""

from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec


def _version() -> str:
    ops = find_spec("lfdeblur_ops")
    beside = PathFinder.find_spec("_version", ops.submodule_search_locations) if ops is not None else None
    if beside is None or beside.loader is None:  # in a program that is one file
        return str(import_module("lfdeblur_ops._version").__version__)
    module = module_from_spec(beside)
    beside.loader.exec_module(module)
    return str(module.__version__)


__version__ = _version()
