"""Apply small mutations to `glow_tf/` and check that the tests detect each.

    python tests/mutations.py                       # apply all mutations; about half a minute each
    python tests/mutations.py actnorm-log-det-size  # apply mutations by name
    python tests/mutations.py --list                # list names, files and tests
    python tests/mutations.py --check               # check that the mutations still fit the code; run nothing
    python tests/mutations.py --root DIR --jobs 2   # apply to another checkout, two at a time

A mutation is a small mistake that a person could make. It is applied to a copy of the checkout, the tests that should
detect it run there until the first failure, and one line is printed: killed, SURVIVED (the tests passed), or error (the
mutation does not fit the code, or pytest could not run). The exit code is 0 if all were killed, else 1.

A kill means something only if the unmutated tests pass.
"""

import argparse
import concurrent.futures
import dataclasses
import importlib.util
import os
import pathlib
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
PYTEST = [sys.executable, "-m", "pytest", "-x", "-q", "-rfE", "--tb=short", "--color=no", "-p", "no:cacheprovider"]
TIMEOUT_SECONDS = 1800
"""Limit for the tests of one mutation."""


@dataclasses.dataclass(frozen=True)
class Mutation:
    """One change of one file, and the tests that must fail with it.

    Args:
        name: short, unique name.
        path: path of the file, relative to the root.
        old: text that occurs exactly once in the file.
        new: replacement of that text.
        tests: pytest arguments: files relative to the root, and options.
    """

    name: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]


