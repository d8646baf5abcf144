"""Admission of requests: too many, too large or too slow ones are refused early."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sleepjax.serve.limits import Limits

T = TypeVar("T")


class Admission:
    """ASGI middleware: at most so many requests with a body at once, of so many bytes, in time."""

    def __init__(self, app: ASGIApp, limits: Limits):
        self.app, self.limits, self.inside = app, limits, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
            return
        limits, headers = self.limits, dict(scope["headers"])
        if self.inside >= limits.at_once + limits.waiting:
            error = f"{self.inside} requests are being worked on or waiting; try again in a while."
            await _refused(503, error)(scope, receive, send)
            return
        announced = headers.get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > limits.bytes:
            await _refused(413, too_large(limits))(scope, receive, send)
            return
        self.inside += 1
        try:
            await self.app(scope, self._limited(receive), send)
        finally:
            self.inside -= 1

    def _limited(self, receive: Receive) -> Receive:
        limits, got, deadline = self.limits, 0, time.monotonic() + self.limits.seconds

        async def limited() -> Message:
            nonlocal got
            left = None if got < 0 else max(deadline - time.monotonic(), 0.001)
            try:
                message = await asyncio.wait_for(receive(), left)
            except TimeoutError:
                text = f"the request did not arrive within {limits.seconds:g} seconds."
                raise HTTPException(408, text) from None
            got += len(message.get("body", b""))
            if got > limits.bytes:
                raise HTTPException(413, too_large(limits))
            if not message.get("more_body"):  # what follows is the end of the connection
                got = -limits.bytes - 1
            return message

        return limited


class Pool:
    """Threads that compute answers; who asks waits no longer than the limit."""

    def __init__(self, limits: Limits):
        self.limits = limits
        self.threads = ThreadPoolExecutor(limits.at_once, thread_name_prefix="answer")

    async def run(self, work: Callable[..., T], *args: Any) -> T:
        """The result of work, or its error; 504 after the limit, when the work ends unheard."""
        future = asyncio.get_running_loop().run_in_executor(self.threads, work, *args)
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            return await asyncio.wait_for(asyncio.shield(future), self.limits.seconds)
        except TimeoutError:
            future.cancel()  # helps where it has not begun
            text = f"no answer within {self.limits.seconds:g} seconds; send a shorter recording."
            raise HTTPException(504, text) from None


def too_large(limits: Limits) -> str:
    """What to say of a request with more bytes than are taken."""
    return f"the request has more than {limits.megabytes:g} MB; send a shorter recording."


def _refused(status: int, error: str) -> JSONResponse:
    headers = {"Retry-After": "10"} if status == 503 else {}
    return JSONResponse({"error": error}, status, {"Connection": "close"} | headers)
