"""One window of labelled nights as a batch."""

import jax.numpy as jnp
import numpy as np

from sleepjax.data.labels import make_labels
from sleepjax.data.recording import Recording
from sleepjax.data.windows import gather_batch
from sleepjax.types import SeriesMeta

D = 4
"""Steps in a frame."""


def window(nights, start=0, steps=400, total=4000, downsample=D):
    """A batch of one window, made as training makes it."""
    import polars as pl

    rows = [
        {"series_id": "s", "night": i + 1, "event": event, "step": step}
        for i, night in enumerate(nights)
        for event, step in zip(("onset", "wakeup"), night, strict=True)
    ]
    schema = {"series_id": pl.String, "night": pl.Int64, "event": pl.String, "step": pl.Int64}
    labels = make_labels(pl.DataFrame(rows, schema=schema), total)
    meta = SeriesMeta("s", total, 0, 0, ((0, 0),), {})
    x = {"x": np.zeros(total, np.float32)}
    one = Recording(meta, np.ones(total, bool), features=x, labels=labels)
    batch = gather_batch([(one, start)], steps, downsample)
    return {k: jnp.asarray(v) for k, v in batch.items()} | {"mask": jnp.ones(batch["mask"].shape)}
