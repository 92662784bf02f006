"""Test that a damaged metrics.csv is noticed and put aside, and that missing rows are."""

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
