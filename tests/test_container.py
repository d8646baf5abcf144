"""The Containerfile: what a machine without a container engine can say about it.

Its build steps are executed in a folder (slow). Not executed: the base image, useradd, USER and the
compose file's limits, which need an engine.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request

import pytest
import yaml

from sleepjax.commands import serve
from tests.support.project import PROJECT


def instructions() -> list[tuple[str, str]]:
    """(instruction, arguments) in order, with continued lines joined."""
    text = (PROJECT / "Containerfile").read_text()
    text = re.sub(r"^#.*\n", "", text, flags=re.M).replace("\\\n", " ")
    return [
        (word, rest.strip())
        for word, _, rest in (x.partition(" ") for x in text.splitlines())
        if word
    ]


def stages() -> list[list[tuple[str, str]]]:
    """The instructions of each stage, from its FROM on."""
    found: list[list[tuple[str, str]]] = []
    for one in instructions():
        if one[0] == "FROM":
            found.append([])
        if found:
            found[-1].append(one)
    return found


def test_it_is_slim_locked_and_not_root():
    build, final = stages()
    for stage in (build, final):
        assert "-slim" in stage[0][1]
    installs = [rest for word, rest in build if word == "RUN" and "pip install" in rest]
    assert installs and all("-c constraints.txt" in rest for rest in installs)
    assert ("USER", "10001") in final and ("STOPSIGNAL", "SIGTERM") in final
    assert not any("pip" in rest for word, rest in final if word == "RUN")
    sources = [name for word, rest in build if word == "COPY" for name in shlex.split(rest)[:-1]]
    assert all((PROJECT / name).exists() for name in sources)
    kept = {
        line[1:] for line in (PROJECT / ".containerignore").read_text().split() if line[0] == "!"
    }
    assert kept == set(sources)
    assert (PROJECT / ".dockerignore").read_text() == (PROJECT / ".containerignore").read_text()


def test_its_command_and_that_of_compose_are_understood(monkeypatch):
    _, final = stages()
    entry = json.loads(next(rest for word, rest in final if word == "ENTRYPOINT"))
    service = yaml.safe_load((PROJECT / "compose.yaml").read_text())["services"]["sleepjax"]
    seen = []
    monkeypatch.setattr(serve, "serve", lambda args: seen.append(args) or 0)
    assert entry[:2] == ["sleepjax", "serve"]
    assert serve.main([*entry[2:], *service["command"]]) == 0
    assert (seen[0].host, seen[0].port, seen[0].megabytes) == ("0.0.0.0", 8000, 200)
    assert ("EXPOSE", "8000") in final and service["ports"] == ["127.0.0.1:8000:8000"]
    assert service["build"]["dockerfile"] == "Containerfile"
    assert set(service["build"]["args"]) <= {
        rest.partition("=")[0] for word, rest in instructions() if word == "ARG"
    }
    assert float(service["stop_grace_period"][:-1]) > serve.GRACE
    health = next(rest for word, rest in final if word == "HEALTHCHECK")
    compile(json.loads(health.partition("CMD ")[2])[2], "HEALTHCHECK", "exec")


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_its_build_steps_make_a_service(tmp_path):
    """COPY, RUN, ENTRYPOINT and HEALTHCHECK, with /opt in a folder and this machine's Python."""
    build, final = stages()
    source, opt = tmp_path / "src", tmp_path / "opt"
    source.mkdir()
    opt.mkdir()
    here = {
        name: os.environ[name]
        for name in ("PIP_INDEX_URL", "PIP_CONFIG_FILE")
        if name in os.environ
    }
    environment = {
        "PATH": f"{os.path.dirname(sys.executable)}:/usr/bin:/bin",
        "HOME": str(tmp_path),
    } | here
    for word, rest in build:
        if word == "ARG":
            name, _, value = rest.partition("=")
            environment[name] = value
        elif word == "COPY":
            *names, to = shlex.split(rest)
            for name in names:
                copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
                copy(PROJECT / name, source / to if copy is shutil.copytree else source)
        elif word == "RUN":
            command = rest.replace("/opt/", f"{opt}/")
            done = subprocess.run(
                ["sh", "-c", command], cwd=source, env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{command}\n{done.stderr[-2000:]}"
    shutil.rmtree(source)
    entry = json.loads(next(rest for word, rest in final if word == "ENTRYPOINT"))
    program = [str(opt / "sleepjax" / "bin" / entry[0]), "serve", "--port", "0"]
    started = subprocess.Popen(
        program,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert started.stdout is not None
        url = started.stdout.readline().strip()
        health = json.loads(next(r for w, r in final if w == "HEALTHCHECK").partition("CMD ")[2])[2]
        until = time.monotonic() + 300
        while True:
            try:
                exec(health.replace("http://127.0.0.1:8000", url), {"urllib": urllib})
                break
            except OSError:
                assert started.poll() is None and time.monotonic() < until
                time.sleep(1)
    finally:
        started.terminate()
        assert started.wait(60) == 0
        assert started.stdout is not None
        started.stdout.close()
