"""The service answers what the package finds, refuses in one line, and keeps nothing."""

import asyncio
import hashlib
import io
import re
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl
import pytest
from fastapi.testclient import TestClient

import sleepjax
from sleepjax import release
from sleepjax.serve import work
from sleepjax.serve.admission import Admission
from sleepjax.serve.app import create_app
from sleepjax.serve.limits import Limits
from sleepjax.types import InputError
from tests.reference.series import rows

COLUMNS = ["timestamp", "anglez", "enmo"]


@pytest.fixture(scope="module")
def predictor():
    return sleepjax.load()


@pytest.fixture(scope="module")
def service(predictor):
    """A client of the service, for at most 6 MB and 20 days."""
    app = create_app(predictor, Limits(megabytes=6, days=20, streams=2, seconds=60))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def recording():
    return sleepjax.simulate(series=1, days=2, seed=5)[0]


def csv(frame):
    return frame.write_csv().encode()


def upload(client, data, name="mine.csv", **form):
    return client.post("/v1/recordings", files={"file": (name, data)}, data=form)


def test_a_file_is_answered_with_windows_events_and_a_picture(service, predictor, recording):
    packed = io.BytesIO()
    recording.write_parquet(packed)
    expected = predictor.windows(recording).to_dicts(), predictor.predict(recording).to_dicts()
    for data, name in ((csv(recording), "mine.CSV"), (packed.getvalue(), "mine.parquet")):
        answer = upload(service, data, name, picture="true")
        assert answer.status_code == 200, answer.text
        (found,) = answer.json()["recordings"]
        assert (found["windows"], found["events"]) == expected
        assert found["picture"].startswith("data:image/png;base64,iVBOR")
        assert "SIMULATED" in answer.json()["model"]
        made = answer.json()["provenance"]
        assert made["inputs"][0]["sha256"] == hashlib.sha256(data).hexdigest()
        assert made["weights"][0]["sha256"] == release.digest(predictor.members[0].variables)
        assert "in 1 wrist-accelerometer recording" in made["methods"]


@pytest.mark.slow
def test_windows_of_the_real_recording_are_those_of_the_package(service, predictor, real_recording):
    answer = upload(service, real_recording.read_bytes(), "week.parquet")
    (found,) = answer.json()["recordings"]
    expected = predictor.windows(pl.read_parquet(real_recording)).to_dicts()
    assert found["windows"] == expected and len(expected) >= 7


def test_samples_are_answered_as_a_file_is(service, predictor, recording):
    sent = {"series_id": "mine"} | recording.select(COLUMNS).head(2_000).to_dict(as_series=False)
    answer = service.post("/v1/samples", json=sent)
    (found,) = answer.json()["recordings"]
    alone = recording.head(2_000).with_columns(series_id=pl.lit("mine"))
    assert found["events"] == predictor.predict(alone).to_dicts() and found["picture"] is None
    sent["enmo"] = sent["enmo"][:-1]
    answer = service.post("/v1/samples", json=sent)
    assert answer.status_code == 422
    assert answer.json()["error"] == (
        "the columns must be of equal length: timestamp 2000, anglez 2000, enmo 1999."
    )


def test_a_recording_that_cannot_be_used_is_named_and_the_others_are_answered(service):
    wrong = rows(900, "wrong").with_columns(pl.col("enmo") * 1000 + 50)
    answer = upload(service, csv(pl.concat([rows(900, "right"), wrong]))).json()
    assert [one["series_id"] for one in answer["recordings"]] == ["right"]
    assert re.search("upload.csv: series 'wrong': .* divide enmo by 1000", answer["refused"][0])


def test_recordings_beyond_the_days_of_a_request_are_counted(service):
    """Each of many short ones costs a prediction, for which others would wait."""
    answer = upload(service, csv(pl.concat([rows(3, f"s{i:02}") for i in range(25)]))).json()
    assert [one["series_id"] for one in answer["recordings"]] == [f"s{i:02}" for i in range(20)]
    assert answer["refused"] == [
        "upload.csv: 5 recordings are left out: a request holds at most 20 days, each recording "
        "counted as one at least. Send fewer at once."
    ]


