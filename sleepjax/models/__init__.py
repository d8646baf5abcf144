"""Flax Linen models, put together from parts by a config's ``model`` group.

A model maps x [B,T,F] to (outputs float32, named intermediates); the outputs of most are logits
[B,T',K]. T' = ceil(T / downsample); frame j answers for steps [j*d, (j+1)*d). Any T passes, and no
parameter depends on it.
"""

from sleepjax.models.registry import DECODERS, EXTRACTORS, MODELS, build

__all__ = ["DECODERS", "EXTRACTORS", "MODELS", "build"]
