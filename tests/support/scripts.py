"""Commands as modules, to call their `main` without a process."""

import importlib.util
import sys


def script(project, name):
    """The module ``sleepjax.commands.<name>``, whose ``main`` is that of ``scripts/<name>.py``."""
    spec = importlib.util.spec_from_file_location(name, project / "scripts" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return sys.modules[module.main.__module__]
