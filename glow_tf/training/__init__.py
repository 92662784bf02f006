"""Training: the trainer, its step, optimizers, schedule, EMA of the weights, devices, checkpoints and logs."""
