"""Glow (Kingma & Dhariwal, 2018) for Keras 3, TensorFlow and TensorFlow Probability."""
