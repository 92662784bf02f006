"""`judge`: does the class condition act?"""

from glow_tf.evaluation.checks import EvaluationError, at_least, finite
from glow_tf.evaluation.judge import judge_samples
from glow_tf.evaluation.progress import progress
from glow_tf.evaluation.subject import Target, open_subject
from glow_tf.evaluation.tables import table
from glow_tf.pictures import save_png, sheet
from glow_tf.runs import Run
from glow_tf.training.logs import MetricsTable

SHOWN = 20
"""Classes of the picture, and samples of each, at most."""


def judge(target: Target, temperature: float = 0.7, count: int = 500, seed: int = 0):
    """Does the condition act? A classifier trained on real training images names the class of conditional samples.

    Labels act through the top prior alone, as in the original: the fewer the levels, the more of the latents they
    reach. "Labels shuffled" are the very same samples with their labels in a random order.

    Args:
        temperature: Of the samples.
        count: Samples, evenly of all classes.
        seed: Of the samples.
    """
    at_least(1, count=count)
    at_least(0, temperature=temperature, seed=seed)
    finite("temperature", [temperature])
    subject = open_subject(target)
    config = subject.model.config
    if not config.classes:
        raise EvaluationError(f"{subject.path} is unconditional; the judge needs a model with classes.")
    with progress(count, "sampling") as bar:
        verdict = judge_samples(subject, count, temperature, seed, bar)
    steps = _steps(subject)
    names = subject.source.class_names
    groups = {names[c]: verdict.images[verdict.classes == c][:10] for c in range(min(config.classes, count, SHOWN))}
    title = f"by class, temperature {temperature:g}: {verdict.samples:.0%} named rightly"
    save_png(subject.out / "judge.png", sheet(groups, title=title))
    print(
        f"L={config.levels}, weight_y={config.weight_y:g}, {f'{steps:,}' if steps else 'unknown'} steps, "
        f"{subject.weights}; temperature {temperature:g}, {count} samples; labels act through the top prior alone"
    )
    rows = [
        ("judged", "named rightly"),
        ("real test images", f"{verdict.real:.1%}"),
        ("samples", f"{verdict.samples:.1%}"),
        ("samples, labels shuffled", f"{verdict.shuffled:.1%}"),
    ]
    print(table(rows))
    print(f"pictures: {subject.out / 'judge.png'}")
    values = {
        "levels": config.levels,
        "weight_y": config.weight_y,
        "steps": steps,
        "temperature": temperature,
        "count": count,
        "real": verdict.real,
        "samples": verdict.samples,
        "shuffled": verdict.shuffled,
        "by_class": dict(zip(names, verdict.by_class, strict=False)),
    }
    print(f"numbers:  {subject.write_json('judge.json', values)}")


def _steps(subject):
    """How many steps a run was trained; None where nothing says it."""
    if subject.experiment is None:
        return None
    rows = MetricsTable(Run(subject.path).metrics_path).rows()
    return int(rows[-1]["step"]) if rows else None
