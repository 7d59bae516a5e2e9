"""Losses: the formula as a pure function, one number per pair, and a thin `keras.losses.Loss` around it."""
