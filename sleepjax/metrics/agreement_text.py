"""Agreement as tables for people and as a dictionary for programs."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sleepjax.metrics.agreement import QUANTITIES, WITHIN, Agreement
from sleepjax.text import columns, counted


def as_dict(result: Agreement) -> dict[str, Any]:
    """All of it in plain types; null for what too few windows leave undefined."""
    plain = {
        "n_truth": result.n_truth,
        "missed": result.missed,
        "extra": result.extra,
        "left_out": result.left_out,
        "error_minutes": {name: asdict(of) for name, of in result.differences.items()},
        "epochs": None if result.epochs is None else asdict(result.epochs),
        "persons": result.persons.to_dicts(),
        "nights": result.nights.to_dicts(),
    }
    return _without_nan(plain)


def as_text(results: Mapping[str, Agreement]) -> str:
    """Tables with a row for each method: errors of each quantity, limits, epochs."""
    head = ["error, min", "", "n", "missed", "extra", "mean", "median", "median |e|", "95 %"]
    head += ["mean |e|", "90 % |e|", *(f"<= {m}" for m in WITHIN)]
    limits = [["limits of agreement, min", "", "mean", "95 %", "low", "95 %", "high", "95 %"]]
    rows = [head]
    for quantity in QUANTITIES:
        for name, result in results.items():
            of = result.differences[quantity]
            rows.append(
                [
                    quantity,
                    name,
                    str(of.n),
                    str(result.missed),
                    str(result.extra),
                    _number(of.mean, "+.1f"),
                    _number(of.median, "+.1f"),
                    _number(of.median_absolute, ".1f"),
                    _interval(of.median_absolute_interval),
                    _number(of.mean_absolute, ".1f"),
                    _number(of.q90_absolute, ".1f"),
                    *(_number(share, ".0%").replace("%", " %") for share in of.within.values()),
                ]
            )
            cells = [quantity, name]
            for value, interval in (
                (of.mean, of.mean_interval),
                (of.limits[0], of.low_interval),
                (of.limits[1], of.high_interval),
            ):
                cells += [_number(value, "+.1f"), _interval(interval)]
            limits.append(cells)
    lines = [*columns(rows), "", *columns(limits)]
    epochs = [["asleep by step", "steps", "sensitivity", "95 %", "specificity", "95 %"]]
    epochs[0] += ["kappa", "95 %", "not scored"]
    for name, result in results.items():
        of = result.epochs
        if of is not None:
            cells = [name, str(of.n)]
            for rate, interval in of.intervals.items():
                cells += [_number(getattr(of, rate), ".3f"), _interval(interval, 3)]
            epochs.append([*cells, str(of.n_unscored)])
    if len(epochs) > 1:
        lines += ["", *columns(epochs)]
    first = next(iter(results.values()))
    windows = counted(first.n_truth, "true window")
    people = counted(len(first.persons), "person", "people")
    lines += ["", f"{windows} of {people}; errors are found minus true of the matched; shares (<=)"]
    lines[-1] += " are of all true windows"
    for name, result in results.items():
        lines += [f"{name}: left out: {reason}: {n:,}" for reason, n in result.left_out.items()]
    return "\n".join(lines)


def _number(value: float, form: str) -> str:
    """The number, or a dash where too few windows leave it undefined."""
    return "-" if math.isnan(value) else f"{value:{form}}"


def _interval(interval: tuple[float, float], digits: int = 1) -> str:
    return (
        "-" if math.isnan(sum(interval)) else " to ".join(f"{end:.{digits}f}" for end in interval)
    )


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _without_nan(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(v) for v in value]
    return None if isinstance(value, float) and math.isnan(value) else value
