"""What tests read of the light field's page, and what they do with its controls."""

import base64
import io

import numpy as np
from PIL import Image

from lfdeblur_models.data import Shot, parse_aperture
from lfdeblur_models.io.images import to_integers

JPEG_DECIBELS = 44.0  # of a whole frame (quality 95, colours in full) to the library's picture: 44.8 to 51 were seen
ID = "light-field-1"
FOCUS_MILLISECONDS = 600  # the focus takes 250 to where it goes; frames after that are waited for by their settings

NEXT_FRAME = """(want) => {
  const canvas = document.querySelector('canvas.picture');
  const fits = (told) => !told.draft && Object.keys(want).every((name) => String(told.settings[name]) === want[name]);
  window.nextFrame = new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(`no whole frame of ${JSON.stringify(want)}`)), 30000);
    canvas.addEventListener('frame', ({detail}) => fits(detail) && resolve([detail, canvas.toDataURL()]));
  });
}"""


def text_of(value):
    """As JavaScript writes it."""
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def frame_after(page, act, **want):
    """Settings and pixels ``[H, W, 3]`` of the first whole frame with these settings that follows an action."""
    page.locator("canvas.picture").wait_for(state="attached")
    page.evaluate(NEXT_FRAME, {name: text_of(value) for name, value in want.items()})
    act()
    detail, url = page.evaluate("() => window.nextFrame")
    return detail["settings"], pixels(url)


def pixels(url):
    """``[H, W, 3]`` of a PNG as a data address."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB"))


def drawn_on(page, canvas):
    return pixels(page.evaluate("(name) => document.querySelector(name).toDataURL()", canvas))


def loaded(page):
    """Wait for the first whole frame, the disparity map, and the focus that then goes to the picture's centre."""
    page.locator("canvas.picture[data-frame=whole]").wait_for()
    page.locator(".legend-title:not(:empty)").wait_for(state="attached")
    page.wait_for_timeout(FOCUS_MILLISECONDS)


def in_focus(page):
    """The disparity that the panel tells."""
    return float(page.get_by_label("Disparity in focus").get_attribute("aria-valuetext").split()[0].replace("−", "-"))


def field_of(server):
    return server.app.state.light_fields[ID]


def expected(server, disparity=0.0, aperture="disk:3", **more):
    """The library's picture ``[H, W, 3]`` of 8 bits."""
    picture = Shot(parse_aperture(aperture), **more).on_planes(field_of(server).light_field, [disparity])[0]
    return to_integers("picture", picture, 8).transpose(1, 2, 0)


def decibels(first, second):
    error = np.mean((first.astype(np.float64) - second.astype(np.float64)) ** 2)
    return 10 * np.log10(255**2 / max(error, 1e-9))


def slide(label, value):
    return lambda page: page.get_by_label(label, exact=True).fill(str(value))


def choose(label, value):
    return lambda page: page.get_by_label(label, exact=True).select_option(value)


def press(label):
    return lambda page: page.get_by_label(label, exact=True).check()
