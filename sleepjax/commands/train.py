r"""Train a model, or resume a run that was interrupted.

python scripts/train.py --config configs/spec2d.py:demo
python scripts/train.py --config configs/spec2d.py --workdir runs/lr1e-3 --config.optim.lr=1e-3
python scripts/train.py --config configs/spec2d.py --print_config
python scripts/train.py --config configs/spec2d.py --dry_run      # a minute: does every part work?

Every setting of the config can be given as --config.GROUP.NAME=VALUE; --print_config lists them.
For your own data: --config.data.root=FOLDER, with train_series.parquet (or csv) and
train_events.csv in it; --config.data.tz=Europe/London where timestamps have no UTC offset;
--config.data.drop_bad=true to leave out what cannot be used. Data are simulated only where nobody
gave data.root and the competition's recordings are not there.

Exit codes: 0 finished; 2 the input cannot be used, or the disk is full; 3 the training diverged
(too many updates in a row were skipped, or the weights predict NaN); 75 stopped by SIGTERM,
SIGUSR1, SIGHUP or Ctrl-C, all is saved and the same command resumes; 130 stopped at once by a
second Ctrl-C, without saving.
"""

import argparse
import shlex
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from sleepjax import cli
from sleepjax.config import flat, load_from_arguments
from sleepjax.io import check_folder
from sleepjax.runs.stop import StopSignal, resumable
from sleepjax.types import EVENTS, STEP_SECONDS, TOLERANCES, InputError


def main(argv: list[str]) -> int:
    parser = cli.parser(__doc__)
    parser.add_argument("--config", required=True, help="configs/spec2d.py[:variant,key=value]")
    parser.add_argument("--workdir", help="run directory; default runs/<config>[-simulated]")
    parser.add_argument(
        "--extend",
        metavar="total_steps=N",
        help="train the run in --workdir longer, on the learning rates of a run of N steps",
    )
    parser.add_argument("--print_config", action="store_true", help="print all settings and exit")
    parser.add_argument(
        "--dry_run", action="store_true", help="run every part once on the data, report it and exit"
    )
    add_execution(parser)
    args, rest = parser.parse_known_args(argv)
    body = lambda stop: start(args, rest, stop)
    return cli.answer(lambda: resumable(body), "run the same command again to continue")


def start(args: argparse.Namespace, rest: list[str], stop: StopSignal) -> int:
    if args.extend and not args.extend.startswith("total_steps="):
        raise InputError(f"--extend {args.extend!r} must be total_steps=N.")
    longer = [f"--config.{args.extend}"] if args.extend else []
    config: Any = load_from_arguments(args.config, [*rest, *longer])
    if args.print_config:
        print(settings(config))
        return 0
    from sleepjax.data.source import default_workdir

    workdir = Path(args.workdir or default_workdir(args.config, config.data))
    check_folder("--workdir", workdir)
    return train(config, str(workdir), args, stop)


def settings(config: ConfigDict) -> str:
    """A line for each setting as a command line has it, ``--config.optim.lr=0.0005``."""
    text = lambda value: str(value).replace("'", '"')  # the shell's own quotes go around
    every = flat(config.to_dict()).items()
    return "\n".join(shlex.quote(f"--config.{name}={text(value)}") for name, value in every)


def add_execution(parser: argparse.ArgumentParser) -> None:
    """Flags that say how a run is executed; what it computes is the config's."""
    group = parser.add_argument_group("execution, free to change when a run is resumed")
    flag = lambda name, text: group.add_argument(name, action="store_true", help=text)
    flag("--resident", "keep the training recordings on the device; cut windows inside the step")
    flag("--shard_optimizer", "split the optimiser's state over the devices")
    flag("--deterministic", "forbid GPU kernels that sum in any order; slower")
    group.add_argument(
        "--track", nargs="+", default=(), metavar="NAME", help="mirror the log to wandb or mlflow"
    )
    group.add_argument("--profile_steps", metavar="A:B", help="trace steps A to B-1 into profile/")
    group = parser.add_argument_group("several processes (docs/scaling.md)")
    group.add_argument(
        "--distributed",
        action="store_true",
        help="join the other processes; Slurm, Open MPI, Kubernetes and Cloud TPU are recognised",
    )
    group.add_argument("--coordinator", metavar="HOST:PORT", help="address of process 0")
    group.add_argument("--num_processes", type=int, metavar="N")
    group.add_argument("--process_id", type=int, metavar="I", help="0 to N-1")


def train(config: ConfigDict, workdir: str, args: argparse.Namespace, stop: StopSignal) -> int:
    # JAX is imported late: a misspelt option is reported at once.
    from sleepjax.parallel import processes
    from sleepjax.runs import runtime
    from sleepjax.training import loop, profiling

    how = runtime.Execution(
        resident=args.resident,
        shard_optimizer=args.shard_optimizer,
        extend=bool(args.extend),
        profile=profiling.parse_steps(args.profile_steps) if args.profile_steps else None,
        track=tuple(args.track),
    )
    if args.deterministic:
        runtime.use_deterministic_kernels()
    runtime.use_compilation_cache()
    runtime.keep_freed_memory()
    if args.dry_run:
        from sleepjax.experiments import dry_run

        print("\n".join(dry_run.run(config, how)))
        return 0
    joined = (args.coordinator, args.num_processes, args.process_id)
    if args.distributed or joined != (None, None, None):
        processes.start(*joined)
        stop.defer()
    with processes.failing_together():
        result = loop.run(config, workdir, how)
    if processes.is_main():
        report(result)
    return 0


def report(result) -> None:
    """The score and where everything is."""
    what = "held-out SIMULATED participants" if result.simulated else "held-out series"
    print(f"event AP on {what}: {result.metrics['event_ap']:.3f}")
    for event in EVENTS:
        table = "  ".join(
            f"{tol * STEP_SECONDS / 60:g}min {result.metrics[f'event_ap/{event}@{tol}']:.2f}"
            for tol in TOLERANCES
        )
        print(f"  {event:<7}{result.metrics[f'event_ap/{event}']:.3f}   {table}")
    print(f"run directory: {result.workdir}")
    print(f"report: {result.workdir / 'report.html'}")
    for path in result.figures:
        print(f"figure: {path}")
