"""A local web page over a trained Glow, `python -m glow_tf.demo RUN` (extra `demo`)."""
