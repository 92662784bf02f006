"""The page: `python -m glow_tf.demo RUN` draws, blends and changes images in the browser (extra `demo`)."""
