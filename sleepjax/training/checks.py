"""Bounds of the numbers in a config, checked before anything is read or compiled."""

from types import SimpleNamespace
from typing import Any

from sleepjax import custom
from sleepjax.config import nearest
from sleepjax.data.features import check_names
from sleepjax.defaults import default_config
from sleepjax.objectives import TERMS
from sleepjax.parallel import sharding
from sleepjax.postprocess.decode import check_post
from sleepjax.simulation import Cohort
from sleepjax.training.build import build
from sleepjax.training.optim import SCHEDULE_FREE
from sleepjax.training.setting_types import check_types
from sleepjax.types import EVENTS, STEPS_PER_DAY, TOLERANCES, InputError

MOST_STEPS = 2**31 - 1
"""Updates are counted in int32 on the device."""
MOST_WINDOWS = 2**20
"""A batch is held in memory; one of so many windows of a day has 360 GB."""
MOST_WEIGHT = 1_000_000
"""Of what multiplies a loss or an update: its products must stay finite in float32."""

BOUNDS: dict[str, tuple[float, float]] = {
    "seed": (0, 2**63 - 1),
    "data.split_seed": (0, 2**63 - 1),
    "total_steps": (1, MOST_STEPS),
    "batch_size": (1, MOST_WINDOWS),
    "accumulate": (1, float("inf")),
    "ema": (0, 0.999999),
    "log_every": (1, float("inf")),
    "ckpt_every": (1, float("inf")),
    "data.duration": (1, float("inf")),
    "data.background": (0, 1),
    "data.tail": (0, float("inf")),
    "data.folds": (2, float("inf")),
    "data.fold": (0, float("inf")),
    "data.downsample": (1, float("inf")),
    **{f"augment.{name}": (0, 1) for name in ("reverse", "cutmix", "mixup", "hide")},
    "loss.worn": (0, MOST_WEIGHT),
    "loss.sigma": (1e-6, STEPS_PER_DAY),
    "optim.lr": (0, MOST_WEIGHT),
    "optim.warmup": (0, float("inf")),
    "optim.weight_decay": (0, MOST_WEIGHT),
    "optim.clip": (1e-12, float("inf")),
    "guard.spike": (1, 1e30),
    "guard.patience": (1, float("inf")),
    "eval.every": (1, float("inf")),
    "eval.batch_size": (1, MOST_WINDOWS),
    "eval.stride": (1, float("inf")),
    "eval.trim": (0, float("inf")),
    "eval.latency": (0, float("inf")),
    "early_stop.patience": (0, float("inf")),
}
"""Setting -> lowest and highest value allowed."""

GROUPS = ("data", "augment", "optim", "guard", "eval", "early_stop", "simulate")
"""Groups whose settings are those of `default_config`; others are checked where they are used."""


def check(config: Any) -> None:
    """Raise InputError for the first setting that is out of its bounds, naming the bound."""
    check_types(config)
    check_settings(config)
    check_names(config.data.features)
    own_loss = custom.is_custom(config.loss.name)
    for key, (low, high) in BOUNDS.items():
        if own_loss and key == "loss.sigma":  # a setting of that loss, in whatever unit it has
            continue
        value: Any = config
        for name in key.split("."):
            value = value.get(name, low)  # a user-defined loss has the settings it wants
        if not low <= value <= high:
            most = f" and at most {_number(high)}" if high < float("inf") else ""
            raise InputError(f"{key}={value!r} must be at least {low:g}{most}.")
    try:
        Cohort(**config.simulate)
    except InputError as error:
        raise InputError(f"simulate.{error}") from None
    check_windows(config.data, config.eval)
    if config.data.tail and config.augment.reverse:
        raise InputError(
            f"augment.reverse={config.augment.reverse} turns the end of a window into its "
            f"beginning, and data.tail={config.data.tail} learns the end only; set one to 0."
        )
    check_teacher(config)
    try:
        check_post(config.post)
    except InputError as error:
        raise InputError(f"config.post: {error}") from None
    metric = config.early_stop.metric
    known = ["loss", "event_ap", *(f"event_ap/{event}" for event in EVENTS)]
    known += [f"event_ap/{event}@{tolerance}" for event in EVENTS for tolerance in TOLERANCES]
    if metric.removeprefix("valid/") not in known or not metric.startswith("valid/"):
        names = [f"valid/{name}" for name in known]
        raise InputError(
            f"early_stop.metric={metric!r} is not written by validation"
            f"{nearest(metric, names)} Known: {', '.join(names[:4])}, {names[4]} and so on."
        )
    if not own_loss:
        check_weights(config.loss.name, config.loss.get("weights", ()))
    if config.optim.name == SCHEDULE_FREE and config.ema:
        raise InputError(
            f"ema={config.ema} must be 0 with optim.name='schedule_free', which keeps its own "
            "average."
        )
    check_user_defined(config)


