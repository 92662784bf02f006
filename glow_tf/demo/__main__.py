"""Opens the page over a trained Glow: `python -m glow_tf.demo RUN`."""

import os
import pathlib
import socket
import sys
import webbrowser
from typing import Annotated

import tyro

from glow_tf.errors import GlowError, run_command


class DemoError(GlowError):
    """A page that cannot be opened as asked; the message says why and what to do."""


def command(
    run: Annotated[str, tyro.conf.arg(metavar="RUN")],
    /,
    average: bool = False,
    data: Annotated[str | None, tyro.conf.arg(metavar="KIND:WHERE")] = None,
    attributes: Annotated[pathlib.Path | None, tyro.conf.arg(metavar="FILE")] = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    no_browser: bool = False,
):
    """Opens a local web page over a trained Glow: draw, blend, move along attributes, redraw levels.

    Args:
        run: Run folder or .keras file.
        average: Use a run's averaged weights instead of the raw ones.
        data: Source of the test images and attributes, such as bundled:digits, instead of the run's own.
        attributes: Attribute directions to use: .npz of evaluate.py attributes, or the original's z_manipulate.npy.
        host: Address to listen at; 0.0.0.0 lets other machines in.
        port: Port to listen at; 0 takes a free one.
        no_browser: Only print the address.
    """
    uvicorn, create_app, local = _server()
    with listen(host, port) as listener:  # first, because a model takes its time
        from glow_tf.demo.studio import open_studio

        studio = open_studio(run, data, average, attributes)
        print(f"{run}: getting ready ...", flush=True)
        studio.warm_up()
        app = create_app(studio, hosts=local if host in local else ("*",))
        address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        print(f"the page: {address} (Ctrl-C ends it)", flush=True)
        if not no_browser and _has_display():
            webbrowser.open(address)  # the socket listens already, so the browser only waits a moment
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2)
        uvicorn.Server(config).run(sockets=[listener])


def _server():
    """What the extra `demo` brings, or a `DemoError`."""
    try:
        import uvicorn

        from glow_tf.demo.app import LOCAL, create_app
    except ImportError as error:
        raise DemoError(f"the page needs the package {error.name}: pip install 'glow_tf[demo]'.") from None
    return uvicorn, create_app, LOCAL


def listen(host, port):
    """A socket that listens at an address, or a `DemoError`."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        known = isinstance(error, OSError) and not isinstance(error, socket.gaierror) and error.errno
        reason = os.strerror(error.errno).lower() if known else getattr(error, "strerror", None) or str(error)
        raise DemoError(f"cannot listen at {host}, port {port} ({reason}); choose another --port or --host.") from None


def _has_display():
    """Whether a browser can open a window; without one Python would start a text browser in this terminal."""
    return sys.platform in ("darwin", "win32") or bool({"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ))


def main(arguments):
    tyro.cli(command, args=arguments, prog="python -m glow_tf.demo", config=(tyro.conf.FlagCreatePairsOff,))


if __name__ == "__main__":
    run_command(main, "python -m glow_tf.demo")
