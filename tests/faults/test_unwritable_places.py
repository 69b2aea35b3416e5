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


def train(folder, workdir, prefix=()):
    command = [*prefix, sys.executable, str(ROOT / "scripts" / "train.py"), "--config", "gan.py", "--workdir", workdir]
    arguments = {"cwd": folder, "env": environment(), "capture_output": True, "text": True, "timeout": 120}
    return subprocess.run(command, check=False, **arguments)


def last_line(failed):
    """The one line of a command that the machine's trouble has ended."""
    assert (failed.returncode, failed.stdout) == (5, "")
    assert "Traceback" not in failed.stderr
    (line,) = [line for line in failed.stderr.splitlines() if "error" in line.lower()]
    return line


def assert_goes_on(folder, workdir):
    """Once there is room and permission, the same command ends as a run that met no trouble."""
    assert train(folder, workdir).returncode == 0
    assert rows(folder / workdir) == rows(folder / "whole")
    evaluations = [(folder / name / "evaluation.json").read_text() for name in (workdir, "whole")]
    assert evaluations[0] == evaluations[1]


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
    line = last_line(train(uninterrupted, "x", WITHOUT_RIGHTS))
    assert str(checkpoints) in line
    assert line.endswith("Permission denied")
    checkpoints.chmod(0o700)
    assert_goes_on(uninterrupted, "x")


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone may mount a small disk")
def test_a_full_disk_ends_the_run_in_one_line(uninterrupted):
    disk = uninterrupted / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=80k", "tmpfs", disk], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        assert last_line(train(uninterrupted, "disk/x")).endswith("No space left on device")
        subprocess.run(["mount", "-o", "remount,size=50m", disk], check=True)
        assert_goes_on(uninterrupted, "disk/x")
    finally:
        subprocess.run(["umount", disk], check=True)