def _number(bound: float) -> str:
    """A bound in full where it is a whole number of a usual size."""
    return str(bound) if bound == int(bound) and bound < 1e12 else f"{bound:g}"


def check_user_defined(config: Any) -> None:
    """Raise InputError for names that point to no file, or to two files of one name."""
    for place, names in (("augment.more", config.augment.more), ("evaluators", config.evaluators)):
        for name in names:
            if not custom.is_custom(name):
                raise InputError(f"{place}: {name!r} must be a name like path/to/my_parts.py:name.")
            custom.load(name, place)
    custom.hashes_of(custom.names(config.to_dict()))


def check_teacher(config: Any) -> None:
    """Raise InputError for a config that cannot learn from a teacher, and has one."""
    if not config.data.get("teacher"):
        return
    if config.loss.name != "segmentation":
        raise InputError(
            f"data.teacher={config.data.teacher!r} is learned by loss.name='segmentation', not "
            f"{config.loss.name!r}; leave data.teacher out, or change the loss."
        )
    # What hides covariates of a person leaves the signals as they are.
    changed = [name for name, share in config.augment.items() if share and name != "hide"]
    if changed:
        raise InputError(
            f"augment.{changed[0]}={config.augment[changed[0]]} changes windows, and what the "
            "teacher of data.teacher said of them is not changed with them; set it to 0."
        )


def check_windows(data: Any, evaluation: Any) -> None:
    """Raise InputError for windows that leave steps of a recording unlearned or unpredicted."""
    duration, latency = data.duration, evaluation.latency
    if data.downsample > duration:
        raise InputError(
            f"data.downsample={data.downsample}, the steps of a frame, must be at most those of a "
            f"window, data.duration={duration}."
        )
    if data.tail > duration:
        raise InputError(f"data.tail={data.tail} must be at most data.duration={duration}.")
    if latency:
        if not evaluation.stride <= latency <= duration:
            raise InputError(
                f"eval.latency={latency} must be at least eval.stride={evaluation.stride}, the "
                f"steps from one window to the next, and at most data.duration={duration}."
            )
        return
    longest = duration - 2 * evaluation.trim
    if longest < 1:
        raise InputError(
            f"eval.trim={evaluation.trim} must be less than half of data.duration={duration}."
        )
    if evaluation.stride > longest:
        raise InputError(
            f"eval.stride={evaluation.stride} leaves steps that no window covers: it must be at "
            f"most {longest} (data.duration={duration} less eval.trim={evaluation.trim} twice)."
        )


def check_settings(config: Any) -> None:
    """Raise InputError for a setting that nothing reads and for one that is missing."""
    defaults = default_config(SimpleNamespace(fold=0, demo=False, tiny=False))
    known = [*defaults, "model", *(f"{group}.{key}" for group in GROUPS for key in defaults[group])]
    found = list(config)
    found += [f"{group}.{key}" for group in GROUPS for key in config.get(group, {})]
    for key in found:
        if key not in known:
            raise InputError(f"the config's setting {key!r} is unknown{nearest(key, known)}")
    missing = [key for key in known if key not in found]
    missing += [
        f"{group}.name" for group in ("model", "loss") if "name" not in config.get(group, ())
    ]
    if missing:
        raise InputError(
            f"the config lacks {', '.join(missing)}; start from sleepjax.defaults.default_config, "
            "which has all settings, or from a config that does."
        )


def check_batches(config: Any, devices: int) -> None:
    """Raise InputError unless the batches of training and validation divide over the devices.

    Parts of a batch are refused where the model takes statistics over the batch: an update would
    be that of several small batches and not of the large one.
    """
    sharding.check_batch(config.batch_size, devices * config.accumulate, "batch_size")
    sharding.check_batch(config.eval.batch_size, devices, "eval.batch_size")
    if config.accumulate > 1 and "batch_stats" in (found := build(config).shapes().model_state):
        places = ", ".join(sorted(found["batch_stats"]))
        raise InputError(
            f"accumulate={config.accumulate} is not the update of the whole batch for a model that "
            f"normalises over the batch, as this one does in {places}. Set norm='layer' (or "
            "'group') there, such as --config.model.decoder.norm=layer, or accumulate=1."
        )


def check_weights(loss: str, weights: tuple[float, ...]) -> None:
    """Raise InputError unless there is a weight for each term of the loss of that name."""
    terms = TERMS.get(loss)
    if terms is None:  # an unknown name is refused where the loss is made
        return
    in_bounds = all(0 <= weight <= MOST_WEIGHT for weight in weights)
    if len(weights) != len(terms) or not in_bounds or not any(weights):
        raise InputError(
            f"loss.weights={weights} must be {len(terms)} numbers from 0 to {MOST_WEIGHT:g}, not "
            f"all 0: for {', '.join(terms)}."
        )
