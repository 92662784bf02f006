"""Test that TF_CONFIG is understood, or refused in one sentence, and that machines that do not come are named."""

import json
import socket
import time
import warnings

import pytest
import tensorflow as tf

from glow_tf.errors import ConfigError, RunError
from glow_tf.training import cluster
from glow_tf.training.cluster import VARIABLE, Cluster, absent_machines_named, ended_machines_named, read_cluster
from helpers.stub_training import StubTrainer

WORKERS = ["one:7000", "two:7000"]


def described(addresses, **task):
    return json.dumps({"cluster": addresses, "task": task})


@pytest.mark.parametrize(
    ("text", "expected", "is_chief", "others"),
    [
        ("{}", Cluster({}), True, []),
        (described({"worker": WORKERS}, type="worker", index=0), Cluster({"worker": WORKERS}), True, ["two:7000"]),
        (described({"worker": WORKERS}, type="worker", index=1), None, False, ["one:7000"]),
        (described({"worker": WORKERS}, type="worker", index="1"), None, False, ["one:7000"]),
        (described({"chief": ["a:1"], "worker": WORKERS}, type="worker", index=0), None, False, ["a:1", "two:7000"]),
        (described({"chief": ["a:1"], "worker": WORKERS}, type="chief", index=0), None, True, WORKERS),
        (described({"worker": ["[::1]:7000"]}, type="worker", index=0), None, True, []),
    ],
)
def test_machines_are_read(text, expected, is_chief, others, monkeypatch):
    monkeypatch.setenv(VARIABLE, text)
    result = read_cluster()
    assert expected in (None, result)
    assert (result.is_chief, result.others) == (is_chief, others)


@pytest.mark.slow
def test_machine_with_a_task_and_no_cluster_writes_its_run(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, json.dumps({"task": {"type": "worker", "index": 1}}))
    trainer = StubTrainer(tmp_path / "run")
    trainer.train()
    assert trainer.chief and trainer.run.results and trainer.state.checkpoints.steps() == [0, 2, 4]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is not JSON"),
        ("{worker", "it is not JSON"),
        ("[" * 10**5, "it is not JSON"),
        ("null", "it is null"),
        ("[1]", r"it is \[1\]"),
        (json.dumps({"cluster": {"worker": WORKERS}}), "no task with type and index"),
        (described({"worker": WORKERS}, type="boss", index=0), "its task has type 'boss', the cluster has worker"),
        (described({"worker": WORKERS}, type="worker", index=2), "index 2, expected one of 0 to 1"),
        (described({"worker": WORKERS}, type="worker", index=-1), "index -1, expected one of 0 to 1"),
        (described({"worker": WORKERS}, type="worker", index="2"), "index 2, expected one of 0 to 1"),
        (described({"worker": WORKERS}, type="worker", index="x"), "index 'x', expected one of 0 to 1"),
        (described({"worker": WORKERS}, type="worker"), "index None"),
        (described({"worker": ["one", "two:7000"]}, type="worker", index=0), "expected host:port, got 'one'"),
        (described({"worker": ["one:99999"]}, type="worker", index=0), "expected host:port, got 'one:99999'"),
        (described({"worker": [7]}, type="worker", index=0), "expected host:port, got 7"),
        (described({"worker": "one:7000"}, type="worker", index=0), "no list of addresses for worker"),
        (described({"ps": WORKERS}, type="ps", index=0), "the type 'ps', expected chief and worker"),
        (described(WORKERS, type="worker", index=0), "its cluster is no object"),
        (described({"chief": WORKERS}, type="chief", index=0), "several chiefs"),
    ],
)
def test_bad_description_is_one_sentence(text, problem, monkeypatch):
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(ConfigError, match=f"TF_CONFIG does not describe machines: .*{problem}") as error:
        read_cluster()
    assert str(error.value).endswith("to train on one machine, unset it.") and "\n" not in str(error.value)


def test_end_of_another_machine_is_one_sentence():
    error = tf.errors.UnavailableError(None, None, "Collective ops is aborted")
    with pytest.raises(RunError, match="another machine has ended; see its message"):
        with ended_machines_named(Cluster({"worker": WORKERS})):
            raise error
    with pytest.raises(tf.errors.UnavailableError), ended_machines_named(Cluster({"worker": WORKERS[:1]})):
        raise error


def test_machine_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr(cluster, "SECONDS_BETWEEN_WARNINGS", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as here, socket.create_server(("127.0.0.1", 0)) as gone:
        answering, silent = (f"127.0.0.1:{server.getsockname()[1]}" for server in (here, gone))
        gone.close()
        machines = Cluster({"worker": ["127.0.0.1:1", answering, silent]})
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")  # Python's own filter, which shows a repeated warning once
            with absent_machines_named(machines):
                deadline = time.monotonic() + 30
                while sum("waiting for" in str(w.message) for w in caught) < 2 and time.monotonic() < deadline:
                    time.sleep(0.01)
    texts = [str(warning.message) for warning in caught if "waiting for" in str(warning.message)]
    assert len(texts) >= 2 and set(texts) == {
        f"waiting for {silent} (Connection refused); start the training there too"
    }
