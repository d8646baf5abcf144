"""Units of time: ns, ticks of a tenth of a second, 5-second epochs, blocks of a quarter hour."""

from sleepjax.types import STEP_SECONDS

SECOND_NS = 1_000_000_000
TICK_NS = SECOND_NS // 10
EPOCH_NS = STEP_SECONDS * SECOND_NS
TICKS_PER_EPOCH = EPOCH_NS // TICK_NS
BLOCK_SECONDS = 900
EPOCHS_PER_BLOCK = BLOCK_SECONDS // STEP_SECONDS
