"""Test that a damaged metrics.csv is noticed and put aside, and that missing rows are."""

import errno
import pathlib

import pytest

from glow_tf.errors import RunError
from glow_tf.metrics_table import MetricsTable

WHOLE = "epoch,step,bits_x\n1,4,3.25\n2,8,2.5\n"


@pytest.fixture
def table(tmp_path):
    (tmp_path / "metrics.csv").write_text(WHOLE)
    return MetricsTable(tmp_path / "metrics.csv")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        WHOLE[:-1].encode(),
        WHOLE.replace("2.5", "2.5,1").encode(),
        WHOLE.replace(",3.25", "").encode(),
        WHOLE.replace("3.25", "3.x5").encode(),
        WHOLE.replace("2,8", "2,").encode(),
        WHOLE.replace("2,8", "nan,8").encode(),
        WHOLE.replace("step", "stop").encode(),
        WHOLE.encode().replace(b"3", b"\xb3"),
        bytes(range(256)),
    ],
)
def test_damaged_table_is_put_aside_and_a_new_one_begins(content, table):
    table.path.write_bytes(content)
    with pytest.raises(RunError, match="metrics.csv is damaged"):
        table.rows()
    with pytest.warns(UserWarning, match="is damaged .* It is now metrics.csv.damaged, and a new table begins"):
        table.append({"epoch": 3, "step": 12, "bits_x": 2.0})
    assert table.path.read_text() == "epoch,step,bits_x\n3,12,2\n"
    aside = table.path.with_name("metrics.csv.damaged")
    assert aside.read_bytes() == content
    table.path.unlink()
    table.path.mkdir()
    with pytest.warns(UserWarning, match="It is now metrics.csv.damaged.2"):
        table.cut_back(0)
    assert aside.read_bytes() == content and not table.path.exists()


def test_rows_that_are_missing_are_named(table, recwarn):
    table.warn_of_missing_rows(2)
    assert not recwarn.list
    with pytest.warns(UserWarning, match="has no row of epoch 3, 4, 5, 6, 7, ...; training goes on without"):
        table.warn_of_missing_rows(9)
    table.path.unlink()
    with pytest.warns(UserWarning, match="has no row of epoch 1, 2; "):
        table.warn_of_missing_rows(2)


def test_table_without_rows_begins_where_training_does(table, recwarn):
    table.begin()
    assert table.path.read_text() == "epoch,step\n" and table.rows() == []
    table.warn_of_missing_rows(300)
    for epoch in (301, 302):
        table.append({"epoch": epoch, "step": 4 * epoch, "bits_x": 2.0})
    table.warn_of_missing_rows(302)
    table.cut_back(0)
    assert table.rows() == [] and not recwarn.list
    table.append({"epoch": 301, "step": 1204})
    with pytest.warns(UserWarning, match="has no row of epoch 302; "):
        table.warn_of_missing_rows(302)


def test_table_that_cannot_be_read_now_stays(table, monkeypatch):
    def fail(*_, **__):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "read_text", fail)
        for use in (table.rows, table.put_aside_if_damaged, lambda: table.append({"epoch": 3, "step": 12})):
            with pytest.raises(RunError, match="cannot read .*metrics.csv: Input/output error. Run the same command"):
                use()
    assert table.path.read_text() == WHOLE and len(list(table.path.parent.iterdir())) == 1
