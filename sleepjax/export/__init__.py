"""Trained models as programs that need no sleepjax: StableHLO, and ONNX."""
