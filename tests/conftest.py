"""Settings every test shares: four fake devices, no silent rank promotion, errors for warnings."""

import os

os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=4")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

from pathlib import Path

import hypothesis
import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")
hypothesis.settings.register_profile("default", deadline=None, max_examples=50)
hypothesis.settings.load_profile("default")

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def project() -> Path:
    """Root of the project."""
    return PROJECT


@pytest.fixture(scope="session")
def real_recording() -> Path:
    """A real 8-day recording that is not part of the project; the test is skipped without it."""
    path = Path(os.environ.get("SLEEPJAX_REAL_RECORDING", ""))
    if not path.is_file():
        path = PROJECT.parent / "shared" / "data" / "geneactiv_8days.parquet"
    if not path.is_file():
        pytest.skip("no real recording here: set SLEEPJAX_REAL_RECORDING to a series file")
    return path
