"""Training: optimizers, schedule, average, devices, the step, the loop, checkpoints, logs."""