MUTATIONS = (
    # Layers: log-determinants, gradients, orders, checks.
    Mutation(
        "actnorm-log-det-size",
        "glow_tf/layers/actnorm.py",
        "spatial_size(x) * self.log_scale_sum()",
        "self.log_scale_sum()",
        ("tests/layers/test_laws.py", "-k", "actnorm"),
    ),
    Mutation(
        "own-networks-trace-of-training-reused",
        "glow_tf/layers/shared_steps.py",
        "(method, training), call)",
        "(method, None), call)",
        ("tests/layers/test_own_networks.py",),
    ),
    Mutation(
        "own-networks-with-state-share-a-trace",
        "glow_tf/layers/own_networks.py",
        "if any(_has_state(network) for network in networks):",
        "if False:",
        ("tests/layers/test_own_networks.py", "-k", "with_state or equal_but"),
    ),
    Mutation(
        "refused-build-keeps-weights",
        "glow_tf/layers/refused_builds.py",
        "list.__setitem__(value, slice(None), copy)",
        "pass",
        ("tests/layers/test_checked_values.py",),
    ),
    Mutation(
        "convolutions-gradient-transpose",
        "glow_tf/layers/convolutions.py",
        "tf.matmul(dh_2, w_2, transpose_b=True)",
        "tf.matmul(dh_2, w_2)",
        ("tests/layers/test_fast_paths.py",),
    ),
    Mutation(
        "coupling-shift-and-scale-swapped",
        "glow_tf/layers/coupling.py",
        "shift, h = tf.unstack(",
        "h, shift = tf.unstack(",
        ("tests/test_parity.py",),
    ),
    Mutation(
        "flow-channels-unchecked",
        "glow_tf/layers/checked_values.py",
        " or v.shape[-1] != shape[-1]:",
        ":",
        ("tests/layers/test_laws.py", "-k", "squeeze"),
    ),
    Mutation(
        "statistics-between-chunks-dropped",
        "glow_tf/layers/statistics.py",
        "squares + rows_squares + between",
        "squares + rows_squares",
        ("tests/layers/test_fast_paths.py", "-k", "1-True"),
    ),
    Mutation(
        "glow-flow-prior-log-det-dropped",
        "glow_tf/layers/glow_flow.py",
        "return x, log_det + term",
        "return x, log_det",
        ("tests/layers/test_laws.py", "-k", "glow"),
    ),
    Mutation(
        "network-always-mixed",
        "glow_tf/layers/network.py",
        "(mixed_precision_active() and self.network_dtype) or",
        "self.network_dtype or",
        ("tests/layers/test_fast_paths.py", "-k", "bfloat16"),
    ),
    Mutation(
        "permutation-gradient-transpose",
        "glow_tf/layers/matrices.py",
        "transposed = tf.linalg.adjoint(inverse)",
        "transposed = inverse",
        ("tests/test_parity.py",),
    ),
    Mutation(
        "shared-steps-weights-of-the-first-step",
        "glow_tf/layers/shared_steps.py",
        "for v in step_weights(step)] for step in steps]",
        "for v in step_weights(steps[0])] for step in steps]",
        ("tests/layers/test_fast_paths.py", "-k", "steps_of_a_graph and shuffle"),
    ),
    Mutation(
        "step-log-det-of-the-convolution-dropped",
        "glow_tf/layers/step.py",
        "matrices, biases, log_scales + log_abs_det",
        "matrices, biases, log_scales",
        ("tests/layers/test_laws.py", "-k", "1x1 and additive"),
    ),
    # The model, its adapters, and what is written from it.
    Mutation(
        "bijector-stale-in-a-graph",
        "glow_tf/bijector_cache.py",
        "return None if _may_have_written(pair.graph, pair.operations) else pair.ildj",
        "return pair.ildj",
        ("tests/test_bijector_updates.py", "-k", "until_a_weight_is_written"),
    ),
    Mutation(
        "bijector-condition-not-in-the-key",
        "glow_tf/bijector_cache.py",
        "pair = self.pairs.get((side, _ids(value), _key(condition)))",
        "pair = next((p for k, p in self.pairs.items() if k[:2] == (side, _ids(value))), None)",
        ("tests/test_tfp_conditions.py", "-k", "condition_of_a_call"),
    ),
    Mutation(
        "event-shape-without-its-leading-axes",
        "glow_tf/event_shapes.py",
        "lead.concatenate(tf.TensorShape(s))",
        "tf.TensorShape(s)",
        ("tests/test_tfp_shapes.py", "-k", "event_shapes"),
    ),
    Mutation(
        "distributions-variance-for-deviation",
        "glow_tf/distributions/continuous_glow.py",
        "tfd.Normal(zeros, scale)",
        "tfd.Normal(zeros, scale**2)",
        ("tests/test_distributions.py",),
    ),
    Mutation(
        "model-cross-entropy-in-nats",
        "glow_tf/model.py",
        'terms["bits_y"] = cross_entropy / math.log(2.0)',
        'terms["bits_y"] = cross_entropy',
        ("tests/test_parity.py", "-k", "ycond"),
    ),
    Mutation(
        "quantization-rounds",
        "glow_tf/quantization.py",
        "tf.floor(",
        "tf.round(",
        ("tests/test_quantization.py",),
    ),
    Mutation(
        "likelihood-training-mean-of-one-replica",
        "glow_tf/likelihood_training.py",
        'tf.distribute.get_replica_context().all_reduce("sum", tf.reduce_sum(weight))',
        "tf.reduce_sum(weight)",
        ("tests/test_keras_fit.py", "-k", "mirrored"),
    ),
    Mutation(
        "unmade-parts-ignored",
        "glow_tf/layers/made_parts.py",
        "not isinstance(p, MadeParts) and _has_unmade_parts(p)",
        "False",
        ("tests/layers/test_made_parts.py",),
    ),
    Mutation(
        "whole-model-config-ignored",
        "glow_tf/weights_file.py",
        'if str(path).endswith(".keras"):\n            with',
        'if str(path).endswith("no"):\n            with',
        ("tests/test_weights_file.py", "-k", "whole_model"),
    ),
    Mutation(
        "config-epoch-rounded-down",
        "glow_tf/config/training.py",
        "math.ceil(ANCHOR_EPOCH / images)",
        "math.floor(ANCHOR_EPOCH / images)",
        ("tests/test_presets.py", "-m", "not slow"),
    ),
    Mutation(
        "presets-wrong-depth",
        "glow_tf/presets/likelihood.py",
        "depth=32,",
        "depth=48,",
        ("tests/test_presets.py", "-k", "cifar10 and not conditional"),
    ),
    Mutation(
        "io-file-not-atomic",
        "glow_tf/io.py",
        "        write(temporary)\n        os.replace(temporary, path)\n",
        "        write(path)\n",
        ("tests/test_runs.py",),
    ),
    Mutation(
        "attributes-length-not-squared",
        "glow_tf/attributes.py",
        "np.sum(np.square(self.directions), 1)",
        "np.linalg.norm(self.directions, axis=1)",
        ("tests/test_attributes.py",),
    ),
    Mutation(
        "pictures-gap-after-the-last-column",
        "glow_tf/pictures/images.py",
        "columns * (width + gap) - gap",
        "columns * (width + gap)",
        ("tests/test_pictures.py",),
    ),
    Mutation(
        "discrete-temperature-ignored",
        "glow_tf/distributions/discrete_glow.py",
        "tf.reduce_prod(lead), self._temperature, seed=seed)",
        "tf.reduce_prod(lead), float(self._temperature > 0), seed=seed)",
        ("tests/test_distributions.py",),
    ),
    Mutation(
        "export-temperature-ignored",
        "glow_tf/export/signatures.py",
        "tf.identity(count), temperature, seed=seed)",
        "tf.identity(count), seed=seed)",
        ("tests/test_saved_model.py",),
    ),
    Mutation(
        "quiet-stderr-stays-hidden",
        "glow_tf/cli/quiet.py",
        "os.dup2(saved, 2)",
        "os.dup2(2, saved)",
        ("tests/test_commands.py",),
    ),
    # Data.
    Mutation(
        "pipeline-noise-of-the-first-draw",
        "glow_tf/data/pipeline.py",
        "EVALUATION + draw, position)",
        "EVALUATION, position)",
        ("tests/data/test_pipeline.py",),
    ),
    Mutation(
        "labels-one-class-less",
        "glow_tf/data/labels.py",
        "return largest + 1",
        "return largest",
        ("tests/data/test_tfrecord.py",),
    ),
    Mutation(
        "images-last-crop-never",
        "glow_tf/data/images.py",
        "tf.cast(margin + 1, tf.float32)",
        "tf.cast(margin, tf.float32)",
        ("tests/data/test_images.py",),
    ),
    Mutation(
        "source-held-out-row-trains",
        "glow_tf/data/hold_out.py",
        "np.sort(order[count:])",
        "np.sort(order[count - 1 :])",
        ("tests/data/test_bundled.py",),
    ),
    # Training.
    Mutation(
        "checkpoints-oldest-first",
        "glow_tf/training/checkpoints.py",
        "for step in reversed(steps):",
        "for step in steps:",
        ("tests/training/test_checkpoints.py", "-k", "truncated or flipped"),
    ),
    Mutation(
        "checkpoints-restores-weights-that-are-not-finite",
        "glow_tf/training/checkpoints.py",
        "self._check_finite()\n",
        "pass\n",
        ("tests/training/test_damaged_checkpoints.py", "-k", "finite"),
    ),
    Mutation(
        "initial-weights-digest-not-compared",
        "glow_tf/training/initial_weights.py",
        "if record.digest not in (None, digest):",
        "if False:",
        ("tests/training/test_initial_weights.py", "-k", "without_a_checkpoint"),
    ),
    Mutation(
        "labels-of-renamed-classes-taken",
        "glow_tf/data/labels.py",
        "if differences:",
        "if False:",
        ("tests/training/test_split_records.py", "-k", "names_of_its_classes"),
    ),
    Mutation(
        "devices-mean-for-sum",
        "glow_tf/training/devices.py",
        "tf.distribute.ReduceOp.SUM",
        "tf.distribute.ReduceOp.MEAN",
        ("tests/training/test_replicas.py",),
    ),
    Mutation(
        "step-compiled-gradient-mean-of-replicas",
        "glow_tf/training/step.py",
        "norm, accepted = self.update(gradients,",
        "gradients = [g / self.strategy.num_replicas_in_sync for g in gradients] if self.stacked else gradients\n"
        "        norm, accepted = self.update(gradients,",
        ("tests/training/test_replicas.py", "-k", "compiled_by_xla"),
    ),
    Mutation(
        "step-compiled-terms-of-one-replica",
        "glow_tf/training/step.py",
        "means, gradients = all_reduce_sum(self.loss_and_gradients(batch))",
        "means, gradients = self.loss_and_gradients(batch)\n"
        "        gradients = all_reduce_sum(gradients)\n"
        "        means = means if self.stacked else all_reduce_sum(means)",
        ("tests/training/test_replicas.py", "-k", "compiled_by_xla"),
    ),
    Mutation(
        "agreement-mean-for-sum",
        "glow_tf/training/agreement.py",
        "tf.distribute.ReduceOp.SUM",
        "tf.distribute.ReduceOp.MEAN",
        ("tests/training/test_replicas.py", "-k", "weights_of_the_first"),
    ),
    Mutation(
        "agreement-sum-for-largest",
        "glow_tf/training/agreement.py",
        "tf.reduce_max(gathered)",
        "tf.reduce_sum(gathered)",
        ("tests/training/test_replicas.py", "-k", "agree_on_it"),
    ),
    Mutation(
        "fused-update-bias-uncorrected",
        "glow_tf/training/update_operations.py",
        "lr=scalars.learning_rate * tf.sqrt(1 - scalars.beta2_power)",
        "lr=scalars.learning_rate",
        ("tests/training/test_course.py",),
    ),
    Mutation(
        "step-infinite-gradient-taken",
        "glow_tf/training/fused_update.py",
        " & tf.math.is_finite(norm)",
        "",
        ("tests/training/test_course.py",),
    ),
    Mutation(
        "trainer-resumes-at-the-first-batch",
        "glow_tf/training/trainer.py",
        "start_step=self.state.steps",
        "start_step=0",
        ("tests/training/test_resume.py", "-k", "without_determinism"),
    ),
    Mutation(
        "session-exit-code-of-a-signal",
        "glow_tf/training/session.py",
        "return 128 + stopped",
        "return stopped",
        ("tests/training/test_resume.py", "-k", "after_a_signal"),
    ),
    # Evaluation.
    Mutation(
        "likelihood-counts-padding",
        "glow_tf/evaluation/likelihood.py",
        'values[gathered(batch["weight"]) > 0]',
        "values",
        ("tests/evaluation/test_likelihood.py", "-m", "not slow"),
    ),
    Mutation(
        "reconstruction-coarse-levels-redrawn",
        "glow_tf/evaluation/reconstruction.py",
        "[fresh[:, :end], z[:, end:]]",
        "[z[:, :end], fresh[:, end:]]",
        ("tests/evaluation/test_reconstruction.py",),
    ),
    Mutation(
        "context-ema-weights-are-raw",
        "glow_tf/evaluation/trained_model.py",
        "load_model(self.path, ema=ema)",
        "load_model(self.path)",
        ("tests/evaluation/test_reported_bits.py", "-k", "raw_and_ema"),
    ),
    # Checkpoints of the original code, and the demo page.
    Mutation(
        "convert-moments-swapped",
        "glow_tf/convert/openai_glow/checkpoint.py",
        "self._finite(self._slots[2 * i + 2]), self._finite(self._slots[2 * i + 1])",
        "self._finite(self._slots[2 * i + 1]), self._finite(self._slots[2 * i + 2])",
        ("tests/convert/test_training_resumes.py",),
    ),
    Mutation(
        "convert-smaller-factor-accepted",
        "glow_tf/convert/openai_glow/frozen_graph.py",
        "factor != LOG_SCALE_FACTOR",
        "factor > LOG_SCALE_FACTOR",
        ("tests/convert/test_frozen_graph.py", "-k", "actnorm_scale"),
    ),
    Mutation(
        "convert-steps-lost",
        "glow_tf/convert/openai_glow/writing.py",
        "counters.step.assign(checkpoint.steps())",
        "counters.step.assign(0)",
        ("tests/convert/test_training_resumes.py",),
    ),
    Mutation(
        "demo-one-too-many-waits",
        "glow_tf/demo/request_queue.py",
        "self._waiting >= self._max_waiting",
        "self._waiting > self._max_waiting",
        ("tests/demo/test_app.py",),
    ),
    Mutation(
        "demo-photographs-not-upright",
        "glow_tf/demo/uploads.py",
        "pixels(ImageOps.exif_transpose(image), bits)",
        "pixels(image, bits)",
        ("tests/demo/test_uploads.py",),
    ),
)


