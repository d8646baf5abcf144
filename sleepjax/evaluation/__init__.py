"""Scores of models: event AP, out-of-fold, tuning of the post-processing, paired comparison."""
