"""Test that the workflows of a forge run the commands of `.ci/run`, and those that CONTRIBUTING.md names."""

import re

from helpers.guides import ROOT

CHECKS = ("ruff", "pyright", "mkdocs")
"""Programs of the checks that are no tests."""


def steps(name):
    """Return the commands of a workflow, `- run: COMMAND`, in order."""
    return re.findall(r"^ +- run: (.*)$", (ROOT / ".github" / "workflows" / name).read_text(), re.MULTILINE)


def lines_of_ci_run():
    """Return the lines of `.ci/run`, without the option that makes pip quiet."""
    return [line.replace("pip install -q", "pip install") for line in (ROOT / ".ci" / "run").read_text().splitlines()]


def test_checks_of_the_workflow_are_those_of_ci_run():
    ours = [line for line in lines_of_ci_run() if line.startswith(CHECKS)]
    assert len(ours) >= 3
    assert [step for step in steps("ci.yml") if step.startswith(CHECKS)] == ours


def test_workflow_installs_what_ci_run_installs():
    installed = [step for step in steps("ci.yml") if step.startswith("pip")]
    jobs = (ROOT / ".github" / "workflows" / "ci.yml").read_text().count("runs-on:")
    assert len(set(installed)) == 2 and installed == installed[:2] * jobs
    assert set(installed) <= set(lines_of_ci_run())


def test_tests_of_the_workflows_are_the_quick_part_and_all():
    rest = [step for step in steps("ci.yml") if not step.startswith(("pip", *CHECKS))]
    assert rest == ['python -m pytest -m "not slow"']
    assert steps("nightly.yml") == [".ci/run"]


def test_hook_before_a_commit_runs_the_release_of_ruff_that_the_checks_run():
    hook = re.search(r"rev: v(\S+)", (ROOT / ".pre-commit-config.yaml").read_text())[1]
    assert f'"ruff=={hook}"' in (ROOT / "pyproject.toml").read_text()


def test_contributing_names_every_check():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    checks = [step for step in steps("ci.yml") if not step.startswith("pip")]
    assert not [check for check in checks if check not in text]