def find_problem(mutation, root):
    """Return a sentence that says why a mutation does not fit a checkout; an empty string if it fits."""
    absent = [p for p in (mutation.path, *mutation.tests) if p.endswith(".py") and not (root / p).is_file()]
    if absent:
        return f"there is no {' and no '.join(absent)} in {root}"
    text = (root / mutation.path).read_text()
    count = text.count(mutation.old)
    if count != 1:
        return f"expected the text {mutation.old!r} once in {mutation.path}, it occurs {count} times"
    try:
        compile(text.replace(mutation.old, mutation.new), mutation.path, "exec")
    except SyntaxError as error:
        return f"{mutation.path} is no Python any more: {error}"
    return ""


def copy_checkout(root, folder):
    """Copy the present files of a checkout, tracked ones and new ones, into a folder; return the folder."""
    # Without a new conftest.py, for example, tests would fail, which would look like a kill.
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    for name in names.split("\0"):
        if (root / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, folder / name)
    return folder


def run_tests(mutation, folder):
    """Apply a mutation to a copy of the checkout, run its tests there and undo it.

    Returns:
        The verdict ("killed", "SURVIVED" or "error"), and a detail of it, such as the first test that failed.
    """
    problem = find_problem(mutation, folder)
    if problem:
        return "error", problem
    file = folder / mutation.path
    without_workers = ["-n", "0"] if importlib.util.find_spec("xdist") else []
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    text = file.read_text()
    file.write_text(text.replace(mutation.old, mutation.new))
    try:
        command = [*PYTEST, *without_workers, *mutation.tests]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired:
        return "error", f"no end after {TIMEOUT_SECONDS} s"
    finally:
        file.write_text(text)
    if done.returncode == 0:
        return "SURVIVED", " ".join(mutation.tests)
    failed = re.search(r"^(?:FAILED|ERROR) (\S+\.py::.+?)(?: - |$)", done.stdout, re.MULTILINE)
    if done.returncode == 1 and failed:
        return "killed", failed[1]
    last = (done.stderr or done.stdout).strip().splitlines()[-1:]
    return "error", f"pytest ended with {done.returncode}: {' '.join(last)}"


