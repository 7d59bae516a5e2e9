"""Training runs: resolving the config, building the trainer, fitting, and finalizing the model."""
