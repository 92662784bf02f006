"""`encode`: images and their latents as files."""

from typing import Literal

from glow_tf import batched
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.file_names import file_suffix
from glow_tf.evaluation.options import ImageCount, progress_bar
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.fields import check_arguments
from glow_tf.io import save_array
from glow_tf.tables import format_table


@check_arguments
def encode(
    target: TargetOptions, *, split: Literal["train", "validation", "test"] = "test", limit: ImageCount | None = None
) -> None:
    """Write x.npy, uint8 images [n, H, W, C], and z.npy, their latents [n, D] in the original code's order.

    Args:
        target: The model, its data, and where the results go.
        split: Split of the images.
        limit: Encode only this number of images, the first ones.
    """
    context = open_context(target)
    images, labels, _ = context.arrays(split, limit)
    with progress_bar(len(images), "encoding") as bar:
        z = batched.encode(context.model, images, context.model_labels(labels), bar=bar)
    suffix = file_suffix(encode, split=split, limit=limit)
    rows: list[tuple[object, ...]] = [("file", "dtype", "shape")]
    for name, array in (("x", images), ("z", z)):
        path = context.out / f"{name}{suffix}.npy"
        save_array(path, array)
        rows.append((path, array.dtype, "x".join(map(str, array.shape))))
    print(format_table(rows, indent="  "))
    shapes = [list(shape) for shape in context.model.latent_shapes]
    values = {"split": split, "images": len(images), "latent_shapes": shapes}
    print(f"numbers: {context.write_json(f'encode{suffix}.json', values)}")
