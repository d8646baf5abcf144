"""App: the addresses of the service."""

import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Annotated, Any

import numpy as np
import polars as pl
from fastapi import Body, FastAPI, File, Form, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from sleepjax import __version__, provenance
from sleepjax.live.stream import Stream
from sleepjax.live.update import Update
from sleepjax.local_time import timestamps
from sleepjax.predict import Predictor
from sleepjax.serve import answers, work
from sleepjax.serve.admission import Admission, Pool
from sleepjax.serve.limits import Limits
from sleepjax.serve.observed import Observed, Timed
from sleepjax.serve.sessions import Sessions
from sleepjax.types import InputError, SeriesMeta

REFUSALS: dict[int | str, dict[str, Any]] = {
    code: {"model": answers.Problem} for code in (404, 408, 413, 422, 429, 503, 504)
}
LOG = logging.getLogger("sleepjax.serve")
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; connect-src 'self'",
    "X-Content-Type-Options": "nosniff",
}


class Service:
    """What the addresses share."""

    def __init__(self, predictor: Predictor, limits: Limits):
        self.model, self.limits = work.Model(predictor, provenance.of_model(predictor)), limits
        self.observed, self.pool = Observed(), Pool(limits)
        self.sessions = Sessions(limits, self.observed.streams.set)
        self.ready = False

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Compile before the first request; end what was begun after the last."""
        await self.pool.run(warm_up, self.model)
        self.ready = True
        yield
        self.ready = False
        self.pool.threads.shutdown(wait=True, cancel_futures=True)


def warm_up(model: work.Model) -> None:
    """Compile the model, by a made-up hour, and draw a picture."""
    rows = np.arange(800)
    stamps = timestamps(SeriesMeta("warm", len(rows), 0, 1_577_880_000, ((0, 0),), {}), rows)
    signals = {"anglez": rows * 7.0 % 90, "enmo": 0.02 + rows % 5 / 100}
    frame = pl.DataFrame({"series_id": "warm", "step": rows, "timestamp": stamps} | signals)
    work.of_samples(model, Limits(), frame, None, True)


def create_app(predictor: Predictor, limits: Limits | None = None) -> FastAPI:
    """The service of a model."""
    limits = limits or Limits()
    service = Service(predictor, limits)
    app = FastAPI(
        title="sleepjax",
        version=__version__,
        description="When people fall asleep and wake up, from wrist accelerometers.",
        lifespan=service.lifespan,
    )
    app.state.service = service
    app.add_middleware(Admission, limits=limits)
    app.add_middleware(Timed, observed=service.observed)
    _add_errors(app)
    _add_state(app, service)
    _add_recordings(app, service)
    _add_streams(app, service)
    return app


def _add_errors(app: FastAPI) -> None:
    """One line of JSON for every error."""

    @app.exception_handler(InputError)
    async def unusable(request: Request, error: InputError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 422)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return JSONResponse({"error": f"{place}: {first['msg']}."}, 422)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        key = secrets.token_hex(4)
        LOG.error("error %s", key, exc_info=error)
        text = f"unexpected; the log of the service has the reason under {key}."
        return JSONResponse({"error": text}, 500)


def _add_state(app: FastAPI, service: Service) -> None:
    page = files("sleepjax.serve").joinpath("page.html").read_text(encoding="utf-8")

    @app.get("/", include_in_schema=False)
    async def root() -> HTMLResponse:
        return HTMLResponse(page, headers=PAGE_HEADERS)

    @app.get("/health")
    async def health() -> dict[str, str]:
        """The process lives."""
        return {"status": "alive", "version": __version__}

    @app.get("/ready", responses={503: {"model": answers.Problem}})
    async def ready() -> dict[str, str]:
        """The model is loaded and compiled."""
        if not service.ready:
            raise HTTPException(503, "the model is being loaded, or the service stops.")
        return {"status": "ready", "model": " ".join(service.model.predictor.warnings)}

    @app.get("/metrics")
    async def metrics() -> Response:
        """Metrics in the text format of Prometheus."""
        return Response(generate_latest(service.observed.registry), media_type=CONTENT_TYPE_LATEST)


def _add_recordings(app: FastAPI, service: Service) -> None:
    def counted(answer: dict[str, Any]) -> dict[str, Any]:
        for recording in answer["recordings"]:
            service.observed.steps.inc(round(recording["days"] * 17_280))
        return answer

    @app.post("/v1/recordings", responses=REFUSALS)
    async def recordings(
        file: Annotated[UploadFile, File(description="csv, parquet, .gt3x, .bin or .cwa")],
        tz: Annotated[str | None, Form(description="IANA zone, as Europe/London")] = None,
        picture: Annotated[bool, Form(description="draw the nights")] = False,
    ) -> answers.Answer:
        """Sleep windows and events of the recordings in a file."""
        facts = service.model, service.limits, file.file, file.filename or "", tz or None
        return answers.Answer(**counted(await service.pool.run(work.of_file, *facts, picture)))

    @app.post("/v1/samples", responses=REFUSALS)
    async def samples(whole: answers.OneRecording) -> answers.Answer:
        """Sleep windows and events of one recording that is sent as numbers."""
        frame = _frame(whole).select(
            pl.lit(whole.series_id).alias("series_id"), pl.int_range(pl.len()).alias("step"), "*"
        )
        facts = service.model, service.limits, frame, whole.tz, whole.picture
        return answers.Answer(**counted(await service.pool.run(work.of_samples, *facts)))


def _add_streams(app: FastAPI, service: Service) -> None:
    run, sessions, predictor = service.pool.run, service.sessions, service.model.predictor

    def opened(stream: Stream) -> answers.OpenStream:
        facts = provenance.of_prediction(service.model.facts, zone=stream.tz, series=1)
        key = sessions.add(stream)
        return answers.OpenStream(key=key, minutes=stream.minutes, provenance=facts)

    @app.post("/v1/streams", status_code=201, responses=REFUSALS)
    async def open_stream(new: answers.NewStream) -> answers.OpenStream:
        """Open a stream: samples are sent as they come."""
        return opened(Stream(predictor, new.series_id, latency=new.latency, tz=new.tz))

    @app.post("/v1/streams/{key}/samples", responses=REFUSALS)
    async def push(key: str, samples: answers.Samples) -> answers.StreamUpdate:
        """The next samples; the answer is what is new."""
        session, frame = sessions.of(key), _frame(samples)
        return _update(await run(session.ask, lambda stream: stream.push(frame)))

    @app.get("/v1/streams/{key}", responses=REFUSALS)
    async def so_far(key: str, picture: bool = False) -> answers.Recording:
        """What would be found if the recording ended now, in its last eight days."""
        found = lambda stream: work.answer(predictor, stream.so_far(), picture)
        return answers.Recording(**await run(sessions.of(key).ask, found))

    @app.get("/v1/streams/{key}/state", responses=REFUSALS)
    async def state(key: str) -> Response:
        """The state of the stream, to continue it later or elsewhere."""
        saved = await run(sessions.of(key).ask, Stream.to_bytes)
        return Response(saved, media_type="application/octet-stream")

    @app.post("/v1/streams/restore", status_code=201, responses=REFUSALS)
    async def restore(
        data: Annotated[bytes, Body(media_type="application/octet-stream")],
    ) -> answers.OpenStream:
        """Open a stream from its state."""
        return opened(await run(Stream.restore, data, predictor))

    @app.delete("/v1/streams/{key}", status_code=204, responses=REFUSALS)
    async def close(key: str) -> None:
        """Forget a stream."""
        sessions.close(key)


def _frame(samples: answers.Samples) -> pl.DataFrame:
    columns = {name: getattr(samples, name) for name in ("timestamp", "anglez", "enmo")}
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {n}" for name, n in lengths.items())
        raise InputError(f"the columns must be of equal length: {found}.")
    numbers = {"anglez": pl.Float32, "enmo": pl.Float32}
    return pl.DataFrame(columns, schema={"timestamp": pl.String} | numbers)


def _update(update: Update) -> answers.StreamUpdate:
    curves = lambda frame: answers.Curves(**frame.drop("series_id").to_dict(as_series=False))
    return answers.StreamUpdate(
        live=curves(update.live),
        final=curves(update.final),
        events=[answers.Event(**row) for row in update.events.to_dicts()],
        windows=[answers.Window(**row) for row in update.windows.to_dicts()],
    )
