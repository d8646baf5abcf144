"""The command serves a page that shows the nights of a file, and stops when it is asked to."""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import httpx2
import pytest

import sleepjax
from tests.support.browser import Browser
from tests.support.project import PROJECT

pytestmark = pytest.mark.entry


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("recordings") / "my week.csv"
    sleepjax.simulate(series=1, days=3, seed=5)[0].write_csv(path)
    return path


@pytest.fixture(scope="module")
def started():
    """(address, process) of a service on a free port."""
    process = subprocess.Popen(
        [sys.executable, str(PROJECT / "scripts" / "serve.py"), "--port", "0"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    until = time.monotonic() + 200
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(f"{url}/ready", timeout=5)
            break
        except OSError:
            time.sleep(0.2)
    yield url, process
    process.kill()
    process.wait()
    process.stdout.close()


READ = """new Promise(done => {
  const seen = () => document.querySelector("#nights img, #status.error");
  if (seen()) done(document.body.innerText);
  new MutationObserver(() => seen() && done(document.body.innerText))
    .observe(document.body, {childList: true, subtree: true, attributes: true});
})"""


def test_the_page_shows_the_nights_of_a_file(started, recording, tmp_path):
    url, _ = started
    with Browser(url, tmp_path / "profile") as browser:
        browser.arrive(url)
        browser.choose("#file", recording)
        text = browser.run(READ)
        assert "main sleep" in text and "SIMULATED" in text and "3 days" in text
        rows = browser.run("document.querySelectorAll('#nights tbody tr').length")
        windows = sleepjax.load().windows(sleepjax.simulate(series=1, days=3, seed=5)[0])
        assert rows == len(windows) >= 2
        assert browser.run("document.querySelector('#nights img').naturalWidth") > 500
        picture = Path(os.environ.get("SLEEPJAX_SCREENSHOT") or tmp_path / "page.png")
        browser.picture(picture)
        assert picture.stat().st_size > 10_000

        wrong = tmp_path / "wrong.csv"
        wrong.write_text("a,b\n1,2\n")
        browser.choose("#file", wrong)
        browser.run("new Promise(r => setTimeout(r, 50))")
        assert "upload.csv" in browser.run(READ)

        asked = [e["params"]["request"]["url"] for e in browser.events
                 if e["method"] == "Network.requestWillBeSent"]  # fmt: skip
        outside = [one for one in asked if not one.startswith((url, "data:"))]
        assert asked and not outside
        faults = [e for e in browser.events if e["method"] == "Runtime.exceptionThrown"]
        assert not faults


def test_it_answers_what_was_begun_before_it_stops(started, recording):
    url, process = started
    answers = []

    def send():
        with recording.open("rb") as file:
            form = {"picture": "true"}
            answers.append(
                httpx2.post(f"{url}/v1/recordings", files={"file": file}, data=form, timeout=100)
            )

    thread = threading.Thread(target=send)
    thread.start()
    until = time.monotonic() + 60
    while "sleepjax_requests_in_progress 2.0" not in httpx2.get(f"{url}/metrics").text:
        assert time.monotonic() < until and thread.is_alive()
    process.send_signal(signal.SIGTERM)
    thread.join()
    assert answers[0].status_code == 200
    assert process.wait(60) == 0
