"""What a run says where it cannot write, and that it goes on to the same bits once it can."""

import os
import shutil
import subprocess
import sys

import pytest
from command import ROOT, environment, rows, write_config

pytestmark = pytest.mark.slow

# Permissions bind root as well, once it has given up the right to pass over them.
RIGHTS = "-dac_override,-dac_read_search"
WITHOUT_RIGHTS = [] if os.geteuid() else ["setpriv", f"--bounding-set={RIGHTS}", f"--inh-caps={RIGHTS}"]


def train(folder, workdir):
    command = [*WITHOUT_RIGHTS, sys.executable, str(ROOT / "scripts" / "train.py"), "--config", "gan.py"]
    arguments = {"cwd": folder, "env": environment(), "capture_output": True, "text": True, "timeout": 120}
    return subprocess.run([*command, "--workdir", workdir], check=False, **arguments)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    write_config(folder / "gan.py")
    assert train(folder, "whole").returncode == 0
    return folder


@pytest.mark.skipif(bool(WITHOUT_RIGHTS) and not shutil.which("setpriv"), reason="root may write everywhere")
def test_checkpoints_that_cannot_be_written_end_the_run_in_one_line(uninterrupted):
    """The writer is a thread of its own: what it meets ends the run, and leaves no thread that waits for ever."""
    checkpoints = uninterrupted / "x" / "checkpoints"
    checkpoints.mkdir(parents=True)
    checkpoints.chmod(0o500)
    failed = train(uninterrupted, "x")
    assert (failed.returncode, failed.stdout) == (5, "")
    assert "Traceback" not in failed.stderr
    (line,) = [line for line in failed.stderr.splitlines() if line.startswith("error: ")]
    assert str(checkpoints) in line
    assert line.endswith("Permission denied")
    checkpoints.chmod(0o700)
    assert train(uninterrupted, "x").returncode == 0
    assert rows(uninterrupted / "x") == rows(uninterrupted / "whole")
    evaluations = [(uninterrupted / name / "evaluation.json").read_text() for name in ("x", "whole")]
    assert evaluations[0] == evaluations[1]
