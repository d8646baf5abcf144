"""From frames to steps: every frame lies at the centre of its steps."""

import jax.numpy as jnp
import numpy as np
import pytest

from sleepjax.objectives import to_steps


@pytest.mark.parametrize("downsample", [1, 2, 5, 12])
@pytest.mark.parametrize("n_steps", [60, 61, 65])
def test_frames_map_to_steps_at_their_centres(downsample, n_steps):
    n_frames = -(-n_steps // downsample)
    centres = np.arange(n_frames) * downsample + (downsample - 1) / 2
    line = jnp.asarray(centres[None, :, None], jnp.float32)
    steps = np.asarray(to_steps(line, n_steps, downsample))[0, :, 0]
    np.testing.assert_allclose(steps, np.interp(np.arange(n_steps), centres, centres), atol=1e-4)


def test_an_impulse_stays_where_it_is():
    frames = np.zeros((1, 10, 1), np.float32)
    frames[0, 4] = 1
    for d in (1, 2, 4, 6, 8, 12):
        steps = np.asarray(to_steps(jnp.asarray(frames), 10 * d, d))[0, :, 0]
        centre = (steps * np.arange(10 * d)).sum() / steps.sum()
        assert centre == pytest.approx(4 * d + (d - 1) / 2, abs=1e-3)
