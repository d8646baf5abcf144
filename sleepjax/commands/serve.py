r"""Serve sleep windows over HTTP: drop a file on a page, or send recordings and samples.

python scripts/serve.py --port 8000
sleepjax serve --workdir runs/spec2d --host 0.0.0.0 --at_once 2

Open http://localhost:8000 for the page, /docs for the description of all addresses;
docs/deployment.md has limits, streams, metrics and the container. Anybody who reaches the port can
use the service: put a proxy with TLS and a login in front of it where others could.

Exit codes: 0 stopped on request; 2 the model or the port cannot be used.
"""

import argparse
import signal
import socket
from dataclasses import fields

from sleepjax import cli
from sleepjax.serve.limits import Limits
from sleepjax.types import InputError

GRACE = 30
"""Seconds that requests which have begun are given when the service stops."""


def main(argv: list[str]) -> int:
    parser = cli.parser(__doc__)
    cli.add_weights(parser)
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: this machine)"
    )
    parser.add_argument("--port", type=int, default=8000, help="0 for any that is free")
    for limit in fields(Limits):
        kind = type(limit.default)
        parser.add_argument(
            f"--{limit.name}", type=kind, default=limit.default, help=f"limit, {limit.default:g}"
        )
    args = parser.parse_args(argv)
    return cli.answer(lambda: serve(args), "the service has stopped")


def serve(args: argparse.Namespace) -> int:
    limits = Limits(**{limit.name: getattr(args, limit.name) for limit in fields(Limits)})
    for name, value in vars(limits).items():
        if not value > 0 and name != "waiting" or value < 0:
            raise InputError(f"--{name}={value:g} must be above 0.")
    try:
        import uvicorn

        from sleepjax.serve.app import create_app
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("sleepjax"):
            raise
        raise InputError(
            f"the service needs {error.name}: install it with pip install 'sleepjax[serve]'."
        ) from None
    from sleepjax.predict import load
    from sleepjax.runs.runtime import use_compilation_cache

    listener = _listen(args.host, args.port)
    use_compilation_cache()
    app = create_app(load(args.workdir), limits)
    config = uvicorn.Config(
        app, log_level="warning", timeout_graceful_shutdown=GRACE, timeout_keep_alive=10,
        limit_concurrency=4 * (limits.at_once + limits.waiting) + 64,
    )  # fmt: skip
    host, port = listener.getsockname()[:2]
    print(f"http://{host}:{port}", flush=True)
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn stops, and then raises it once more
        signal.signal(number, lambda *_: None)
    uvicorn.Server(config).run(sockets=[listener])
    return 0


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens; InputError where that cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"--host {host} --port {port} cannot be used ({reason}).") from None
    return listener
