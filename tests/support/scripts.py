"""Scripts as modules, to call their `main` without a process."""

import importlib.util


def script(project, name):
    """The module of ``scripts/<name>.py``."""
    spec = importlib.util.spec_from_file_location(name, project / "scripts" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
