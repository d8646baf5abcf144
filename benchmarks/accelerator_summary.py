"""Tables of the rows of benchmarks/accelerator.py."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]


def summary(rows: list[Row]) -> str:
    """Markdown: training steps with their share of the peak, ratios to PyTorch, and the rest."""
    steps = [row for row in rows if "windows_per_second" in row]
    add_flops(steps)
    parts = [
        "# Accelerator",
        next((f"{row['device']}, jax {row['jax']}" for row in rows if "jax" in row), ""),
        "## Steps",
        table(steps, STEP_COLUMNS),
        "## Windows per second against PyTorch",
        table(ratios(steps), ["model", "dtype", "ours", "torch", "fastest_torch", "ratio"]),
        "## The rest",
        *(f"- `{row['job']}`: {words(row)}" for row in rows if row not in steps),
    ]
    return "\n\n".join(parts[:6]) + "\n\n" + "\n".join(parts[6:]) + "\n"


STEP_COLUMNS = (
    *("job", "how", "batch", "windows_per_second", "tflop_per_second", "share_of_peak"),
    *("planned_memory_mb", "peak_device_memory_mb", "compile_s"),
)


def add_flops(steps: list[Row]) -> None:
    """Give PyTorch's rows the arithmetic of our row of the same model and its peak."""
    ours = {(row["model"], row["dtype"]): row for row in steps if "gflop_per_window" in row}
    for row in steps:
        own = ours.get((row["model"], row["dtype"]))
        if own and "gflop_per_window" not in row:
            rate = row["windows_per_second"] * own["gflop_per_window"] / 1e3
            row["tflop_per_second"] = round(rate, 2)
            if own.get("peak_tflop_per_second"):
                row["share_of_peak"] = round(rate / own["peak_tflop_per_second"], 4)


def ratios(steps: list[Row]) -> list[Row]:
    """Our step over the fastest of PyTorch's and over the fastest that is compiled."""
    found = []
    for model, dtype in dict.fromkeys((row["model"], row["dtype"]) for row in steps):
        same = [r for r in steps if (r["model"], r["dtype"]) == (model, dtype)]
        ours = [r for r in same if "jax" in r and r["job"].startswith("step/")]
        for kind in ("torch.compile", "torch eager"):
            theirs = [r for r in same if r.get("how", "").startswith(kind)]
            if ours and theirs:
                best = max(theirs, key=lambda r: r["windows_per_second"])
                mine = ours[0]["windows_per_second"]
                ratio = round(mine / best["windows_per_second"], 2)
                row = dict(model=model, dtype=dtype, ours=mine, torch=best["how"], ratio=ratio)
                found.append(row | {"fastest_torch": best["windows_per_second"]})
    return found


def table(rows: list[Row], columns) -> str:
    """A Markdown table; empty cells where a row lacks a column."""
    if not rows:
        return "none"
    line = lambda cells: "| " + " | ".join(map(str, cells)) + " |"
    body = [line("" if row.get(c) is None else row[c] for c in columns) for row in rows]
    return "\n".join([line(columns), line("---" for _ in columns), *body])


def words(row: Row) -> str:
    """The figures of a row in one line."""
    return ", ".join(f"{k} {v}" for k, v in row.items() if k not in ("job", "at_s"))
