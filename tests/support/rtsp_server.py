"""A real RTSP server on loopback that shows files again and again, to be killed and started again.

with RtspServer(folder) as server:
    server.url("door.mp4")
    server.kill(); server.start()
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, sys
import aio_rtsp_toolkit.server as server
asyncio.run(server.serve(sys.argv[1], host="127.0.0.1", port=int(sys.argv[2])))
"""


class RtspServer:
    """A server of the files in a folder, as a process of its own. Without the package the test is skipped."""

    def __init__(self, folder: Path) -> None:
        pytest.importorskip("aio_rtsp_toolkit", reason="no RTSP server: aio-rtsp-toolkit is not installed")
        self.folder, self.port, self._process = folder, _free_port(), None

    def url(self, name: str) -> str:
        return f"rtsp://127.0.0.1:{self.port}/{name}?play_count=0"

    def start(self) -> None:
        command = [sys.executable, "-c", PROGRAM, str(self.folder), str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while not _answers(self.port):
            assert time.monotonic() < end and self._process.poll() is None, "the RTSP server does not start"
            time.sleep(0.05)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> RtspServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False