@pytest.mark.parametrize(
    ("data", "name", "status", "text"),
    [
        (csv(rows(9).drop("enmo")), "a.csv", 422, "upload.csv: column 'enmo' is missing"),
        (csv(rows(9)), "a.txt", 422, "the name of the file must end in one of .gt3x, .bin"),
        (csv(rows(9)), "", 422, "file: |body.file"),
        (b"", "a.csv", 422, "upload.csv: the file is empty"),
        (b"\x1f\x8b123", "a.csv", 422, "it is compressed .gzip.; unpack it first"),
        (b"PAR1 nothing", "a.parquet", 422, "upload.parquet: "),
        (b"PK\x03\x04", "a.gt3x", 422, "upload.gt3x: it is a zip archive"),
        (csv(rows(9, timestamp=["noon"] * 9)), "a.csv", 422, "timestamp 'noon' cannot be read"),
        (csv(rows(3, seconds=1e6)), "a.csv", 422, "spans 23 days; at most 20"),
        (csv(rows(30, timestamp=["2020-01-01T00:00:00"] * 30)), "a.csv", 422, "no UTC offset"),
        (b"x" * 6_100_000, "a.csv", 413, "the request has more than 6 MB; send a shorter"),
    ],
    ids=str,
)
def test_bad_files_are_refused_in_one_line(service, data, name, status, text):
    answer = upload(service, data, name)
    error = answer.json()["error"]
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert re.search(text, error) and "\n" not in error and "/" not in error.split("upload")[0]


def test_other_bad_requests_are_one_line_too(service):
    error = lambda answer, status: answer.status_code == status and answer.json()["error"]
    json = {"content-type": "application/json"}
    assert "JSON" in error(service.post("/v1/samples", content=b"{", headers=json), 422)
    assert "Field required" in error(service.post("/v1/samples", json={}), 422)
    assert error(service.get("/nowhere"), 404) == "Not Found"
    assert error(service.put("/v1/samples"), 405) == "Method Not Allowed"
    body = (b"x" * 100_000 for _ in range(80))  # no length is announced
    answer = service.post("/v1/samples", content=body, headers=json)
    assert "more than 6 MB" in error(answer, 413)


