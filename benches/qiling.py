"""Runs a static Linux executable under Qiling 1.4.6 and prints how long the emulation took.

Usage: qiling.py x86_64|aarch64 EXECUTABLE. The last line of the output is `seconds: N`, or one sentence about why there is no figure.
Qiling comes from the package index by pip, into a virtual environment in the user's cache that later runs find again. Only the run
itself is timed: loading is not. Left out: everything but the time; the executable's own output precedes it.
"""

import os
import subprocess
import sys
import time
import venv
from pathlib import Path

VERSION = "1.4.6"
HOME = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / f"kettle-bench-qiling-{VERSION}"


def install():
    """The interpreter that has Qiling, or None after a sentence."""
    python = HOME / "bin" / "python"
    marker = HOME / "complete"
    if marker.exists():
        return python
    try:
        venv.create(HOME, with_pip=True, clear=True)
        # Qiling imports pkg_resources, which setuptools dropped in version 81.
        command = [python, "-m", "pip", "install", "--quiet", f"qiling=={VERSION}", "setuptools<81"]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=500)
    except (OSError, subprocess.SubprocessError) as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1]
        print(f"pip cannot install qiling=={VERSION}: {reason}")
        return None
    marker.touch()
    return python


def measure(isa, executable):
    """Inside the virtual environment: the run."""
    from qiling import Qiling
    from qiling.const import QL_ARCH, QL_VERBOSE

    root = Path(executable).parent
    arch = {"x86_64": QL_ARCH.X8664, "aarch64": QL_ARCH.ARM64}[isa]
    ql = Qiling([executable], str(root), verbose=QL_VERBOSE.OFF)
    assert ql.arch.type == arch, f"the executable is not for {isa}"
    start = time.perf_counter()
    ql.run()
    print(f"seconds: {time.perf_counter() - start:.3f}", flush=True)


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "--inside":
        measure(*sys.argv[2:])
        return
    if len(sys.argv) != 3:
        sys.exit("usage: qiling.py x86_64|aarch64 EXECUTABLE")
    python = install()
    if python is None:
        return
    # Isolated, because this file has the name of the package that it imports.
    run = subprocess.run([python, "-I", __file__, "--inside", *sys.argv[1:]], capture_output=True, text=True)
    print(run.stdout, end="")
    if run.returncode != 0:
        print(f"Qiling fails: {(run.stderr.strip().splitlines() or ['no reason given'])[-1]}")


if __name__ == "__main__":
    main()
