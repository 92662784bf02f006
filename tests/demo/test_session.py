"""Test the functions behind the page, without a page."""

import shutil

import numpy as np
import pytest

from glow_tf.demo import directions, edits
from glow_tf.demo import session as session_module
from glow_tf.demo.directions import Directions
from glow_tf.demo.held_out_images import HeldOutImages
from glow_tf.demo.image_store import MAX_UPLOADED_IMAGES, ImageStore, StoredImage, UnknownImageError
from glow_tf.demo.session import open_session
from glow_tf.errors import DataError, GlowError
from glow_tf.evaluation import reconstruction
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.labeled_images import LabeledImages
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.interpolation import interpolate
from glow_tf.latents import flatten_latents, unflatten_latents
from helpers.source_cases import save_pictures


@pytest.fixture(scope="module")
def conditional_session(tiny_conditional_run):
    """Open the conditional run."""
    return open_session(tiny_conditional_run)


def assert_same(images, expected):
    """Check equality up to rounding at bin edges, since one of the two was computed in one graph."""
    difference = np.abs(np.asarray(images, int) - np.asarray(expected, int))
    assert difference.max() <= 16 and np.mean(difference > 0) <= 0.01, "4 bits: one level is 16"


def test_session_samples_match_the_model(session, conditional_session):
    assert_same(session.sample(5, 0.6, 3).images, session.model.sample(5, 0.6, seed=3))
    assert np.any(session.sample(5, 0.6, 3).images != session.sample(5, 0.6, 4).images)
    assert_same(
        conditional_session.sample(4, 0.6, 3, label=7).images,
        conditional_session.model.sample(4, 0.6, labels=7, seed=3),
    )
    assert_same(
        conditional_session.sample(12, 0.6, 3).images,
        conditional_session.model.sample(12, 0.6, labels=np.arange(12) % 10, seed=3),
    )


@pytest.mark.parametrize("which", ["session", "conditional_session"])
def test_session_blends_end_in_their_images(which, request):
    session = request.getfixturevalue(which)
    first, second = session.images.test_ids[0], session.images.test_ids[-1]
    blends = session.blend(first, second, [0.0, 0.5, 1.0]).images
    np.testing.assert_array_equal(blends[0], session.image(first))
    np.testing.assert_array_equal(blends[2], session.image(second))
    pair = [session.image(name)[None] for name in (first, second)]
    labels = [session.images.get(first).label] if which == "conditional_session" else None
    assert_same(blends, interpolate(session.model, *pair, 3, labels)[0])
    assert np.any(blends[1] != blends[0]) and np.any(blends[1] != blends[2])


def test_session_attributes_come_from_the_data(session):
    name = session.images.test_ids[0]
    session.directions.wait()
    assert session.directions.status() == {"state": "ready", "names": list("0123456789")}
    np.testing.assert_array_equal(session.move(name, {}).images[0], session.image(name))
    both = session.move(name, {"3": 0.5, "7": -0.5}).images
    assert np.any(both != session.move(name, {"3": 0.5}).images) and np.any(
        both != session.move(name, {"7": -0.5}).images
    )
    with pytest.raises(DataError, match="expected one of 0, 1"):
        session.move(name, {"smile": 1.0})


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ZeroDivisionError("secret"), "The attributes could not be computed (ZeroDivisionError); the terminal"),
        (MemoryError(), "The attributes could not be computed (MemoryError); the terminal"),
        (DataError("one.\nmore"), "one."),
    ],
)
def test_directions_that_cannot_be_computed_are_unavailable_and_say_why(session, monkeypatch, caplog, error, sentence):
    def fail(*_):
        raise error

    monkeypatch.setattr(directions, "read_labeled_images", fail)
    computed = Directions(context="data", encode=session.compiled.encode)
    computed.wait()
    assert computed.status()["state"] == "unavailable" and computed.status()["reason"].startswith(sentence)
    assert (type(error).__name__ in caplog.text) == (type(error) is not DataError)


@pytest.mark.parametrize("tags", [np.ones((5, 2), bool), np.zeros((5, 2), bool), np.zeros((0, 2), bool)])
def test_directions_without_images_on_both_sides_are_unavailable(session, monkeypatch, tags):
    images = np.zeros((len(tags), 8, 8, 1), np.uint8)
    labeled = LabeledImages(images, None, tags, ("Smiling", "Male"))
    monkeypatch.setattr(directions, "read_labeled_images", lambda *_: labeled)
    computed = Directions(context="data", encode=session.compiled.encode)
    computed.wait()
    expected = f"among {len(tags)} training images none of the 2 has both"
    assert computed.status()["state"] == "unavailable" and expected in computed.status()["reason"]


