r"""Train K folds x S seeds, score every series by models that have not seen it, make an ensemble.

python scripts/crossval.py --config configs/spec1d.py:demo --folds 4 --seeds 2
python scripts/predict.py --workdir runs/spec1d-demo-simulated-crossval --series ... --out found.csv

Every member is a run directory below --workdir. The same command resumes an interrupted member and
skips finished ones. The score is that of the last checkpoints: none is chosen by the series that
are scored. docs/experiments.md says how to read it.

Exit codes are those of train.py: 0 finished; 2 the input cannot be used; 3 a member diverged; 75
stopped by a signal, all is saved and the same command resumes; 130 stopped at once.
"""

import argparse
from pathlib import Path
from typing import Any

from sleepjax import cli
from sleepjax.config import load_from_arguments
from sleepjax.io import check_folder, write_json, write_text
from sleepjax.runs.stop import resumable
from sleepjax.text import markdown
from sleepjax.types import EVENTS, InputError

METHODS = (
    "Every series was predicted by models that had not seen it, in {n}-fold cross-validation over "
    "series, with the last checkpoint of each training; event-detection average precision is over "
    "all series together, its 95 % interval from a bootstrap over series, with {{software}}."
)
"""For a paper."""

Members = dict[tuple[int, int], tuple[Any, Path]]
"""(fold, seed) -> (config, run directory)."""


def main(argv: list[str]) -> int:
    parser = cli.parser(__doc__, allow_abbrev=False)
    parser.add_argument("--config", required=True, help="configs/spec1d.py[:variant,key=value]")
    parser.add_argument("--folds", type=int, help="K, number of folds (data.folds of the config)")
    parser.add_argument(
        "--seeds", type=int, default=1, help="S, number of seeds from the config's on (1)"
    )
    parser.add_argument("--workdir", help="folder of the members; default runs/<config>-crossval")
    args, rest = parser.parse_known_args(argv)
    body = lambda stop: crossval(args, rest)
    return cli.answer(lambda: resumable(body), "run the same command again to continue")


def crossval(args: argparse.Namespace, rest: list[str]) -> int:
    config: Any = load_from_arguments(args.config, rest)
    if args.folds is not None and any(item.startswith("--config.data.folds=") for item in rest):
        raise InputError(
            f"--folds {args.folds} and --config.data.folds={config.data.folds} both say how many "
            "folds there are; give one of them."
        )

    # JAX is imported late: a misspelt option is reported at once.
    from sleepjax.data.source import default_workdir
    from sleepjax.runs import runtime
    from sleepjax.training import checks

    checks.check(config)
    workdir = Path(args.workdir or default_workdir(args.config, config.data, "crossval"))
    check_folder("--workdir", workdir)
    members = plan(
        config, workdir, config.data.folds if args.folds is None else args.folds, args.seeds
    )
    runtime.use_compilation_cache()
    runtime.keep_freed_memory()
    train(members)
    report(args, workdir, members)
    return 0


def plan(config: Any, workdir: Path, n_folds: int, n_seeds: int) -> Members:
    """Configs and run directories of all members, fold after fold."""
    if config.data.fold:
        raise InputError(
            f"data.fold={config.data.fold} would not be used: every fold is trained; leave it out."
        )
    if n_folds < 2:
        raise InputError(f"--folds {n_folds} must be at least 2.")
    if n_seeds < 1:
        raise InputError(f"--seeds {n_seeds} must be at least 1.")
    if config.early_stop.patience:
        raise InputError(
            f"early_stop.patience={config.early_stop.patience} would end training where the series "
            "that are scored liked it best; cross-validation needs --config.early_stop.patience=0."
        )
    members = {}
    for fold in range(n_folds):
        for seed in range(config.seed, config.seed + n_seeds):
            own = config.copy_and_resolve_references().unlock()
            own.seed, own.data.folds, own.data.fold = seed, n_folds, fold
            members[fold, seed] = own.lock(), workdir / f"fold{fold}-seed{seed}"
    return members


def train(members: Members) -> None:
    from sleepjax.runs import checkpoints, directory, validation
    from sleepjax.training import input_pipeline, loop

    # One whose checkpoint is damaged is continued from the one before.
    is_over = lambda config, path: (
        validation.is_finished(path, config) and checkpoints.is_whole(path)
    )
    finished = [path for config, path in members.values() if is_over(config, path)]
    todo = [member for member in members.values() if member[1] not in finished]
    if todo:  # the last fold gets the fewest labelled nights: what it has, all have
        data = input_pipeline.open_data(members[max(members)][0])
        directory.check_labels(finished, data.facts()["labels"])
    for number, (config, workdir) in enumerate(todo, 1):
        loop.say(f"{workdir.name}: {number} of {len(todo)} members to train")
        loop.run(config, workdir)


def report(args: argparse.Namespace, workdir: Path, members: Members) -> None:
    from sleepjax import provenance
    from sleepjax.evaluation import out_of_fold
    from sleepjax.metrics.summary import as_dict
    from sleepjax.runs import directory, ensemble, validation

    folds, seeds = (sorted(set(numbers)) for numbers in zip(*members, strict=True))
    paths = [[members[fold, seed][1] for seed in seeds] for fold in folds]
    directory.check_labels([path for _, path in members.values()])
    first: Any
    first, facts = directory.read(paths[0][0])
    post, simulated = first.post.to_dict(), facts["simulated"]
    found = out_of_fold.evaluate(paths, post)
    validation.save(workdir, found.curves, found.solution)  # as a run keeps its own
    ensemble.write(workdir, [path for _, path in members.values()], post)
    contents = {
        "config": args.config,
        "simulated": simulated,
        "folds": dict(zip(folds, found.folds, strict=True)),
        "seeds": {
            seed: as_dict(score.result, score.boot)
            for seed, score in zip(seeds, found.seeds, strict=True)
        },
        "ensemble": as_dict(found.mean.result, found.mean.boot),
    }
    write_json(workdir / "crossval.json", contents)
    text = table(args.config, seeds, found, simulated)
    write_text(workdir / "crossval.md", text + "\n")
    read = {f"{path.name}/run.json": path / "run.json" for _, path in members.values()}
    written = [workdir / name for name in ("crossval.json", "crossval.md", ensemble.FILE)]
    provenance.write_of_work(METHODS.format(n=len(folds)), read, written)
    print(text)
    print(f"\nensemble of {len(members)} members for predict --workdir: {workdir}")


def table(config: str, seeds: list[int], found: Any, simulated: bool) -> str:
    rows = {f"seed {seed}": score for seed, score in zip(seeds, found.seeds, strict=True)}
    rows |= {f"mean of {len(seeds)} seeds' probabilities": found.mean} if len(seeds) > 1 else {}
    n_series, n_folds = found.mean.result.n_series, len(found.folds)
    what = "SIMULATED series" if simulated else "series"
    lines = [
        f"Cross-validation of {config}: {n_series} {what} with events in {n_folds} folds, each "
        "predicted by the last checkpoint of models that have not seen it.",
        "",
    ]
    cells = []
    for name, score in rows.items():
        low, high = score.boot.interval()
        events = [f"{score.result.per_event.get(e, float('nan')):.4f}" for e in EVENTS]
        cells.append([name, f"{score.result.ap:.4f}", f"{low:.4f} to {high:.4f}", *events])
    lines += [markdown(["", "event AP", "95 % interval", *EVENTS], cells), ""]
    folds = ", ".join(f"{ap:.3f}" for ap in found.folds)
    return "\n".join([*lines, f"Within single folds: {folds}."])
