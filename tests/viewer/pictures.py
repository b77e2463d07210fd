"""Photographs that tests of the page give it, and how they wait."""

import io

import numpy as np
from PIL import Image

SIZE = (200, 150)
DROP = """([name, text, kind]) => {
  const data = new DataTransfer();
  const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
  data.items.add(new File([bytes], name, { type: 'image/png' }));
  const event = kind === 'drop'
    ? new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
    : new ClipboardEvent('paste', { clipboardData: data, bubbles: true });
  (kind === 'drop' ? document.querySelector('.photographs') : document.body).dispatchEvent(event);
}"""


def scene(size, seed=0):
    """Smooth shapes, that the network sharpens."""
    rng = np.random.default_rng(seed)
    small = rng.uniform(30, 225, (size[1] // 10, size[0] // 10, 3)).astype(np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def png(size=SIZE, name="a.png", seed=0):
    file = io.BytesIO()
    scene(size, seed).save(file, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": file.getvalue()}


def until(page, script, seconds=30):
    """Playwright's own waiting evaluates strings in the page, which its policy forbids."""
    for _ in range(int(seconds * 40)):
        value = page.evaluate(script)
        if value:
            return value
        page.wait_for_timeout(25)
    raise AssertionError(f"still not: {script}")