def test_names_and_contents_of_users_are_nowhere_afterwards(
    service, recording, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen = []
    check = lambda path, limits: seen.append(path)
    monkeypatch.setattr(work, "_check_unpacked", check)
    name = "../../home/Jane Doe/secret.csv"
    answers = [upload(service, csv(recording), name), upload(service, b"nonsense", name)]
    assert [answer.status_code for answer in answers] == [200, 422]
    assert not any(word in a.text for a in answers for word in ("Jane", "secret", str(tmp_path)))
    assert [path.name for path in seen] == ["upload.csv"] * 2
    assert not any(path.exists() for path in seen) and not list(tmp_path.iterdir())


def test_a_bug_is_one_line_with_a_key_of_the_log(service, monkeypatch, caplog):
    monkeypatch.setattr(work, "of_file", lambda *_: 1 / 0)
    answer = upload(service, b"1")
    assert answer.status_code == 500 and "ZeroDivision" not in answer.text
    key = re.search("the reason under (.{8})", answer.json()["error"])
    assert key and key[1] in caplog.text and "ZeroDivisionError" in caplog.text


def test_at_the_limit_it_refuses_and_goes_on_afterwards(predictor, monkeypatch):
    go, begun = threading.Event(), threading.Semaphore(0)

    def slow(*_):
        begun.release()
        go.wait(60)
        raise InputError("waited")

    monkeypatch.setattr(work, "of_file", slow)
    app = create_app(predictor, Limits(at_once=1, waiting=1, seconds=60))
    with TestClient(app) as client, ThreadPoolExecutor(2) as pool:
        first = [pool.submit(upload, client, b"1") for _ in range(2)]
        begun.acquire(timeout=60)
        until = time.monotonic() + 60
        while app.state.service.observed.registry.get_sample_value(
            "sleepjax_requests_in_progress"
        ) < 2 and time.monotonic() < until:  # fmt: skip
            time.sleep(0.01)
        refused = upload(client, b"1")
        assert refused.status_code == 503 and refused.headers["retry-after"] == "10"
        assert refused.json()["error"] == (
            "2 requests are being worked on or waiting; try again in a while."
        )
        assert client.get("/health").status_code == 200
        go.set()
        assert [one.result().status_code for one in first] == [422, 422]
        assert upload(client, b"1").status_code == 422


def test_an_answer_that_takes_too_long_is_given_up(predictor, monkeypatch):
    go = threading.Event()
    monkeypatch.setattr(work, "of_file", lambda *_: go.wait(60))
    app = create_app(predictor, Limits(seconds=60))
    with TestClient(app) as client:
        object.__setattr__(app.state.service.limits, "seconds", 0.2)
        answer = upload(client, b"1")
        go.set()
    assert answer.status_code == 504
    assert answer.json()["error"].startswith("no answer within 0.2 seconds")


def test_a_request_that_does_not_arrive_is_given_up():
    """Which a test client cannot send: headers, and then nothing."""

    async def unheard(message: Any) -> None:
        raise AssertionError(message)

    async def app(scope, receive, send):
        await receive()

    async def nothing() -> Any:
        await asyncio.sleep(60)

    guard = Admission(app, Limits(seconds=0.1))
    scope = {"type": "http", "method": "POST", "headers": []}
    with pytest.raises(Exception, match="did not arrive within 0.1 seconds"):
        asyncio.run(guard(scope, nothing, unheard))
    assert guard.inside == 0


# ---- streams


def test_a_stream_is_that_of_the_package(service, predictor, recording):
    opened = service.post("/v1/streams", json={"series_id": "mine", "latency": 15}).json()
    own = sleepjax.Stream(predictor, "mine", latency=15.0)
    assert opened["minutes"] == own.minutes
    key = opened["key"]
    for first in (0, 300, 600):
        part = recording[first : first + 300].select(COLUMNS)
        answer = service.post(f"/v1/streams/{key}/samples", json=part.to_dict(as_series=False))
        update = own.push(part)
        found = answer.json()
        for name in ("live", "final"):
            expected = getattr(update, name).drop("series_id")
            got = pl.DataFrame(
                {c: found[name][c] for c in expected.columns}, schema=expected.schema
            )
            assert got.equals(expected)
    assert len(update.live) and not found["events"] and not found["windows"]
    late = recording.head(3).select(COLUMNS).to_dict(as_series=False)
    answer = service.post(f"/v1/streams/{key}/samples", json=late)
    assert answer.status_code == 422 and "push samples in order of time" in answer.json()["error"]
    now = service.get(f"/v1/streams/{key}", params={"picture": True}).json()
    assert now["events"] == own.so_far().events.to_dicts() and now["picture"]

    state = service.get(f"/v1/streams/{key}/state").content
    assert state == own.to_bytes()
    again = service.post("/v1/streams/restore", content=state).json()["key"]
    assert service.get(f"/v1/streams/{again}/state").content == state
    answer = service.post("/v1/streams", json={})
    assert answer.status_code == 429
    assert answer.json()["error"].startswith("2 streams are open, as many as may be")
    for one in (key, again):
        assert service.delete(f"/v1/streams/{one}").status_code == 204
        assert service.get(f"/v1/streams/{one}").status_code == 404
    for content in (b"PK", state[:-4]):
        answer = service.post("/v1/streams/restore", content=content)
        assert answer.status_code == 422 and "saved stream" in answer.json()["error"]


def test_idle_streams_make_room(predictor):
    app = create_app(predictor, Limits(streams=1))
    with TestClient(app) as client:
        old = client.post("/v1/streams", json={}).json()["key"]
        app.state.service.sessions.open[old].used -= 49 * 3600
        assert client.post("/v1/streams", json={}).status_code == 201
        assert client.get(f"/v1/streams/{old}").status_code == 404


# ---- what operators see


def test_health_readiness_metrics_and_description(predictor):
    app = create_app(predictor)
    before = TestClient(app)  # not started
    assert before.get("/health").status_code == 200
    assert before.get("/ready").status_code == 503
    with TestClient(app) as client:
        assert client.get("/ready").json()["status"] == "ready"
        upload(client, csv(rows(900)))
        client.get("/any/thing/1")
        client.get("/any/thing/2")
        text = client.get("/metrics").text
        paths = client.get("/openapi.json").json()["paths"]
        assert client.get("/docs").status_code == 200
    assert 'sleepjax_requests_total{method="POST",path="/v1/recordings",status="200"} 1.0' in text
    assert 'sleepjax_requests_total{method="GET",path="other",status="404"} 2.0' in text
    for name in ("sleepjax_request_seconds_bucket", "sleepjax_streams", "process_resident_memory"):
        assert name in text
    assert "sleepjax_steps_total 907.0" not in text and "/any" not in text
    assert {"/v1/recordings", "/v1/samples", "/v1/streams", "/health", "/ready"} <= set(paths)
    assert "413" in paths["/v1/recordings"]["post"]["responses"]