def test_directions_of_images_without_labels_name_the_way_to_have_some(session, tiny_run, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 8, 8, 1), np.uint8))
    context = open_context(TargetOptions(str(tiny_run), data=f"npy:{tmp_path / 'a.npy'}"))
    computed = Directions(context=context, encode=session.compiled.encode)
    computed.wait()
    assert "evaluate.py attributes: --folders WITH WITHOUT" in computed.status()["reason"]


def test_directions_of_which_no_thread_can_be_started_are_unavailable(session, monkeypatch):
    def fail(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", fail)
    computed = Directions(context="data", encode=session.compiled.encode)
    computed.wait()
    assert "can't start new thread" in computed.status()["reason"]


def test_directions_that_are_not_finite_are_unavailable(monkeypatch):
    labeled = LabeledImages(np.zeros((4, 8, 8, 1), np.uint8), None, np.eye(4, 2, dtype=bool), ("Smiling", "Male"))
    monkeypatch.setattr(directions, "read_labeled_images", lambda *_: labeled)
    computed = Directions(context="data", encode=lambda images, _: [np.full((len(images), 64), np.inf, np.float32)])
    computed.wait()
    assert "expected finite flat latents" in computed.status()["reason"] and computed.attributes is None


def test_session_attributes_come_from_a_file(session, tiny_run, tmp_path):
    z = np.random.default_rng(0).normal(size=(40, 64)).astype(np.float32)
    np.save(tmp_path / "z_manipulate.npy", z)
    from_file = open_session(tiny_run, attributes=tmp_path / "z_manipulate.npy")
    assert "Smiling" in from_file.directions.status()["names"]
    assert from_file.move("test-0", {"Smiling": 0.2, "Male": 0.1}).images.shape == (1, 8, 8, 1)
    np.save(tmp_path / "other.npy", z[:, :5])
    with pytest.raises(DataError, match="expected float directions"):
        open_session(tiny_run, attributes=tmp_path / "other.npy")


def test_session_redraws_the_chosen_levels(session):
    name = session.images.test_ids[2]
    expected = reconstruction.redraw_levels(session.model, session.image(name)[None], temperature=0.7, seed=5)
    for levels in ([], [0], [0, 1]):
        assert_same(session.redraw(name, levels, 0.7, 5, 1).images, expected[len(levels)].images)
    coarse = session.redraw(name, [1], 0.7, 5, 3).images
    assert coarse.shape == (3, 8, 8, 1) and np.any(coarse[0] != coarse[1])
    with pytest.raises(DataError, match="levels: expected 0 to 1, got 2"):
        session.redraw(name, [2], 0.7, 5, 1)


def test_session_stores_uploads(session, conditional_session):
    image = np.full((8, 8, 1), 77, np.uint8)
    name = session.add(session.own_image(image))
    assert name == session.add(session.own_image(image)) and np.all(session.image(name) == 64), "quantized to 4 bits"
    np.testing.assert_array_equal(session.blend(name, "test-0", [0.0]).images[0], session.image(name))
    assert conditional_session.add(conditional_session.own_image(image, 3)).endswith("-3")
    with pytest.raises(DataError, match="class: expected 0 to 9, got 10"):
        conditional_session.own_image(image, 10)
    with pytest.raises(UnknownImageError, match="choose it again"):
        session.image("own-nothing")


def test_pictures_that_were_used_last_are_kept():
    store = ImageStore(bits=8)
    pictures = np.arange(MAX_UPLOADED_IMAGES + 2, dtype=np.uint8).reshape(-1, 1, 1, 1)
    names = [store.add(StoredImage(picture)) for picture in pictures[:MAX_UPLOADED_IMAGES]]
    store.get(names[0])
    assert store.add(StoredImage(pictures[1])) == names[1]
    names += [store.add(StoredImage(picture)) for picture in pictures[MAX_UPLOADED_IMAGES:]]
    for name, picture in zip(names, pictures, strict=True):
        if name in names[2:4]:
            with pytest.raises(UnknownImageError):
                store.get(name)
        else:
            np.testing.assert_array_equal(store.get(name).image, picture)


def test_session_draws_a_sample_to_work_on(session, conditional_session):
    name = session.add(session.draw(0.6, 3))
    np.testing.assert_array_equal(session.image(name), session.sample(1, 0.6, 3).images[0])
    strengths = {"3": 0.5}
    session.directions.wait()
    z = flatten_latents([e.numpy() for e in session.model.sample_latents(1, 0.6, seed=3)])
    moved = unflatten_latents(session.directions.attributes.apply(z, strengths), session.model)
    assert_same(session.move(name, strengths).images, session.model.decode(moved))
    assert conditional_session.draw(0.6, 3, label=7).label == 7
    with pytest.raises(DataError, match="lower the temperature"):
        session.draw(1e9, 3)


def test_session_shortens_strengths_until_the_picture_is_one(session):
    session.directions.wait()
    moved = session.move("test-0", {"3": 20.0, "7": -40.0})
    assert 0 < moved.share < 1 and not moved.outside.any()
    ended = session.move("test-0", {"3": 20 * moved.share, "7": -40 * moved.share})
    assert ended.share == 1 and np.array_equal(ended.images, moved.images)
    further = moved.share + 1 / 60
    assert session.move("test-0", {"3": 20 * further, "7": -40 * further}).share < 1


def test_session_explains_a_picture_far_from_the_data(session, conditional_session):
    own = session.own_image(np.full((8, 8, 1), 160, np.uint8))
    test_bits = [edits.bits_per_dim(session.compiled, session.images.get(i)) for i in session.images.test_ids[:16]]
    noise = session.model.bits_per_dim(session.image("test-2")[None], noise=0.5)
    assert test_bits[2] == pytest.approx(float(noise[0]), rel=1e-4)
    for bits, far in ((np.max(test_bits), False), (9.0 + np.max(test_bits), True), (np.nan, True)):
        own.bits_per_dim = bits
        assert ("far from what the model has learned" in session.explain(own)) == far
    assert session.describe()["test_names"][0] == f"test image 1: {conditional_session.images.get('test-0').label}"
    assert conditional_session.describe()["test_labels"][0] == conditional_session.images.get("test-0").label


def test_session_rejects_invalid_classes(session, conditional_session):
    with pytest.raises(DataError, match="unconditional"):
        session.sample(1, 0.7, 0, label=1)
    with pytest.raises(DataError, match="expected 0 to 9, got -1"):
        conditional_session.sample(1, 0.7, 0, label=-1)


def test_session_opens_a_keras_file_without_data(tiny_run, tmp_path):
    open_context(tiny_run).model.save(tmp_path / "model.keras")
    session = open_session(tmp_path / "model.keras")
    assert session.name == "model"
    assert session.images.test_ids == [] and "start the page with --data" in session.data_error
    assert session.directions.status()["state"] == "unavailable"
    assert session.sample(2, 0.7, 0).images.shape == (2, 8, 8, 1)
    with pytest.raises(GlowError, match=r"There are no test images: folder:.*nothing: there is no folder"):
        open_session(tmp_path / "model.keras", data=f"folder:{tmp_path / 'nothing'}")
    for split in ("train", "test"):
        (tmp_path / "images" / split).mkdir(parents=True)
        save_pictures(tmp_path / "images" / split, np.zeros((4, 9, 12), np.uint8))
    (tmp_path / "images" / "test" / "0.png").write_bytes(b"no picture")
    session = open_session(tmp_path / "model.keras", data=f"folder:{tmp_path / 'images'}")
    assert len(session.images.test_ids) == 3, "resized, and the damaged one left out"


def test_session_has_the_whole_name_of_its_run_folder(tiny_run, tmp_path, monkeypatch):
    monkeypatch.chdir(shutil.copytree(tiny_run, tmp_path / "v1.2"))
    assert open_session(".").name == "v1.2"


def test_own_images_are_fitted_as_in_training_and_attributes_of_other_weights_are_named(tiny_run, monkeypatch):
    fits = []

    def read(context):
        fits.append(context.data.fit)
        raise DataError("no images")

    monkeypatch.setattr(session_module, "read_test_images", read)
    for data in ("bundled:digits", "npz:images.npz"):
        with pytest.raises(DataError, match="no images"):
            open_session(tiny_run, data=data)
    assert fits == ["exact", "resize"]
    with pytest.warns(UserWarning, match="attributes of digits are directions in .* has other weights"):
        assert open_session(tiny_run, attributes="digits").directions.status()["state"] == "ready"


def test_session_traces_one_graph_for_any_number_of_images(session):
    for count in (1, 3, 9):
        session.redraw("test-1", [0], 0.7, 0, count)
        session.sample(count, 0.5, 0)
    assert session.compiled.decode_graph.experimental_get_tracing_count() == 1
    assert session.compiled.encode_graph.experimental_get_tracing_count() == 1


@pytest.mark.parametrize(
    ("source", "noun"),
    [
        ("bundled:faces", "face"),
        ("tfds:celeb_a_hq/256", "face"),
        ("folder:data/CelebA", "face"),
        ("folder:surfaces", "picture"),
    ],
)
def test_image_of_a_source_of_faces_is_called_so(source, noun):
    assert HeldOutImages(np.zeros((0, 8, 8, 1), np.uint8), np.zeros(0, int), [], source).noun == noun
