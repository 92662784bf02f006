"""The sub-commands of `evaluate.py`: each takes its options as keywords, prints a short table, writes its files."""

import numpy as np

from glow_tf import presets
from glow_tf.evaluation import comparison, likelihood, neighbours, reconstruction
from glow_tf.evaluation.judge import judge as judge_samples
from glow_tf.evaluation.latent_commands import attributes, encode, interpolate
from glow_tf.evaluation.subject import EvaluationError, open_subject
from glow_tf.evaluation.tables import table
from glow_tf.pictures import TEMPERATURES, sample_sheet, save_png, sheet


def report(path: str, /, data: str | None = None, average: bool = False, draws: int = 4, images: int = 10):
    """The short report: test bits/dim, reconstruction error, pictures.

    Args:
        path: Run folder or .keras file.
        data: Source of the images, such as bundled:digits; a .keras file needs it.
        average: Evaluate the averaged weights.
        draws: Draws of the dequantisation noise.
        images: Images shown.
    """
    subject = open_subject(path, data, average)
    found = likelihood.measure(subject, draws=draws)
    originals, labels, _ = subject.arrays("test", 256)
    labels = subject.labels(labels)
    back, error = reconstruction.reconstruct(subject.model, originals, labels)
    float_error = reconstruction.float_error(subject.model, originals, labels)
    save_png(subject.out / "reconstructions.png", sheet({"image": originals[:images], "decoded": back[:images]}))
    save_png(subject.out / "samples.png", sample_sheet(subject.model))
    values = {**found.to_dict(), "reconstruction_error": error, "reconstruction_error_float": float_error}
    print(f"{subject.source.name}, {found.values.shape[1]:,} test images, {_weights(average)}")
    print(f"  bits/dim              {found.mean:.4f} +- {found.error_over_draws:.4f} over {draws} draws of the noise")
    print(f"  reconstruction error  {error} of 255 grey levels ({float_error:.1e} before quantisation)")
    print(f"  reconstructions       {subject.out / 'reconstructions.png'}")
    print(f"  samples               {subject.out / 'samples.png'}")
    print(f"  numbers               {subject.write_json('report.json', values)}")
    print("more: python evaluate.py --help")


def bits(path: str, /, data: str | None = None, draws: int = 8, limit: int | None = None, batch_size: int = 128):
    """Bits/dim on the test split: raw and averaged weights, standard errors, k-draw bound, shares by level.

    Args:
        path: Run folder or .keras file.
        data: Source of the images; a .keras file needs it.
        draws: Draws of the dequantisation noise, and k of the importance-weighted bound.
        limit: Only the first so many images.
        batch_size: Images at once; the result does not depend on it.
    """
    subject = open_subject(path, data)
    kinds = (False, True) if subject.experiment is not None else (False,)
    values, rows = {}, [("weights", "bits/dim", "+- draws", "+- images", f"{draws}-draw bound")]
    for average in kinds:
        model = subject.load(average)
        found = likelihood.measure(subject, model, draws=draws, batch_size=batch_size, limit=limit)
        originals, labels, _ = subject.arrays("test", 256)
        noise = np.random.default_rng(0).random(originals.shape, np.float32)
        shares = likelihood.by_level(model, originals, subject.labels(labels), noise)
        name = "averaged" if average else "raw"
        values[name] = {**found.to_dict(), "by_level": shares}
        numbers = (found.mean, found.error_over_draws, found.error_over_images, found.importance_weighted)
        rows.append((name, *(f"{v:.4f}" for v in numbers)))
    variant = f" ({subject.source.variant})" if subject.source.variant else ""
    print(f"{subject.source.name}{variant}, {found.values.shape[1]:,} test images")
    print(table(rows))
    print("by level, finest first: " + ", ".join(f"{v:.3f}" for v in values["raw"]["by_level"]))
    paper = presets.PAPER_BITS.get(subject.experiment.name) if subject.experiment is not None else None
    if paper:
        values["paper"] = paper
        print(f"the paper's number for {subject.experiment.name}: {paper} (raw weights, selected on the test split)")
    print(f"numbers: {subject.write_json('bits.json', values)}")


