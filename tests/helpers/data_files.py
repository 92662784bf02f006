"""Write data files as people have them, in every format, and read them."""

import types

import numpy as np
import pytest

from glow_tf.attributes import load_attributes
from glow_tf.config import DataConfig
from glow_tf.data import open_source, pipeline, tfds_source
from helpers.source_cases import SHAPE

IMAGES = np.random.default_rng(5).integers(0, 256, (12, *SHAPE), np.uint8)
LABELS = np.arange(12) % 3


def read(source, shape=SHAPE, **options):
    """Read all images of a source with their labels and attributes, in the order of its records."""
    config = DataConfig(source, **options)
    opened = open_source(config, shape)
    rows = np.unique(np.concatenate(list(opened.rows.values())))
    return pipeline.arrays(opened, "train", config, shape, rows=rows)


def npz(path, **arrays):
    np.savez(path / "a.npz", **arrays)
    return f"npz:{path / 'a.npz'}"


def lmdb(path, end, values):
    module = pytest.importorskip("lmdb", reason="the extra lmdb is not installed")
    with module.open(str(path / f"tower_{end}_lmdb"), map_size=1 << 22) as environment:
        with environment.begin(write=True) as transaction:
            for i, value in enumerate(values):
                transaction.put(f"key{i:02d}".encode(), value)
    return f"lsun-lmdb:{path / 'tower'}"


def tfds(monkeypatch, images, attributes=None):
    """Let TFDS hold a data set of these images."""
    records = [{"image": image} | ({} if attributes is None else {"attributes": attributes}) for image in images]
    features = {"image": None} | ({} if attributes is None else {"attributes": dict.fromkeys(attributes)})
    info = types.SimpleNamespace(features=features, full_name="stand_in/1.0.0")
    monkeypatch.setattr(tfds_source, "prepare_data_sources", lambda *_: (info, {"train": records, "test": records}))
    return "tfds:stand_in"


def attributes(path, names, directions=((1.0, 0.0), (0.0, 2.0))):
    np.savez(path / "d.npz", names=names, directions=np.array(directions, np.float32))
    return load_attributes(path / "d.npz", 2)
