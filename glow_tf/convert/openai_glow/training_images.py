"""Check that an imported run can be trained with its images: which they are cannot be changed when it is resumed."""

from glow_tf.config import Experiment
from glow_tf.data.images import check_shape
from glow_tf.data.tfds_builder import is_prepared
from glow_tf.errors import DataError, MissingPackageError
from glow_tf.training.batches import ExperimentBatches
from glow_tf.training.own_images import look_at


def check_training_images(experiment: Experiment) -> str:
    """Check that an experiment's images fit its model; look at some of them, as far as they are on this machine.

    Args:
        experiment: the experiment of the run.

    Returns:
        The reason why the images cannot be read here, or "" if they were checked.

    Raises:
        DataError: images have another size, or the source has no labels where the model is conditional.
        ConfigError: the source has another number of classes than the model.
    """
    data, image_shape = experiment.data, experiment.model.image_shape
    kind, _, where = data.source.partition(":")
    if kind == "tfds" and not is_prepared(where):
        return f"{data.source} is not prepared on this machine."
    try:
        shapes = look_at(data.source, image_shape).shapes
    except (DataError, MissingPackageError) as error:
        return str(error)
    for shape in shapes:
        check_shape(shape, image_shape, data)
    ExperimentBatches(experiment)
    return ""
