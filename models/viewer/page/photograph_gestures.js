/** What pointers, the wheel and keys do on a photograph: move, zoom, paint. */

import { STEPS, followKeys } from './keys.js';

const WHEEL = 0.0016; // of the zoom's logarithm, per pixel that is scrolled
const KEY_ZOOM = 1.25;
const KEY_PAN = 60; // CSS pixels

/**
 * @param {BeforeAfter} stage
 * @param {View} view
 * @param {Brush} brush - paints instead of moving while it is `active`
 */
export function followStage(stage, view, brush) {
  const { canvas } = stage;
  const pointers = new Map();
  let painting = false;
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const stop = () => {
    if (painting) brush.end();
    painting = false;
  };

  canvas.addEventListener('pointerdown', (event) => {
    if (event.button > 1) return;
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at(event));
    if (pointers.size > 1) stop(); // a second finger: it is a pinch
    else if (brush.active && event.button === 0) {
      painting = true;
      brush.begin(view.pixelAt(...at(event)));
    }
    canvas.classList.toggle('held', !painting);
    if (event.button === 1) event.preventDefault();
  });
  canvas.addEventListener('pointermove', (event) => {
    const now = at(event);
    if (!pointers.has(event.pointerId)) {
      brush.hover(view.pixelAt(...now));
      return;
    }
    const before = pointers.get(event.pointerId);
    if (painting) {
      const steps = event.getCoalescedEvents?.() ?? [];
      for (const step of steps.length ? steps : [event]) brush.move(view.pixelAt(...at(step)));
    } else if (pointers.size === 1) view.pan(now[0] - before[0], now[1] - before[1]);
    else pinch(view, [...pointers.entries()].find(([id]) => id !== event.pointerId)[1], before, now);
    pointers.set(event.pointerId, now);
  });
  for (const name of ['pointerup', 'pointercancel']) {
    canvas.addEventListener(name, (event) => {
      pointers.delete(event.pointerId);
      stop();
      canvas.classList.remove('held');
    });
  }
  canvas.addEventListener('pointerleave', () => brush.hover(null));
  canvas.addEventListener('dblclick', (event) => {
    if (!brush.active) view.toggle(...at(event));
  });
  stage.element.addEventListener('wheel', (event) => {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === 1 ? 33 : event.deltaMode === 2 ? 400 : 1);
    const box = canvas.getBoundingClientRect();
    const factor = Math.exp(-pixels * WHEEL * (event.ctrlKey ? 5 : 1)); // with Ctrl: a pinch on a touchpad
    view.zoomAt(view.zoom * factor, event.clientX - box.left, event.clientY - box.top);
  }, { passive: false });
}

/** One of two fingers has moved: the pixels under both stay there. */
function pinch(view, still, before, now) {
  const middle = [(still[0] + now[0]) / 2, (still[1] + now[1]) / 2];
  const far = (point) => Math.max(Math.hypot(point[0] - still[0], point[1] - still[1]), 1);
  view.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
  view.zoomAt((view.zoom * far(now)) / far(before), ...middle);
}

/**
 * Keys of the pane.
 * @param {View} view
 * @param {Brush} brush
 * @param {function()} help
 * @returns {{start: function(), stop: function()}} between which they are followed
 */
export function stageKeys(view, brush, help) {
  const keys = {
    '+': () => view.zoomAt(view.zoom * KEY_ZOOM),
    '=': () => view.zoomAt(view.zoom * KEY_ZOOM),
    '-': () => view.zoomAt(view.zoom / KEY_ZOOM),
    0: () => view.fit(),
    1: () => view.zoomAt(view.fullZoom),
    Enter: () => view.toggle(),
    ' ': () => brush.active && brush.dab(),
    '[': () => brush.resize(-1),
    ']': () => brush.resize(1),
    '?': help,
  };
  return followKeys((event) => {
    if (event.altKey) return false;
    if (event.ctrlKey || event.metaKey) return retrace(event, brush);
    const step = STEPS[event.key];
    if (step && brush.active) brush.step(...step, event.shiftKey);
    else if (step) view.pan(-step[0] * KEY_PAN, -step[1] * KEY_PAN);
    else if (event.key in keys) keys[event.key]();
    else return false;
    return true;
  });
}

/** Ctrl and Z, and with Shift. */
function retrace(event, brush) {
  if (event.key.toLowerCase() !== 'z') return false;
  if (event.shiftKey) brush.redo();
  else brush.undo();
  return true;
}