def run_all(mutations, root, jobs):
    """Run the tests of mutations in copies of a checkout, several at a time.

    Args:
        mutations: list of `Mutation`.
        root: the checkout.
        jobs: number of copies, each of which runs the tests of one mutation at a time.

    Yields:
        The mutation, the verdict and its detail (see `run_tests`), and the seconds it took, in the order of the list.
    """
    copies = queue.SimpleQueue()

    def run_in_free_copy(mutation):
        folder, start = copies.get(), time.monotonic()
        try:
            return mutation, *run_tests(mutation, folder), time.monotonic() - start
        finally:
            copies.put(folder)

    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for i in range(jobs):
            copies.put(copy_checkout(root, pathlib.Path(folder) / f"copy_{i}"))
        yield from pool.map(run_in_free_copy, mutations)


def parse(arguments=None):
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="mutations to apply; all if none is given")
    parser.add_argument("--root", type=pathlib.Path, default=ROOT, help="checkout to mutate (default: this one)")
    parser.add_argument("--jobs", type=int, default=1, help="how many run at a time (default: 1)")
    parser.add_argument("--list", action="store_true", help="list the mutations and stop")
    parser.add_argument("--check", action="store_true", help="check that the mutations fit the code and stop")
    args = parser.parse_args(arguments)
    unknown = set(args.names) - {m.name for m in MUTATIONS}
    if unknown:
        parser.error(f"there is no mutation {', '.join(sorted(unknown))}; --list lists them")
    return args


def main():
    """Run the command line; return the exit code."""
    args = parse()
    chosen = [m for m in MUTATIONS if not args.names or m.name in args.names]
    if args.list:
        print("\n".join(f"{m.name:40} {m.path:40} {' '.join(m.tests)}" for m in chosen))
        return 0
    if args.check:
        problems = [f"{m.name}: {p}" for m in chosen if (p := find_problem(m, args.root))]
        print("\n".join([*problems, f"{len(chosen) - len(problems)} of {len(chosen)} mutations fit {args.root}"]))
        return 1 if problems else 0
    verdicts = []
    for mutation, verdict, detail, seconds in run_all(chosen, args.root, args.jobs):
        print(f"{mutation.name:40} {verdict:8} {seconds:5.0f} s  {detail}", flush=True)
        verdicts.append(verdict)
    print(f"{verdicts.count('killed')} of {len(verdicts)} killed")
    return 0 if all(verdict == "killed" for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
