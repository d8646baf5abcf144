"""Runs trained together: which may be, and the step from which they continue."""

import pytest

from sleepjax.experiments import members
from sleepjax.types import InputError


def test_only_seed_and_fold_may_differ(tiny_config):
    configs = [tiny_config(), tiny_config({"seed": 3, "data.fold": 1})]
    members.check_alike(configs)
    with pytest.raises(
        InputError, match=r"may differ only in seed and data.fold.*optim.lr: 0.0005"
    ):
        members.check_alike([*configs, tiny_config({"optim.lr": 1e-3})])


@pytest.mark.parametrize(
    "saved, step",
    [
        ([[], []], 0),
        ([[5], []], 0),  # killed between the first saves
        ([[5], [5]], 5),
        ([[5, 10], [5, 10]], 10),
        ([[5, 10], [5]], 5),  # killed between the second saves
        ([[10, 15], [5, 10]], 10),  # and between later ones
    ],
)
def test_runs_continue_from_the_last_step_they_share(tmp_path, saved, step):
    assert members.common_step({tmp_path / str(i): own for i, own in enumerate(saved)}) == step


def test_runs_too_far_apart_do_not_continue_together(tmp_path):
    saved = {tmp_path / "a": [10, 15], tmp_path / "b": []}
    with pytest.raises(InputError, match="a at 15, b at 0. Train them one after the other"):
        members.common_step(saved)
