"""What a run or a sweep says where it cannot write, and that it goes on to the same bits once it can."""

import os
import shutil
import subprocess
import sys

import pytest
from command import ROOT, environment, rows, write_config
from sweeping import table, written

pytestmark = pytest.mark.slow

# Permissions bind root as well, once it has given up the right to pass over them.
RIGHTS = "-dac_override,-dac_read_search"
WITHOUT_RIGHTS = [] if os.geteuid() else ["setpriv", f"--bounding-set={RIGHTS}", f"--inh-caps={RIGHTS}"]


def start(folder, script, workdir, prefix=()):
    """Runs `scripts/train.py` or `scripts/sweep.py` to its end, with the configuration of its name."""
    words = ["--config", script, "--workdir", workdir]
    command = [*prefix, sys.executable, str(ROOT / "scripts" / script), *words]
    arguments = {"cwd": folder, "env": environment(), "capture_output": True, "text": True, "timeout": 120}
    return subprocess.run(command, check=False, **arguments)


def outcome(script, folder):
    """What must be the same, whatever trouble there was on the way."""
    if script == "sweep.py":
        return table(folder)
    return rows(folder), (folder / "evaluation.json").read_text()


def last_line(failed):
    """The one line of a command that the machine's trouble has ended."""
    assert (failed.returncode, failed.stdout) == (5, "")
    assert "Traceback" not in failed.stderr
    (line,) = [line for line in failed.stderr.splitlines() if "error" in line.lower()]
    return line


def assert_goes_on(folder, script, workdir):
    """Once there is room and permission, the same command ends as one that met no trouble."""
    assert start(folder, script, workdir).returncode == 0
    assert outcome(script, folder / workdir) == outcome(script, folder / f"whole-{script}")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """A folder with a run and a sweep that met no trouble."""
    folder = tmp_path_factory.mktemp("runs")
    write_config(folder / "train.py")
    written(folder, axis='values("hparams.beta", 0.5, 2)', steps=40)
    for script in ("train.py", "sweep.py"):
        assert start(folder, script, f"whole-{script}").returncode == 0
    return folder


@pytest.mark.skipif(bool(WITHOUT_RIGHTS) and not shutil.which("setpriv"), reason="root may write everywhere")
def test_checkpoints_that_cannot_be_written_end_the_run_in_one_line(uninterrupted):
    """The writer is a thread of its own: what it meets ends the run, and leaves no thread that waits for ever."""
    checkpoints = uninterrupted / "x" / "checkpoints"
    checkpoints.mkdir(parents=True)
    checkpoints.chmod(0o500)
    line = last_line(start(uninterrupted, "train.py", "x", WITHOUT_RIGHTS))
    assert str(checkpoints) in line
    assert line.endswith("Permission denied")
    checkpoints.chmod(0o700)
    assert_goes_on(uninterrupted, "train.py", "x")


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone may mount a small disk")
@pytest.mark.parametrize(("script", "size"), [("train.py", "80k"), ("sweep.py", "32k"), ("sweep.py", "120k")])
def test_a_full_disk_ends_the_command_in_one_line(uninterrupted, script, size):
    disk = uninterrupted / f"disk-{script}-{size}"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        assert last_line(start(uninterrupted, script, f"{disk.name}/x")).endswith("No space left on device")
        subprocess.run(["mount", "-o", "remount,size=50m", disk], check=True)
        assert_goes_on(uninterrupted, script, f"{disk.name}/x")
    finally:
        subprocess.run(["umount", disk], check=True)
