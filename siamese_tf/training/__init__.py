"""Training: objectives, input pipeline, augmentation, callbacks, and the one function that owns the journey."""
