"""What the docs build does besides mkdocs: it draws the figures of concepts.py afresh."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replace the committed copies, which are there for readers of the repository."""
    path = Path(__file__).with_name("concepts.py")
    spec = importlib.util.spec_from_file_location("concepts", path)
    assert spec and spec.loader
    concepts = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(concepts)
    for name, draw in concepts.FIGURES.items():
        uri = f"images/{name}.png"
        old = files.get_file_from_path(uri)
        if old is not None:
            files.remove(old)
        files.append(File.generated(config, uri, content=concepts.png(draw())))
    return files
