"""Metrics of the service, for Prometheus."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Observed:
    """The metrics of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        kinds = ("method", "path", "status")
        self.requests = Counter(
            "sleepjax_requests", "Requests that were answered", kinds, registry=self.registry
        )
        self.seconds = Histogram(
            "sleepjax_request_seconds", "Time to the whole answer", ("method", "path"),
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self.inside = Gauge(
            "sleepjax_requests_in_progress", "Requests being answered", registry=self.registry
        )
        self.streams = Gauge("sleepjax_streams", "Open streams", registry=self.registry)
        self.steps = Counter(
            "sleepjax_steps", "Steps of 5 s of which something was found", registry=self.registry
        )


class Timed:
    """ASGI middleware that counts and times requests by the pattern of their address."""

    def __init__(self, app: ASGIApp, observed: Observed):
        self.app, self.observed = app, observed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begin, status = time.monotonic(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self.observed.inside.track_inprogress():
            try:
                await self.app(scope, receive, noted)
            finally:
                # The pattern, not the address: a scanner must not fill the memory with names.
                path = getattr(scope.get("route"), "path", "other")
                self.observed.requests.labels(scope["method"], path, status).inc()
                seconds = time.monotonic() - begin
                self.observed.seconds.labels(scope["method"], path).observe(seconds)
