"""A new Debian in a folder, with what README asks for and nothing else."""

from __future__ import annotations

import ast
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from tests.missing import cannot_have

# The last one only for backups. On Debian python3-venv is a package of its own.
PACKAGES = ("python3", "python3-venv", "make", "postgresql-client")
READER = "reader"
HOME = f"/home/{READER}"
CHROOT = "/usr/sbin/chroot"
FROM_HERE = (Path("/etc/resolv.conf"), Path("/etc/hosts"))


class Chroot:
    """``home`` is the reader's folder, as seen from outside."""

    def __init__(self, folder: Path) -> None:
        if not (program := shutil.which("debootstrap", path="/usr/sbin:/usr/bin")):
            cannot_have("A new Debian", "debootstrap is not installed")
        self._root, self._pip = folder, _of_pip()
        suite, mirror = _archive()
        done = subprocess.run(
            [
                program,
                "--variant=minbase",
                f"--include={','.join(PACKAGES)}",
                suite,
                folder,
                mirror,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            cannot_have("A new Debian", done.stdout[-2000:])
        subprocess.run([CHROOT, folder, "useradd", "--create-home", READER], check=True)
        self.home = folder / HOME.lstrip("/")

    def words(self, script: str, *, where: Path) -> list[str]:
        """What runs ``script`` as the reader in the folder ``where``, below ``home``. Its mounts are
        seen by it alone, and go with the last process that it has started."""
        inside = Path("/", where.relative_to(self._root))
        mounts = [
            f"mount -t proc proc {self._root}/proc",
            f"mount --rbind /dev {self._root}/dev",
            *(self._bind(path) for path in (*FROM_HERE, *_paths(self._pip.values()))),
        ]
        entered = f"cd {inside}\n{script}"
        shell = f"bash -euo pipefail -c {shlex.quote(entered)}"
        chroot = f"exec {CHROOT} --userspec={READER} {self._root} {shell}"
        return ["unshare", "--mount", "sh", "-c", " && ".join([*mounts, chroot])]

    @property
    def environment(self) -> dict[str, str]:
        return {
            **self._pip,
            "HOME": HOME,
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
        }

    def processes(self) -> list[int]:
        """Those that run in it."""
        root, found = self._root.stat(), []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if os.path.samestat((process / "root").stat(), root):
                    found.append(int(process.name))
        return found

    def kill_all(self) -> None:
        for process in self.processes():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def own(self, folder: Path) -> None:
        """The reader may write there."""
        inside = f"/{folder.relative_to(self._root)}"
        words = [CHROOT, str(self._root), "chown", "--recursive", READER, inside]
        subprocess.run(words, check=True)

    def _bind(self, path: Path) -> str:
        """Where it stands here. A mount needs something to stand on."""
        target = self._root / str(path).lstrip("/")
        if path.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
        return f"mount --bind {shlex.quote(str(path))} {shlex.quote(str(target))}"


def _archive() -> tuple[str, str]:
    """The suite of this Debian and where apt gets it from."""
    words = [
        "apt-get",
        "indextargets",
        "--format",
        "$(CODENAME) $(REPO_URI)",
        "Created-By: Packages",
    ]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        suite, mirror = done.stdout.splitlines()[0].split()
    except (OSError, subprocess.CalledProcessError, IndexError) as problem:
        cannot_have("A new Debian", problem)
    return suite, mirror


def _of_pip() -> dict[str, str]:
    """This machine's configuration of pip, as names and values of an environment."""
    words = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    found = (line.partition("=") for line in listed.splitlines())
    return {
        f"PIP_{name.split('.')[-1].replace('-', '_').upper()}": str(ast.literal_eval(value))
        for name, _, value in found
    }


def _paths(values: Iterable[str]) -> list[Path]:
    """Those that values name, alone or among others; of an index the folder that has its files too."""
    found = set()
    for word in (word for value in values for word in value.split()):
        path = Path(urlsplit(word).path)
        found.add(path.parent if word.startswith("file:") else path)
    return sorted(path for path in found if path.is_absolute() and path.exists())
