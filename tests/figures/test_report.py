"""The report of a run: complete, self-contained, and right about what it says."""

import base64
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread

from sleepjax.evaluation.calibration import reliability
from sleepjax.figures import mistakes, report
from sleepjax.metrics import bootstrap, evaluate, resample
from tests.reference import calibration as oracle


def build(title, solution, events, **more):
    result = evaluate(solution, events)
    return report.build(title, solution, result, resample(result), **more)


class Page(HTMLParser):
    """Collects the text and every address a browser would fetch."""

    def __init__(self, text: str):
        super().__init__()
        self.addresses, self.images, self.tags, self.words = [], [], [], []
        self.alternatives = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.tags.append(tag)
        self.addresses += [v for k, v in attrs if k in ("src", "href", "srcset", "data", "action")]
        if tag == "img":
            self.images.append(named["src"])
            self.alternatives.append(named.get("alt"))

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def html(finished):
    return (finished.workdir / report.FILE).read_text()


def test_nothing_comes_from_elsewhere_and_every_image_decodes(html):
    page = Page(html)
    assert all(a.startswith(("data:", "#")) for a in page.addresses)
    assert not re.search(r"https?:|url\(|@import", html)
    assert not {"script", "iframe", "object", "embed"} & set(page.tags)
    assert len(page.images) >= 8 and all(page.alternatives)
    for source in page.images:
        kind, data = source.split(",", 1)
        assert kind == "data:image/png;base64"
        pixels = imread(io.BytesIO(base64.b64decode(data)), format="png")
        assert min(pixels.shape[:2]) > 100 and pixels.std() > 0.02


def test_it_says_what_the_run_found(html, finished):
    text = " ".join(Page(html).words)
    assert f"{finished.metrics['event_ap']:.3f}" in text and "Simulated data." in text
    for event in ("onset", "wakeup"):
        for tolerance in (12, 360):
            assert f"{finished.metrics[f'event_ap/{event}@{tolerance}']:.3f} (" in text
    run = json.loads((finished.workdir / "run.json").read_text())
    assert all(series_id in text for series_id in run["valid_series"])
    for part in ("Precision and recall", "Calibration", "How far off", "Surest false alarms"):
        assert part in text
    assert '"total_steps": 4' in text and run["versions"]["jax"] in text


def test_a_page_from_events_alone_and_hostile_names():
    solution = pl.DataFrame(
        {"series_id": ["<b>&"] * 2, "event": ["onset", "wakeup"], "step": [1000, 6000]}
    )
    events = pl.DataFrame(
        {"series_id": ["<b>&"], "event": ["onset"], "step": [1012], "score": [0.5]}
    )
    text = build("a <script>", solution, events)
    page = Page(text)
    assert not {"script", "b"} & set(page.tags)
    assert "a <script>" in page.words and any("<b>&" in word for word in page.words)
    assert not any("Simulated" in word for word in page.words)
    nothing = Page(build("empty", solution, events.clear()))
    assert "2 in all" in " ".join(nothing.words)


SCORED = (
    pl.DataFrame(
        {
            "series_id": ["a", "a", "a", "b"],
            "event": ["onset", "wakeup", "onset", "onset"],
            "step": [1000, 6000, 18_000, 500],
        }
    ),
    pl.DataFrame(
        {
            "series_id": ["a", "a", "a", "a", "b"],
            "event": ["onset", "onset", "wakeup", "onset", "onset"],
            "step": [1100, 1001, 9000, 18_300, 100],
            "score": [0.9, 0.2, 0.8, 0.3, 0.7],
        }
    ),
)


def test_mistakes_are_those_of_the_metric():
    result = evaluate(*SCORED)
    assert mistakes.false_alarms(result).rows() == [
        ("a", "wakeup", None, 9000.0, 0.8, None),
        ("b", "onset", None, 100.0, 0.7, None),
        ("a", "onset", None, 1001.0, 0.2, None),  # the event was taken by the surer one
    ]
    assert mistakes.misses(result).rows() == [
        ("a", "wakeup", 6000.0, None, None, None),
        ("b", "onset", 500.0, None, None, None),
    ]
    assert mistakes.offsets(result)["error"].to_list() == [300, 100]
    people = mistakes.participants(result)
    assert people["series_id"].to_list() == ["b", "a"]
    alone = evaluate(SCORED[0].filter(series_id="a"), SCORED[1].filter(series_id="a"))
    assert people["ap"].to_list() == [0, alone.ap]
    assert people["missed"].to_list() == [1, 1] and people["events"].to_list() == [1, 3]
    assert people["median_error"].to_list() == [None, 200 / 12]


def test_the_interval_of_the_report_is_that_of_the_metric():
    text = build("one", *SCORED)
    low, high = bootstrap(*SCORED).interval()
    assert f"{low:.3f} to {high:.3f}" in text


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=60), st.integers(1, 12))
def test_reliability_equals_counting(pairs, bins):
    probability = np.array([p for p, _ in pairs])
    outcome = np.array([o for _, o in pairs], bool)
    found = reliability(probability, outcome, bins)
    expected = oracle.reliability(pairs, bins)
    np.testing.assert_allclose(found.predicted, expected[0], equal_nan=True)
    np.testing.assert_allclose(found.observed, expected[1], equal_nan=True)
    assert found.count.tolist() == expected[2]
    np.testing.assert_allclose([found.brier, found.ece], expected[3:], equal_nan=True, atol=1e-12)


CHECK = """<script>
const bad = [...document.images].filter(i => !i.complete || i.naturalWidth === 0).length;
const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
document.body.innerHTML = `VERDICT ${bad} images failed, ${wide} px too wide`;
</script></body>"""


@pytest.mark.parametrize("width", [390, 1200])
def test_in_a_browser(html, tmp_path, width):
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    if browser is None:
        pytest.skip("no chromium here: the report is not opened in a browser")
    (tmp_path / "report.html").write_text(html.replace("</body>", CHECK))
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},800",
        "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}",
        "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=2000", "--dump-dom",
        f"file://{tmp_path / 'report.html'}",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "VERDICT 0 images failed, 0 px too wide" in done.stdout
    assert "CONSOLE" not in done.stderr


@pytest.mark.parametrize("event", ["onset", "wakeup"])
def test_labels_of_one_kind_only(event):
    solution, events = (frame.filter(event=event) for frame in SCORED)
    text = " ".join(Page(build("one kind", solution, events)).words)
    assert f"{evaluate(solution, events).ap:.3f}" in text
    nobody = reliability(np.zeros(0), np.zeros(0, bool))
    build("nothing known", solution, events, asleep=nobody)
