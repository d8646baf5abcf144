"""Slow oracles of the models' convolutions and pools: plain loops over places and taps."""

import numpy as np


def frame_conv(x, kernel, bias, downsample):
    """Frame j is the inner product of the kernel with the steps around j*d + (d-1)/2.

    x [T,F], kernel [k,F,C] with k of the parity of d, bias [C]; steps beyond the ends are zeros.
    """
    steps, size = len(x), len(kernel)
    frames = []
    for j in range(-(-steps // downsample)):
        total = bias.astype(np.float64)
        for i in range(size):
            step = j * downsample + (downsample - size) // 2 + i
            if 0 <= step < steps:
                total = total + x[step] @ kernel[i]
        frames.append(total)
    return np.stack(frames)


def stem(x, kernel):
    """7x7 convolution, stride 2, padding 3: x [T,H,C], kernel [7,7,C,W]."""
    t, h, _ = x.shape
    out = np.zeros((-(-t // 2), -(-h // 2), kernel.shape[-1]))
    for i, j in np.ndindex(out.shape[:2]):
        for a, b in np.ndindex(7, 7):
            row, column = 2 * i + a - 3, 2 * j + b - 3
            if 0 <= row < t and 0 <= column < h:
                out[i, j] += x[row, column] @ kernel[a, b]
    return out


def max_pool(x, window):
    """Maximum over a window of 2 (2i, 2i+1) or 3 (2i-1, 2i, 2i+1) places: x [T] -> [ceil(T/2)]."""
    first = 0 if window == 2 else -1
    return np.array(
        [
            max(x[k] for k in range(i + first, i + first + window) if 0 <= k < len(x))
            for i in range(0, len(x), 2)
        ]
    )


def spectrum(x, height, rate):
    """Scaled dB of Hann-windowed Fourier power around every frame's centre: x [T,C] -> [T',H,C]."""
    size = max(2 * height - 1, rate)
    size += (size - rate) % 2
    window = np.array([np.cos(np.pi * (i - (size - 1) / 2) / (size + 1)) ** 2 for i in range(size)])
    window /= window.sum()
    out = np.zeros((-(-len(x) // rate), height, x.shape[1]))
    for j, h, c in np.ndindex(out.shape):
        first = j * rate - (size - rate) // 2
        total = 0j
        for i in range(size):
            if 0 <= first + i < len(x):
                wave = np.exp(2j * np.pi * i * 0.5 * h / (height - 1))
                total += x[first + i, c] * window[i] * wave
        out[j, h, c] = (10 * np.log10(abs(total) ** 2 + 1e-4) + 20) / 20
    return out


def recurrence(keep, add):
    """h[t] = keep[t] * h[t-1] + add[t] from 0."""
    states, h = [], np.zeros(add.shape[1:])
    for k, a in zip(keep, add, strict=True):
        h = k * h + a
        states.append(h)
    return np.array(states)


def local_attention(x, mask, params, window):
    """Every token attends to the real ones at most ``window`` away: x [B,T,W] -> [B,T,W]."""
    heads = params["bias"].shape[0]
    dense = lambda name, x: x @ params[name]["kernel"] + params[name]["bias"]
    q, k, v = (dense(name, x) for name in ("query", "key", "value"))
    out, size = np.zeros_like(x), x.shape[-1] // heads
    for b, i, n in np.ndindex(x.shape[0], x.shape[1], heads):
        part = slice(n * size, (n + 1) * size)
        near = [j for j in range(x.shape[1]) if abs(j - i) <= window and mask[b, j]]
        scores = [
            q[b, i, part] @ k[b, j, part] / np.sqrt(size) + params["bias"][n, j - i + window]
            for j in near
        ]
        weights = np.exp(scores) / np.exp(scores).sum()
        out[b, i, part] = sum(w * v[b, j, part] for w, j in zip(weights, near, strict=True))
    return dense("out", out)


def minimal_gru(x, mask, kernel, bias):
    """h = (1 - z) h + z c per direction, h = 0 at masked frames: x [B,T,C] -> [B,T,2W]."""
    width = kernel.shape[1] // 4
    out = np.zeros((*x.shape[:2], 2 * width))
    for b in range(len(x)):
        for direction in (0, 1):
            h = np.zeros(width)
            part = slice(2 * direction * width, 2 * (direction + 1) * width)
            for t in range(x.shape[1])[:: -1 if direction else 1]:
                gate, candidate = np.split((x[b, t] @ kernel + bias)[part], 2)
                z = 1 / (1 + np.exp(-gate))
                h = ((1 - z) * h + z * candidate) * mask[b, t]
                out[b, t, direction * width : (direction + 1) * width] = h
    return out
