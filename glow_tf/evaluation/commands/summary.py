"""`report`: what `evaluate.py RUN` alone prints."""

from glow_tf.evaluation import likelihood, reconstruction
from glow_tf.evaluation.checks import at_least
from glow_tf.evaluation.progress import progress
from glow_tf.evaluation.subject import Target, open_subject
from glow_tf.pictures import sample_sheet, save_png, sheet

RECONSTRUCTED = 256
"""Test images that the reconstruction error is the largest of."""


def report(target: Target, draws: int = 4, images: int = 10):
    """A short report: test bits/dim, reconstruction error, pictures.

    Args:
        draws: Draws of the dequantisation noise.
        images: Images shown.
    """
    at_least(1, draws=draws, images=images)
    subject = open_subject(target)
    with progress(draws * subject.source.size("test"), "bits/dim") as bar:
        found = likelihood.measure(subject, draws=draws, bar=bar)
    originals, labels, _ = subject.arrays("test", max(images, RECONSTRUCTED))
    labels = subject.labels(labels)
    with progress(2 * len(originals), "reconstructing") as bar:
        back, error = reconstruction.reconstruct(subject.model, originals, labels, bar)
    few = slice(0, images)
    float_error = reconstruction.float_error(subject.model, originals[few], None if labels is None else labels[few])
    save_png(subject.out / "report_reconstructions.png", sheet({"image": originals[few], "decoded": back[few]}))
    save_png(subject.out / "report_samples.png", sample_sheet(subject.model))
    values = {**found.to_dict(), "reconstruction_error": error, "reconstruction_error_float": float_error}
    print(f"{subject.source.name}, {subject.test_images}, {subject.weights}")
    print(f"  bits/dim              {found.mean:.4f} +- {found.error_over_draws:.4f} over {draws} draws of the noise")
    print(f"  reconstruction error  {error} of 255 grey levels ({float_error:.1e} before quantisation)")
    print(f"  reconstructions       {subject.out / 'report_reconstructions.png'}")
    print(f"  samples               {subject.out / 'report_samples.png'}")
    print(f"  numbers               {subject.write_json('report.json', values)}")
    print("more: python evaluate.py --help")
