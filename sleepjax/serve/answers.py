"""Shapes of requests and answers, as the OpenAPI description shows them."""

from typing import Any

from pydantic import BaseModel, Field


class Problem(BaseModel):
    """Why a request was refused."""

    error: str


class Samples(BaseModel):
    """Samples, one every 5 seconds, in order of time."""

    timestamp: list[str] = Field(description="local times with UTC offset, or without and a `tz`")
    anglez: list[float | None] = Field(description="degrees; null where nothing was measured")
    enmo: list[float | None] = Field(description="g; null where nothing was measured")


class OneRecording(Samples):
    """A whole recording."""

    series_id: str = "recording"
    tz: str | None = None
    picture: bool = False


class Window(BaseModel):
    """A sleep window; `sleepjax.postprocess.find_windows` says what each number means."""

    series_id: str
    onset_step: int
    wakeup_step: int
    onset: str
    wakeup: str
    main: bool
    score: float
    worn_fraction: float
    onset_score: float
    wakeup_score: float
    next_onset_step: int | None
    next_onset: str | None
    next_onset_score: float | None
    next_wakeup_step: int | None
    next_wakeup: str | None
    next_wakeup_score: float | None


class Event(BaseModel):
    """A candidate for an onset or wakeup."""

    series_id: str
    step: int
    event: str
    score: float
    beside_unmeasured: bool
    timestamp: str


class Recording(BaseModel):
    """What was found in one recording."""

    series_id: str
    days: float
    notes: list[str]
    windows: list[Window]
    events: list[Event]
    picture: str | None = Field(description="PNG as a data address, where it was asked for")


class Answer(BaseModel):
    """What was found in a file."""

    model: str = Field(description="what to know of the model; may be empty")
    recordings: list[Recording]
    refused: list[str] = Field(description="why other recordings of the file were left out")
    provenance: dict[str, Any] = Field(
        description="version, weights, post-processing, zone, input, and methods for a paper"
    )


class NewStream(BaseModel):
    """Settings of `sleepjax.Stream`."""

    series_id: str = "stream"
    latency: float | None = Field(5, description="minutes of live probabilities; null for none")
    tz: str | None = None


class OpenStream(BaseModel):
    """A stream that was opened."""

    key: str
    minutes: dict[str, float] = Field(description="longest time to each stage of an answer")
    provenance: dict[str, Any] = Field(description="of all that the stream finds")


class Curves(BaseModel):
    """Probabilities; columns of equal length."""

    step: list[int]
    timestamp: list[str]
    asleep: list[float]
    onset: list[float]
    wakeup: list[float]
    worn: list[float] | None = None


class StreamUpdate(BaseModel):
    """What is new with the samples of a push."""

    live: Curves
    final: Curves
    events: list[Event]
    windows: list[Window]
