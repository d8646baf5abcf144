r"""Train a small model on what a large one says (distillation), not on labels.

python scripts/distill.py --config configs/distilled.py --workdir runs/distilled
python scripts/distill.py --config configs/distilled.py --teacher runs/large --workdir runs/small

The teacher (a run, an ensemble or a release; default: the shipped weights) predicts every recording
of the config's data, with or without labels, into <workdir>-teacher/. These probabilities are the
soft targets of an ordinary training run. Its validation counts true events, like any other.

Exit codes are those of train.py. A signal that comes while the teacher is asked ends the command at
once, with 75: what it has said is kept, and the same command asks about the rest.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sleepjax import cli
from sleepjax.commands.train import add_execution, train
from sleepjax.config import load_from_arguments
from sleepjax.io import check_folder
from sleepjax.runs.stop import Interrupted, StopSignal, resumable
from sleepjax.text import counted
from sleepjax.types import WORN, InputError

if TYPE_CHECKING:
    import numpy as np

    from sleepjax.data.recording import Recording


def main(argv: list[str]) -> int:
    parser = cli.parser(__doc__)
    parser.add_argument("--config", required=True, help="the student: configs/distilled.py")
    cli.add_weights(parser, "--teacher")
    parser.add_argument("--workdir", required=True, help="run directory of the student")
    add_execution(parser)
    parser.set_defaults(extend="", dry_run=False)  # of train.py alone
    args, rest = parser.parse_known_args(argv)
    body = lambda stop: distill(args, rest, stop)
    return cli.answer(lambda: resumable(body), "run the same command again to continue")


def distill(args: argparse.Namespace, rest: list[str], stop: StopSignal) -> int:
    from sleepjax.training.checks import check

    config: Any = load_from_arguments(args.config, rest)
    if args.distributed or args.coordinator is not None:
        raise InputError(
            "the teacher is asked in one process: leave --distributed and --coordinator out. What "
            "it has said can be learned in several, by scripts/train.py with "
            f"--config.data.teacher={args.workdir}-teacher."
        )
    if config.data.teacher:
        raise InputError(
            f"data.teacher={config.data.teacher!r} is set by this command; name the model with "
            "--teacher, or train on these probabilities with scripts/train.py."
        )
    folder = Path(f"{args.workdir}-teacher")
    for path in (Path(args.workdir), folder):
        check_folder("--workdir", path)
    student = copy.deepcopy(config)
    student.data.teacher = str(folder)
    check(student)  # before the teacher is asked, which takes minutes
    try:
        teach(config, folder, args.teacher)
    except Interrupted:
        if not (kept := len(list(folder.glob("*.npy")))):
            raise
        raise Interrupted(
            f"{stop.name} while the teacher was asked; what it said of "
            f"{counted(kept, 'recording')} is kept in {folder}"
        ) from None
    return train(student, args.workdir, args, stop)


def teach(config: Any, folder: Path, source: str | None) -> None:
    """Store what the teacher says of every recording of the config's data."""
    from sleepjax.data import teacher
    from sleepjax.data.source import open_training_data
    from sleepjax.member import outputs, weights_hash
    from sleepjax.predict import load
    from sleepjax.progress import Progress
    from sleepjax.runs.runtime import keep_freed_memory, use_compilation_cache

    use_compilation_cache()
    keep_freed_memory()
    predictor = load(source)
    if config.loss.get("worn", 0) > 0 and WORN not in outputs(predictor.members):
        raise InputError(
            f"loss.worn={config.loss.worn} learns whether the watch is worn, which the teacher "
            "does not say; set loss.worn=0, or name another --teacher."
        )
    store = open_training_data(config.data, config.simulate).store
    names = dict.fromkeys(n for one in predictor.members for n in one.config.data.features)

    def probabilities(some: Sequence[Recording]) -> Iterator[np.ndarray]:
        for found in predictor.find_each(some):
            if isinstance(found, InputError):
                raise found
            progress.advance(1)
            yield found.probabilities

    every = (store.recording(series_id, tuple(names)) for series_id in store.series_ids)
    with Progress(len(store.series_ids), "teacher", "series") as progress:
        teacher.write(
            folder,
            weights_hash(predictor.members),
            store.identities(),
            every,
            probabilities,
        )