def samples(path: str, /, data: str | None = None, average: bool = False, columns: int = 10, seed: int = 0):
    """Sheets of samples: by temperature (by class where conditional), and beside the nearest training images.

    Args:
        path: Run folder or .keras file.
        data: Source of the training images; a .keras file needs it.
        average: Sample with the averaged weights.
        columns: Samples in a row.
        seed: Another seed, other samples.
    """
    subject = open_subject(path, data, average)
    model, classes = subject.model, subject.model.config.classes
    save_png(subject.out / "samples.png", sample_sheet(model, columns, seed=seed))
    print(f"by temperature {', '.join(f'{t:g}' for t in TEMPERATURES)}: {subject.out / 'samples.png'}")
    if classes:
        names = subject.source.class_names
        rows = {
            names[c]: model.sample(columns, 0.7, labels=np.full(columns, c), seed=(seed, c)).numpy()
            for c in range(min(classes, 20))
        }
        save_png(subject.out / "samples_by_class.png", sheet(rows, title="temperature 0.7"))
        print(f"by class, temperature 0.7: {subject.out / 'samples_by_class.png'}")
    labels = np.arange(columns) % classes if classes else None
    drawn = model.sample(columns, 0.7, labels=labels, seed=seed).numpy()
    near = neighbours.nearest(drawn, subject.arrays("train", 20_000)[0])
    rows = {"sample": drawn, **{f"nearest {i + 1}": near[:, i] for i in range(near.shape[1])}}
    save_png(subject.out / "nearest.png", sheet(rows, title="samples at 0.7, and the training images nearest to them"))
    print(f"beside their nearest training images: {subject.out / 'nearest.png'}")


def reconstruct(path: str, /, data: str | None = None, average: bool = False, images: int = 10, seed: int = 0):
    """Originals, reconstructions and the largest error; and what happens as the fine latents are drawn anew.

    Args:
        path: Run folder or .keras file.
        data: Source of the images; a .keras file needs it.
        average: Use the averaged weights.
        images: Images shown.
        seed: Of the drawn latents.
    """
    subject = open_subject(path, data, average)
    originals, labels, _ = subject.arrays("test", images)
    labels = subject.labels(labels)
    back, error = reconstruction.reconstruct(subject.model, originals, labels)
    replaced = reconstruction.redraw_levels(subject.model, originals, labels, seed=seed)
    levels = len(replaced) - 1
    rows = {"image": originals, "decoded": back}
    rows.update({f"finest {i} drawn" if i < levels else "all drawn": replaced[i] for i in range(1, levels + 1)})
    save_png(subject.out / "reconstructions.png", sheet(rows))
    print(f"largest error: {error} of 255 grey levels")
    print(f"pictures: {subject.out / 'reconstructions.png'}")


def compare(path: str, /, against: str, data: str | None = None, limit: int = 1000):
    """Histograms of the bits/dim of two data sets under the model, and the AUROC of telling them apart by it.

    Args:
        path: Run folder or .keras file.
        against: The other source, such as tfds:svhn_cropped; its images are resized to the model's.
        data: Source of the model's own images; a .keras file needs it.
        limit: Images of each, at most.
    """
    inside, outside = open_subject(path, data), open_subject(path, against)
    if inside.model.config.classes:
        raise EvaluationError("compare needs an unconditional model: the other data set has no labels of this one's.")
    found = {
        subject.data.source: likelihood.measure(subject, inside.model, draws=1, limit=limit).values[0]
        for subject in (inside, outside)
    }
    first, second = found.values()
    score = comparison.auroc(first, second)
    comparison.draw_histograms(inside.out / "comparison.png", found)
    values = {"auroc": score, "bits_per_dim": {name: float(v.mean()) for name, v in found.items()}}
    print(table([("source", "bits/dim"), *((name, f"{v.mean():.4f}") for name, v in found.items())]))
    print(f"AUROC {score:.3f} (the chance that an image of {against} has more bits/dim; 0.5 cannot tell)")
    print(f"histograms: {inside.out / 'comparison.png'}")
    print(f"numbers: {inside.write_json('comparison.json', values)}")


def judge(path: str, /, average: bool = False, temperature: float = 0.7, count: int = 500, seed: int = 0):
    """Does the condition act? A classifier trained on real training images names the class of conditional samples.

    Args:
        path: Run folder of a conditional model.
        average: Sample with the averaged weights.
        temperature: Of the samples.
        count: Samples.
        seed: Of the samples.
    """
    subject = open_subject(path, None, average)
    config = subject.model.config
    if not config.classes:
        raise EvaluationError(f"{path} is unconditional; the judge needs a model with classes.")
    verdict = judge_samples(subject, count, temperature, seed)
    print(f"L={config.levels}, weight_y={config.weight_y}, temperature {temperature:g}, {count} samples")
    print(
        table(
            [
                ("judged", "named rightly"),
                ("real test images", f"{verdict.real:.1%}"),
                ("samples", f"{verdict.samples:.1%}"),
                ("samples, labels shuffled", f"{verdict.shuffled:.1%}"),
            ]
        )
    )
    print(f"numbers: {subject.write_json('judge.json', verdict.to_dict())}")


COMMANDS = {
    c.__name__: c for c in (report, bits, samples, reconstruct, interpolate, attributes, compare, encode, judge)
}


def _weights(average):
    return "averaged weights" if average else "raw weights"
