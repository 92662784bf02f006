"""The command that opens the browser page of a trained Glow: `python -m glow_tf.demo RUN`."""

import os
import socket
import sys
import threading
import warnings
import webbrowser
from typing import Annotated

import tyro

from glow_tf import presets
from glow_tf.cli import parsing, start
from glow_tf.cli.command import rename_options, run_command, start_tensorflow
from glow_tf.errors import ConfigError
from glow_tf.extras import optional_packages
from glow_tf.fields import Between, PathText, check_arguments
from glow_tf.run_files import RunFiles

NAME = start.program_name("demo")

DEFAULT = "faces"
"""The preset whose page opens if no run is given."""


def main(arguments: list[str]) -> None:
    """Run the command with the words of a command line."""
    arguments = rename_options(arguments, {"--average": "--ema"})
    parsing.parse(command, arguments, prog=NAME, config=(tyro.conf.FlagCreatePairsOff,))()


@check_arguments
def command(
    run: Annotated[PathText, tyro.conf.arg(metavar="RUN")] = DEFAULT,
    /,
    ema: bool = False,
    data: Annotated[PathText | None, tyro.conf.arg(metavar="KIND:WHERE")] = None,
    attributes: Annotated[PathText | None, tyro.conf.arg(metavar="FILE")] = None,
    host: PathText = "127.0.0.1",
    port: Annotated[int, Between(0, 65_535)] = 8000,
    no_browser: bool = False,
) -> None:
    """Open a local web page for a trained Glow: draw, blend, move along attributes, redraw levels.

    Args:
        run: Run folder, .keras file, or a preset whose weights come with the package; the preset faces if not given.
        ema: Use a run's EMA weights instead of the raw ones.
        data: Source of the test images and attributes, such as bundled:digits, instead of the run's own; images
            of another source are resized to the model's size.
        attributes: Attribute directions to use: .npz of evaluate.py attributes, or the original's z_manipulate.npy.
        host: Address to listen on; 0.0.0.0 lets other machines connect.
        port: Port to listen on; 0 takes a free one.
        no_browser: Only print the address.
    """
    with optional_packages():
        from glow_tf.demo import server
    with listen(host, port) as listener:  # first, because TensorFlow and a model take their time
        if run not in presets.PRESETS and not run.endswith(".keras"):
            RunFiles.open(run)  # a wrong path is an error before TensorFlow is imported
        print(f"{run}: getting ready ...", flush=True)
        start_tensorflow()
        from glow_tf.demo import app, origins
        from glow_tf.demo.session import open_session

        address, port = listener.getsockname()[:2]
        if not origins.is_loopback(address):
            warnings.warn(
                f"other machines that reach {host} can use the page too, and it asks for no password.", stacklevel=2
            )
        session = open_session(run, data=data, ema=ema, attributes=attributes)
        # The page shows its first picture meanwhile; a request that needs the model waits.
        threading.Thread(target=session.compiled.warm_up, daemon=True).start()
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        print(f"the page: {url} (Ctrl-C ends it)", flush=True)
        if not no_browser and _has_display():
            webbrowser.open(url)  # the socket listens already, so the browser only waits a moment
        server.serve(app.create_app(session, hosts=origins.host_rule(host, address)), listener)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address.

    Raises:
        ConfigError: no server can listen there.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        message = f"cannot listen at {host}, port {port} ({_reason(error)}); choose another --port or --host."
        raise ConfigError(message) from None


def _reason(error: OSError | OverflowError) -> str:
    """Return the reason why a socket cannot be opened, such as "address already in use"."""
    if isinstance(error, OSError) and not isinstance(error, socket.gaierror) and error.errno:
        return os.strerror(error.errno).lower()
    return getattr(error, "strerror", None) or str(error)


def _has_display() -> bool:
    """Return whether a browser can open a window; without one Python would start a text browser in this terminal."""
    return sys.platform in ("darwin", "win32") or bool({"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ))


if __name__ == "__main__":
    run_command(main, NAME)
