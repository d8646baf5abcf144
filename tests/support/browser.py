"""Headless Chromium, spoken to through two pipes; no driver is needed."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest


class Browser:
    """One page; use as a context manager."""

    def __init__(self, url: str, profile: Path):
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        if program is None:
            pytest.skip("no chromium here: apt-get install -y chromium")
        theirs, self.to = os.pipe()
        self.of, back = os.pipe()
        as_three_and_four = f'exec "$0" "$@" 3<&{theirs} 4>&{back}'
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
        flags += [f"--user-data-dir={profile}", "--window-size=1000,1400"]
        self.process = subprocess.Popen(
            ["bash", "-c", as_three_and_four, program, *flags, url],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            pass_fds=(theirs, back),
        )  # fmt: skip
        os.close(theirs)
        os.close(back)
        self.number, self.heard, self.session = 0, b"", None
        self.events: list[dict] = []

    def ask(self, method: str, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.heard:
                part = os.read(self.of, 1 << 20)
                assert part, "chromium has ended"
                self.heard += part
            one, _, self.heard = self.heard.partition(b"\0")
            answer = json.loads(one)
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def __enter__(self) -> Browser:
        pages = self.ask("Target.getTargets")["targetInfos"]
        page = next(one["targetId"] for one in pages if one["type"] == "page")
        self.session = self.ask("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.to)
        os.close(self.of)

    def run(self, script: str):
        """The value of a script, awaited."""
        found = self.ask(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def choose(self, selector: str, path: Path) -> None:
        """Give a file to an input, as a person does."""
        expression = f"document.querySelector({json.dumps(selector)})"
        node = self.ask("Runtime.evaluate", expression=expression)["result"]["objectId"]
        self.ask("DOM.setFileInputFiles", files=[str(path)], objectId=node)

    def arrive(self, url: str) -> None:
        """Wait until the page is this one, and complete; it begins as an empty one."""
        while (
            self.run("`${document.readyState} ${location.href}`").rstrip("/") != f"complete {url}"
        ):
            time.sleep(0.05)

    def picture(self, path: Path) -> None:
        """Save what the page looks like."""
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot")["data"]))
