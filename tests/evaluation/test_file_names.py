"""Test that calls of a command with other options write other files."""

import ast
import inspect
import pathlib

import pytest

from glow_tf.evaluation import commands
from glow_tf.evaluation.file_names import file_suffix, file_word, own_files_suffix, shortened
from glow_tf.evaluation.options import PictureOptions
from glow_tf.evaluation.target_options import TargetOptions

ELSEWHERE = {"target", "pictures", "images", "label", "video"}
"""Parameters that are told by the folder, the ending, or the suffix of own images."""

IN_NO_NAME = {"batch_size", "save"}
"""Parameters on which no contents depend."""


@pytest.mark.parametrize(("name", "command"), commands.COMMANDS.items())
def test_every_option_of_a_command_is_told_by_the_names_of_its_files(name, command):
    tree = ast.parse(pathlib.Path(inspect.getsourcefile(inspect.unwrap(command))).read_text())
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and ast.unparse(n.func) == "file_suffix"]
    assert {ast.unparse(call.args[0]) for call in calls} == {name}
    told = {keyword.arg for call in calls for keyword in call.keywords}
    assert told == set(inspect.signature(command).parameters) - ELSEWHERE - IN_NO_NAME


def test_suffix_tells_what_is_not_at_its_default():
    suffixes = [
        file_suffix(commands.samples, seed=0, columns=10),
        file_suffix(commands.samples, seed=5, temperatures=(0.7, 1.0)),
        file_suffix(commands.samples, temperatures=(0.7000000001,)),
        file_suffix(commands.encode, split="train", limit=None),
        file_suffix(commands.attributes, names=("Smiling", "4"), folders=("with", "without")),
        file_suffix(commands.compare, against="tfds:svhn_cropped"),
        own_files_suffix(("cat.png", "dog.jpg"), 3),
    ]
    assert suffixes == [
        "",
        "_seed_5_temperatures_0.7_1",
        "_temperatures_0.7000000001",
        "_train",
        "_names_Smiling_4_folders_with_without",
        "_tfds_svhn_cropped",
        "_own_cat_png_dog_jpg_label_3",
    ]


def test_texts_that_differ_in_what_a_name_cannot_hold_have_other_words():
    texts = ["猫", "狗", "", "a" * 200, "b" + "a" * 199, "été", "àtà", "t", "my/cat.png", "my_cat.png", "my cat.png"]
    texts += ["hair:red", "hair_red"]
    words = [file_word(text) for text in texts]
    assert len(set(words)) == len(texts) and all(len(word) < 120 and word.isascii() for word in words)


def test_other_lists_of_texts_have_other_words():
    lists = [
        ("a b", "c"),
        ("a", "b c"),
        ("a_b", "c"),
        ("a", "b_c"),
        ("a", "b", "c"),
        ("a b c",),
        ("x/a b",),
        ("x/a", "b"),
    ]
    suffixes = [file_suffix(commands.attributes, folders=texts) for texts in lists]
    assert len(set(suffixes)) == len(lists) and suffixes[4] == "_folders_a_b_c"


def test_other_files_have_other_words_though_their_dots_are_replaced():
    paths = ["a.npz", "a_b.npz", "a", "a_b", "a_npz", "a_b_npz", "a.b.npz", "a b.npz", "a.b", "a_npz.npz", "a.npy"]
    suffixes = [file_suffix(commands.attributes, load=path) for path in paths]
    assert len(set(suffixes)) == len(paths) and suffixes[:4] == ["_a_npz", "_a_b_npz", "_a", "_a_b"]
    assert not any("." in suffix for suffix in suffixes)


def test_own_images_of_other_names_have_other_suffixes():
    names = ["my/cat.png", "my_cat.png", "my cat.png", "my.cat.png", "_my_cat.png", "cat.png", "cat.jpg"]
    suffixes = [own_files_suffix([name], None) for name in names]
    assert len(set(suffixes)) == len(names) and suffixes[1] == "_own_my_cat_png"
    names = [
        ("a_png_b.png",),
        ("a.png b.png",),
        ("x/a", "b.png"),
        ("x/a b.png",),
        ("a.png", "b.png"),
        ("a_png.png", "b.png"),
        ("a.png", "png_b.png"),
        ("a_PNG_b.png",),
    ]
    suffixes = [own_files_suffix(several, None).lower() for several in names]  # some disks do not tell A from a
    assert len(set(suffixes)) == len(names) and suffixes[4] == "_own_a_png_b_png"


def test_long_ends_are_shortened_to_names_that_a_file_system_takes():
    files = own_files_suffix([f"/home/me/{i}.png" for i in range(20)], 3)
    ends = [files, f"{files}_4", "_seed_5"]
    short = [shortened(end) for end in ends]
    assert len(set(short)) == 3 and short[2] == ends[2]
    assert len(f".1234567.attribute_{file_word('a' * 300)}{short[1]}_scale_4.png") < 255


@pytest.mark.slow
def test_calls_with_other_options_leave_each_others_files(tiny_run, tmp_path):
    target, times = TargetOptions(str(tiny_run), out=str(tmp_path)), {}
    for command, options in (
        (commands.encode, {}),
        (commands.encode, {"limit": 3}),
        (commands.encode, {"limit": 3, "split": "train"}),
        (commands.reconstruct, {"shown": 2}),
        (commands.reconstruct, {"shown": 2, "seed": 1}),
        (commands.reconstruct, {"shown": 2, "pictures": PictureOptions(scale=2)}),
    ):
        command(target, **options)
        assert all(path.stat().st_mtime_ns == time for path, time in times.items()), "a file was replaced"
        # The numbers do not depend on the size of the picture.
        times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir() if path.suffix != ".json"}
    assert len(times) == 3 * 2 + 3
