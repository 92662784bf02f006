"""The screenshots of the page in the documentation: `python -m experiments.demo_pictures`.

Starts the page over the packaged faces (`--run PRESET`, or a run folder), takes `docs/pictures/demo_*.png` (`--out
FOLDER`) and writes into each the digest of the weights, by which `tests/test_doc_pictures.py` finds those that are not
of the packaged weights any more. `--phone` and `--dark` take them at the width of a phone and in the dark scheme.
Needs Chromium, and playwright of the extra `dev`.
"""

if __name__ == "__main__":
    from experiments.command import run_script

    run_script(__spec__.name)

import argparse
import contextlib
import io
import pathlib
import shutil
import subprocess
import sys

from PIL import Image, PngImagePlugin

from experiments.command import Parser
from glow_tf.io import write_bytes
from glow_tf.model_files import packaged_weights
from glow_tf.weights_file import written_digest

PICTURES = pathlib.Path(__file__).resolve().parent.parent / "docs" / "pictures"
PRESET = "faces"
WEIGHTS = "Weights"
"""Name of the digest in the metadata of a PNG."""
SIZES = {"desktop": (1120, 780), "phone": (390, 844)}
COLORS = 256
TABS = ("attributes", "blend", "samples", "levels")
STRENGTHS = {"smiling": 1.0, "long hair": 1.0, "blond": 0.8}
"""Where the sliders stand, of the attributes that there are."""
CHROMIUM_FLAGS = "--no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-sync".split()
WAIT_SECONDS = 60


@contextlib.contextmanager
def running_page(run):
    """Run the page's command; give its address."""
    words = [sys.executable, "-m", "glow_tf.demo", str(run), "--port", "0", "--no-browser"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = next((line for line in process.stdout if "the page: " in line), None)
            if line is None:
                sys.exit("the page's command ended without a page.")
            yield line.split()[2]
        finally:
            process.terminate()


def settle(page):
    """Wait until no request is open and every image is loaded, by polling: the page's policy allows no eval."""
    script = "!document.querySelector('[aria-busy]') && [...document.images].every((i) => i.complete)"
    for _ in range(WAIT_SECONDS * 10):
        page.wait_for_timeout(100)
        if page.evaluate(script):
            return
    sys.exit(f"the page is still busy after {WAIT_SECONDS} seconds.")


def move_sliders(page):
    """Move the sliders of `STRENGTHS`, or the first one if there is none of them."""
    page.wait_for_selector("#attributes .sliders input")
    names = page.eval_on_selector_all("#attributes .sliders input", "inputs => inputs.map((input) => input.name)")
    for name, strength in ({n: s for n, s in STRENGTHS.items() if n in names} or {names[0]: 1.0}).items():
        page.locator(f"#attributes [name='{name}']").evaluate(
            "(e, value) => { e.value = value; e.dispatchEvent(new Event('input', { bubbles: true })); }", str(strength)
        )


def take(page, address, digest, out):
    """Take the screenshot of each tab, as PNG of few colors."""
    page.goto(address)
    for tab in TABS:
        page.click(f"#tab-{tab}")
        if tab == "attributes":
            move_sliders(page)
        if tab == "levels":
            page.check("#levels [value='1']")  # the finest level alone changes little
        settle(page)
        image = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
        facts, file = PngImagePlugin.PngInfo(), io.BytesIO()
        facts.add_text(WEIGHTS, digest)
        image.quantize(COLORS, dither=Image.Dither.NONE).save(file, "PNG", optimize=True, pnginfo=facts)
        write_bytes(out / f"demo_{tab}.png", file.getvalue())


def is_current(path):
    """Return whether a screenshot is one of the packaged weights of `PRESET`."""
    with Image.open(path) as image:
        return image.size == SIZES["desktop"] and image.info.get(WEIGHTS) == written_digest(packaged_weights(PRESET))


def main(arguments):
    """Take the screenshots."""
    from playwright.sync_api import sync_playwright

    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default=PRESET, help="preset or run folder")
    parser.add_argument("--out", type=pathlib.Path, default=PICTURES, help="folder to write to")
    parser.add_argument("--phone", action="store_true", help="at the width of a phone")
    parser.add_argument("--dark", action="store_true", help="in the dark scheme")
    options = parser.parse_args(arguments)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("this needs Chromium (apt-get install chromium).")
    weights = packaged_weights(options.run)
    width, height = SIZES["phone" if options.phone else "desktop"]
    with running_page(options.run) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        page = browser.new_page(
            viewport={"width": width, "height": height},
            color_scheme="dark" if options.dark else "light",
            has_touch=options.phone,
        )
        take(page, address, "" if weights is None else written_digest(weights), options.out)
