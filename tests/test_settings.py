"""Every number of a config has its bounds, and going over one says which."""

from typing import Any

import pytest

from sleepjax.config import load_config
from sleepjax.training import checks
from sleepjax.training.build import build
from sleepjax.types import InputError
from tests.support.project import CONFIGS


@pytest.mark.parametrize("name", [path.stem for path in CONFIGS])
@pytest.mark.parametrize("variant", ["", ":demo", ":tiny"])
def test_shipped_configs_are_within_bounds(project, name, variant):
    checks.check(load_config(f"{project / 'configs' / name}.py{variant}"))


def test_bounds_name_settings_that_exist(project):
    config = load_config(f"{project / 'configs' / 'spec2d.py'}")
    for key in checks.BOUNDS:
        node: Any = config
        for part in key.split("."):
            node = node[part]


@pytest.mark.parametrize(
    "key, value, message",
    [
        ("total_steps", 0, "total_steps=0 must be at least 1."),
        ("batch_size", -4, "batch_size=-4 must be at least 1."),
        ("batch_size", 10**12, "batch_size=1000000000000 must be at least 1 and at most 1048576."),
        ("total_steps", 10**10, "total_steps=.* must be at least 1 and at most 2147483647."),
        ("data.downsample", 961, "data.downsample=961, .* at most .* data.duration=960."),
        ("loss.sigma", 1e30, "loss.sigma=1e.30 must be at least 1e-06 and at most 17280."),
        ("loss.worn", 1e30, "loss.worn=1e.30 must be at least 0 and at most 1000000."),
        ("loss.weights", (1e30, 1.0, 1.0), "must be 3 numbers from 0 to 1e.06, not all 0"),
        ("optim.lr", 1e30, "optim.lr=1e.30 must be at least 0 and at most 1000000."),
        ("optim.weight_decay", float("inf"), "optim.weight_decay=inf must be at least 0 and at"),
        ("post.daily", float("inf"), "config.post: daily=inf must be positive and finite"),
        ("model.extractor.height", 10**23, "model.extractor.height=1.* must be at most 1048576."),
        ("simulate.days", 400, "simulate.days=400 must be between 1 and 366 days."),
        ("simulate.series", 0, "simulate.series=0 must be at least 1."),
        ("simulate.population", "wrld", "simulate.population='wrld' is unknown, did you mean"),
        ("ema", 2.0, "ema=2.0 must be at least 0 and at most 0.999999."),
        ("loss.sigma", 0.0, "loss.sigma=0.0 must be at least 1e-06."),
        ("seed", -1, "seed=-1 must be at least 0"),
        ("post.daily", 0.0, "config.post: daily=0.0 must be positive"),
        ("post.distance", 0, "config.post: distance=0 must be at least 1"),
        ("post.height", 1.5, "config.post: height=1.5 must lie between 0 and 1"),
        ("optim.lr", -1.0, "optim.lr=-1.0 must be at least 0."),
        ("data.background", 1.5, "data.background=1.5 must be at least 0 and at most 1."),
        (
            "eval.stride",
            900,
            r"eval.stride=900 .* at most 840 \(data.duration=960 less eval.trim=60",
        ),
        ("eval.trim", 480, "eval.trim=480 must be less than half of data.duration=960"),
        ("loss.weights", (1.0, 1.0), r"loss.weights=\(1.0, 1.0\) must be 3 numbers"),
        (
            "early_stop.metric",
            "valid/event-ap",
            "is not written by validation, did you mean 'valid",
        ),
        ("loss.weights", (0.0, 0.0, 0.0), "not all 0: for asleep, onset, wakeup"),
    ],
)
def test_out_of_bounds(project, key, value, message):
    config = load_config(f"{project / 'configs' / 'spec1d.py'}:tiny", {key: value})
    with pytest.raises(InputError, match=message):
        checks.check(config)
        build(config)


def test_settings_of_a_user_defined_loss_are_its_own(project):
    loss = {"name": f"{project}/docs/examples/my_parts.py:focal", "sigma": 1e9, "weights": "all"}
    config: Any = load_config(f"{project / 'configs' / 'spec1d.py'}:tiny").unlock()
    config.loss = loss
    checks.check(config)
    with pytest.raises(InputError, match="setting 'weights' of loss .*:focal' is unknown"):
        build(config)
    config.loss = {**loss, "worn": "yes"}
    with pytest.raises(InputError, match="loss.worn='yes' must be of type float"):
        checks.check(config)
