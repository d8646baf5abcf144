r"""Train one model for each of several settings, and compare them in one table.

python scripts/sweep.py --config configs/spec1d.py:demo \
    --grid 'optim.lr=1e-3,4e-3 data.downsample=6,12'
python scripts/sweep.py --config ... --grid 'optim.lr=1e-4,1e-2 ema=0.0,0.99' --random 20
python scripts/sweep.py --config ... --grid 'optim.lr=1e-4,1e-2 ema=0.0,0.99' --optuna 20

--grid alone tries every combination. --random and --optuna draw floats between the lowest and the
highest value and anything else from the list. Every trial is a run directory below --workdir; the
same command resumes. With --slurm nothing is trained: a job array is written
that trains them, and --table afterwards collects the results.

Exit codes are those of train.py: 0 finished; 2 the input cannot be used; 75 stopped by a signal,
all is saved and the same command resumes; 130 stopped at once.
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sleepjax import cli
from sleepjax.config import load_from_arguments
from sleepjax.io import check_folder, write_text
from sleepjax.runs.stop import resumable
from sleepjax.text import counted
from sleepjax.types import DivergedError, InputError

if TYPE_CHECKING:
    from sleepjax.experiments.sweep import Trial, Trials

ARRAY = """#!/bin/bash
# Change what your cluster needs (account, partition, --gres=gpu:1), then: sbatch {script}
#SBATCH --job-name=sleepjax-sweep
#SBATCH --array=0-{last}
#SBATCH --ntasks=1
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=USR1@180
task=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" {tasks})
srun bash -c "exec $task"
code=$?
# 75: the run saved its state when its time was up; the same task resumes.
if [ "$code" -eq 75 ]; then
    scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
fi
exit "$code"
"""


def main(argv: list[str]) -> int:
    parser = cli.parser(__doc__, allow_abbrev=False)
    parser.add_argument("--config", required=True, help="configs/spec1d.py[:variant,key=value]")
    parser.add_argument("--grid", required=True, help="'key=value,value key=value,value'")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--random", type=int, metavar="N", help="N points at random")
    how.add_argument("--optuna", type=int, metavar="N", help="N points that Optuna proposes")
    parser.add_argument("--seed", type=int, help="seed of --random and --optuna (0)")
    parser.add_argument("--workdir", help="folder of the trials; default runs/<config>-sweep")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--slurm", action="store_true", help="write a job array, train nothing")
    what.add_argument("--table", action="store_true", help="only collect what is finished")
    args, rest = parser.parse_known_args(argv)
    body = lambda stop: sweep(args, rest)
    return cli.answer(lambda: resumable(body), "run the same command again to continue")


def sweep(args: argparse.Namespace, rest: list[str]) -> int:
    for name in ("random", "optuna"):
        n = getattr(args, name)
        if n is not None and n < 1:
            raise InputError(f"--{name} {n} must be at least 1.")
    if args.slurm and args.optuna:
        raise InputError("--optuna decides one trial after the other; use --random with --slurm.")
    if args.seed is not None and not (args.random or args.optuna):
        raise InputError("--seed is for --random and --optuna; --grid alone tries all.")
    args.seed = args.seed or 0
    if args.seed < 0:
        raise InputError(f"--seed {args.seed} must be at least 0.")
    config: Any = load_from_arguments(args.config, rest)

    # JAX is imported late: a misspelt option is reported at once.
    from sleepjax.data.source import default_workdir
    from sleepjax.experiments import search_space
    from sleepjax.experiments.sweep import Trials, write_table
    from sleepjax.runs import directory, runtime

    space = search_space.parse(args.grid, config)
    for key in space:
        if any(item.startswith(f"--config.{key}=") for item in rest):
            raise InputError(f"--grid and --config.{key} both set {key}; give one of them.")
    drawn = search_space.random_points(space, args.random, args.seed) if args.random else None
    points = drawn or search_space.points(space)
    # All are built before the first is trained. What Optuna asks for lies between those checked.
    for point in points:
        search_space.check(config, point)
    workdir = Path(args.workdir or default_workdir(args.config, config.data, "sweep"))
    check_folder("--workdir", workdir)
    runtime.use_compilation_cache()
    runtime.keep_freed_memory()
    trials = Trials(workdir, config)
    if args.slurm:
        return write_array(args, rest, [trials.add(point) for point in points])
    if args.optuna:
        chosen = search(args, space, trials)
    else:
        chosen = [trials.add(point) for point in points]
        run_all(args, chosen)
    if not chosen:
        raise InputError(f"{workdir} holds no trial of this --grid yet; run without --table.")
    directory.check_labels([trial.workdir for trial in chosen if trial.is_finished()])
    print(write_table(chosen, workdir / "sweep.csv"))
    if others := len(trials.points) - len(chosen):
        print(f"\n{counted(others, 'more trial')} in {workdir} of other grids, not in this table")
    print(f"\nvalidation event AP of the last checkpoint; table: {workdir / 'sweep.csv'}")
    print("The best of many trials looks better than it is: score it with scripts/crossval.py.")
    return 0


def run_all(args: argparse.Namespace, trials: list[Trial]) -> None:
    """Train what is not finished, unless only the table is wanted."""
    from sleepjax.training import loop

    todo = [] if args.table else [trial for trial in trials if not trial.is_over()]
    for number, trial in enumerate(todo, 1):
        loop.say(f"trial {number} of {len(todo)} to train, {trial}")
        try:
            loop.run(trial.config, trial.workdir)
        except DivergedError as error:
            loop.say(f"WARNING: trial {trial} diverged: {error}")


def search(args: argparse.Namespace, space: dict, trials: Trials) -> list[Trial]:
    """Train what Optuna asks for, after the trials so far, until there are as many as wanted."""
    from sleepjax.experiments import search_space

    while True:
        chosen = trials.within(space)[: args.optuna]
        run_all(args, chosen)
        if args.table or len(chosen) == args.optuna:
            return chosen
        told = [(trial.point, trial.event_ap()) for trial in chosen]
        trials.add(search_space.next_point(space, told, args.seed))


def write_array(args: argparse.Namespace, rest: list[str], trials: list[Trial]) -> int:
    """A line per unfinished trial and a Slurm script that runs line after line."""
    todo = [trial for trial in trials if not trial.is_over()]
    if not todo:
        print("all trials have finished; --table instead of --slurm collects the results")
        return 0
    folder = todo[0].workdir.parent
    tasks, script = folder / "tasks.txt", folder / "sweep.sbatch"
    lines = []
    for trial in todo:
        settings = [f"--config.{key}={value}" for key, value in trial.point.items()]
        command = ["python", "scripts/train.py", "--config", args.config, *rest, *settings]
        lines.append(shlex.join([*command, "--workdir", str(trial.workdir)]))
    write_text(tasks, "\n".join(lines) + "\n")
    script_text = ARRAY.format(script=script, last=len(lines) - 1, tasks=shlex.quote(str(tasks)))
    write_text(script, script_text)
    print(f"{counted(len(lines), 'task')}: {tasks}\njob array, not submitted: sbatch {script}")
    print("when it has finished, the same command with --table instead of --slurm collects them")
    return 0
