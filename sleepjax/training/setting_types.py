"""Types of the settings in a config: those of their defaults, checked before anything else."""

from types import SimpleNamespace
from typing import Any

from ml_collections import ConfigDict

from sleepjax import custom
from sleepjax.config import check_type, shown
from sleepjax.defaults import default_config
from sleepjax.types import InputError

GIVEN = {
    "model": ("downsample", "features", "covariates", "worn", "any_answer"),
    "loss": ("downsample",),
}
"""Group -> what the part is given by other settings, such as data.downsample; none of the group."""


def check_types(config: Any) -> None:
    """Raise InputError for a setting of another type than its default; a whole number is a float.

    Groups are groups, items of a list are of the type of its default's (text where that is empty),
    and names of parts are text. Settings that have no default, and those of a user-defined model or
    loss, are of any type.
    """
    defaults = default_config(SimpleNamespace(fold=0, demo=False, tiny=False))
    groups = [key for key, value in defaults.items() if isinstance(value, ConfigDict)]
    for group in (*groups, "model"):
        _check_group(config, group)
    for key, default in defaults.items():
        if key not in groups:
            check_type(key, config.get(key, default), default)
            continue
        own_loss = key == "loss" and custom.is_custom(config.loss.get("name"))
        for name, of in default.items():
            if own_loss and name not in ("name", "worn"):  # settings of that loss
                continue
            if key != "post":  # `decode.check_post` knows which of them may be None
                check_type(f"{key}.{name}", config[key].get(name, of), of)
    _check_names("model", config.model)


def _check_group(config: Any, group: str) -> None:
    """Raise InputError unless it is a group, without what other settings say."""
    found = config.get(group, ConfigDict())
    if not isinstance(found, ConfigDict):
        raise InputError(f"the config's {group}={shown(found)} must be a group of settings.")
    for key in GIVEN.get(group, ()):
        if key in found:
            raise InputError(
                f"{group}.{key}={shown(found[key])} is not a setting: it follows from those of "
                "data and loss; leave it out."
            )


def _check_names(place: str, group: Any) -> None:
    """Raise InputError for a name, or a dtype, in the group or below it that is no text."""
    for key, value in group.items():
        if isinstance(value, ConfigDict) and key not in ("name", "dtype"):
            _check_names(f"{place}.{key}", value)
        elif key in ("name", "dtype") and not isinstance(value, str):
            like = "float32" if key == "dtype" else "spec1d"
            raise InputError(f"{place}.{key}={shown(value)} must be of type str, like {like!r}.")
