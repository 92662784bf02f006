"""Test that damaged, foreign and oversized files of arrays are refused in one sentence before they take memory."""

import io
import os
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from glow_tf import array_files
from glow_tf.array_files import ArrayArchive, read_array
from glow_tf.attributes import load_attributes
from glow_tf.config import DataConfig
from glow_tf.data import open_source
from glow_tf.errors import DataError
from glow_tf.latents import load_latents

IMAGES = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3), np.uint8)


def npy(array=IMAGES):
    data = io.BytesIO()
    np.save(data, array)
    return data.getvalue()


def npz(**arrays):
    data = io.BytesIO()
    np.savez_compressed(data, **(arrays or {"images": IMAGES}))
    return data.getvalue()


def with_shape(shape, dtype="|u1"):
    """Return a `.npy` file whose header promises another shape."""
    data = io.BytesIO()
    np.lib.format.write_array_header_1_0(data, {"descr": dtype, "fortran_order": False, "shape": shape})
    return data.getvalue() + bytes(100)


def flipped(data, position):
    return data[:position] + bytes([data[position] ^ 255]) + data[position + 1 :]


def encrypted(data):
    """Set the flag of encryption in the headers of an archive of one member."""
    content = bytearray(data)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    return bytes(content)


def archive_of(name, content):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(name, content)
    return data.getvalue()


DAMAGED = {
    "cut off": npy()[:1500],
    "cut off in the header": npy()[:50],
    "27 TiB": with_shape((30 * 2**40,)),
    "2^80": with_shape((2**40, 2**40)),
    "negative": with_shape((-1, 8)),
    "no header": b"\x93NUMPY\x01\x00" + struct.pack("<H", 40) + b"(" * 40,
    "objects": npy(np.array([{}], object)),
    "version 9": b"\x93NUMPY\x09\x00" + npy()[8:],
    "cut off archive": npz()[:1500],
    "cut off in the directory": npz()[:-30],
    "flipped byte in an archive": flipped(npz(), 3000),
    "objects in an archive": npz(images=np.array([{}], object)),
    "27 TiB in an archive": archive_of("images.npy", with_shape((30 * 2**40,))),
    "text in an archive": archive_of("images.npy", b"1,2,3\n"),
    "encrypted": encrypted(npz()),
    "empty": b"",
    "text": b"1,2,3\n4,5,6\n",
    "pickle": pickle.dumps([1, 2, 3]),
}


def read_all(path):
    """Read a file as whatever its first bytes say."""
    if array_files.file_kind(path) == array_files.NPY:
        read_array(path)
    else:
        with ArrayArchive(path) as archive:
            dict(archive)


@pytest.mark.parametrize("case", DAMAGED)
@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_damaged_file_is_refused_in_one_sentence(case, ending, tmp_path):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(DAMAGED[case])
    tracemalloc.start()
    with pytest.raises(DataError, match="cannot be read as arrays: ") as error:
        read_all(path)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
    assert str(error.value).count("cannot be read") == 1
    assert "\n" not in str(error.value) and "allow_pickle" not in str(error.value)
    for read in (lambda: open_source(DataConfig(f"{ending}:{path}"), (8, 8, 3)), lambda: load_attributes(path, 3)):
        with pytest.raises(DataError):
            read()


def test_whole_files_are_read(tmp_path):
    (tmp_path / "a.npy").write_bytes(npy())
    (tmp_path / "a.npz").write_bytes(npz(images=IMAGES, names=np.array(["a"])))
    np.testing.assert_array_equal(read_array(tmp_path / "a.npy"), IMAGES)
    with ArrayArchive(tmp_path / "a.npz") as archive:
        assert list(archive) == ["images", "names"]
        np.testing.assert_array_equal(archive["images"], IMAGES)
        assert archive["names"] == ["a"] and "b" not in archive and archive.get("b") is None
    np.save(tmp_path / "fortran.npy", np.asfortranarray(IMAGES))
    np.testing.assert_array_equal(read_array(tmp_path / "fortran.npy"), IMAGES)


def test_swapped_kinds_are_told(tmp_path):
    (tmp_path / "x.npz").write_bytes(npz())
    (tmp_path / "x.npy").write_bytes(npy())
    for source, advice in (
        (f"npy:{tmp_path}/x.npz", rf"is an archive of arrays \(.npz\); give npz:{tmp_path}/x.npz"),
        (f"npz:{tmp_path}/x.npy", rf"is one array \(.npy\); give npy:{tmp_path}/x.npy"),
    ):
        with pytest.raises(DataError, match=advice):
            open_source(DataConfig(source), (8, 8, 3))
    with pytest.raises(DataError, match="is an archive of arrays"):
        load_latents(tmp_path / "x.npz", None)


def test_archive_that_unpacks_to_far_more_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(array_files, "LARGE", 50_000)
    (tmp_path / "a.npz").write_bytes(npz(images=np.zeros([100, 32, 32, 1], np.uint8)))
    with pytest.raises(DataError, match="array 'images', cannot be read as arrays: its .* unpack to 102.5 kB"):
        open_source(DataConfig(f"npz:{tmp_path / 'a.npz'}"), (32, 32, 1))
    monkeypatch.setattr(array_files, "MAX_RATIO", 2000)
    assert open_source(DataConfig(f"npz:{tmp_path / 'a.npz'}"), (32, 32, 1)).size("train")


def test_array_larger_than_the_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(array_files, "_memory", lambda: 5000)
    (tmp_path / "a.npy").write_bytes(npy())
    with pytest.raises(DataError, match="it has 5.76 kB, this machine's memory 5 kB"):
        read_array(tmp_path / "a.npy")


@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_what_is_no_file_is_refused(kind, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, message in (("pipe", "not a regular file"), ("", "not a regular file"), ("none", "no such file")):
        with pytest.raises(DataError, match=message):
            open_source(DataConfig(f"{kind}:{tmp_path / name}"), (8, 8, 3))
    with pytest.raises(DataError, match="not a regular file"):
        open_source(DataConfig(f"{kind}:/dev/zero"), (8, 8, 3))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0])
def test_directions_that_lead_nowhere_are_refused(bad, tmp_path):
    directions = np.ones([2, 3], np.float32)
    directions[1] = bad
    np.save(tmp_path / "a.npy", directions)
    with pytest.raises(DataError, match="expected a finite direction that is not zero"):
        load_attributes(tmp_path / "a.npy", 3)
