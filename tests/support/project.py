"""Where the project stands, and how its tests are compiled and in which order they run."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((PROJECT / "configs").glob("*.py"))

QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
"""XLA_FLAGS that shorten compilation; the sums stay what they are."""

LONGEST = (
    "models/test_battery.py",
    "test_configs_run.py",
    "export/test_export.py",
    "training/test_loop.py",
    "experiments/test_crossval.py",
    "training/test_step.py",
    "live/test_stream.py",
    "release/test_release.py",
    "training/test_distill.py",
    "parallel/test_two_processes.py",
    "test_predict.py",
    "processing/test_process.py",
    "test_notebooks.py",
    "training/test_optim.py",
    "runs/test_directory.py",
    "runs/test_checkpoints.py",
    "models/test_layers.py",
    "test_custom.py",
    "simulation/test_cohort.py",
    "scripts/test_keyboard.py",
    "data/test_prepare.py",
    "serve/test_serve.py",
    "test_docs.py",
    "test_api.py",
    "data/test_subjects.py",
    "models/test_own_model.py",
    "scripts/test_prepare_data.py",
    "scripts/test_streams.py",
    "figures/test_actogram.py",
    "evaluation/test_tuning.py",
    "models/test_pretrained.py",
)
"""Files of tests/ that take long, the longest first; they begin before the others."""
