"""`reconstruct`: reconstructions of test images, and the images with redrawn fine latents."""

import numpy as np

from glow_tf.evaluation import reconstruction
from glow_tf.evaluation.context import TargetOptions, open_context
from glow_tf.evaluation.options import ShownCount, Temperature, progress_bar
from glow_tf.fields import Seed32, check_arguments
from glow_tf.pictures import save_png, sheet
from glow_tf.tables import format_table


@check_arguments
def reconstruct(
    target: TargetOptions, *, images: ShownCount = 10, temperature: Temperature = 0.7, seed: Seed32 = 0
) -> None:
    """Reconstruct test images, measure the largest error, and draw the images with their fine latents redrawn.

    Args:
        target: The model, its data, and where the results go.
        images: Images shown and measured.
        temperature: Temperature of the redrawn latents.
        seed: Seed of the redrawn latents.
    """
    context = open_context(target)
    originals, labels, _ = context.arrays("test", images)
    labels, levels = context.model_labels(labels), context.model.config.levels
    with progress_bar((levels + 4) * len(originals), "reconstructing") as bar:
        decoded, error = reconstruction.reconstruct(context.model, originals, labels, bar=bar)
        redrawn = reconstruction.redraw_levels(
            context.model, originals, labels, temperature=temperature, seed=seed, bar=bar
        )
    names = ["none", *(f"finest {i}" for i in range(1, levels)), "all"]
    path = context.out / "reconstructions.png"
    redrawn_rows = [(f"{name} drawn", row) for name, row in zip(names[1:], redrawn[1:], strict=True)]
    save_png(path, sheet([("image", originals), ("decoded", decoded), *redrawn_rows]))
    changes = [float(np.abs(row.astype(float) - decoded).mean()) for row in redrawn]
    print(f"largest error of {len(originals)} images: {error} of 255 gray levels")
    rows = [(name, f"{change:.1f}") for name, change in zip(names, changes, strict=True)]
    print(format_table([("levels drawn anew", "mean change, gray levels"), *rows], indent="  "))
    print(f"pictures: {path}")
    values = {"largest_error": error, "images": len(originals), "change": dict(zip(names, changes, strict=True))}
    print(f"numbers:  {context.write_json('reconstructions.json', {**values, 'temperature': temperature})}")
