/** What pointers and keys do on the picture. */

import { STEPS, followKeys } from './keys.js';

const STILL = 4; // pixels that a click may move
const SHARE = 0.4; // of the picture's width: a drag that long goes from the centre of the grid to its edge

/**
 * Clicks, drags and movements of a pointer on the stage's canvas.
 * @param {Stage} stage
 * @param {{click: function, grab: function, drag: function, drop: function, hover: function, leave: function}} told -
 *   `click(point)`, `drag(right, down)` in shares of a full drag, `drop(event)`, `hover(point)`
 */
export function followPointer(stage, told) {
  const { canvas } = stage;
  let held = null;
  const end = (event) => {
    if (held?.id !== event.pointerId) return null;
    const was = held;
    held = null;
    canvas.classList.remove('held');
    return was;
  };
  canvas.addEventListener('pointerdown', (event) => {
    if (event.button !== 0 || held) return;
    held = { id: event.pointerId, x: event.clientX, y: event.clientY, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointermove', (event) => {
    if (!held) {
      told.hover(stage.pixelAt(event.clientX, event.clientY));
      return;
    }
    if (held.id !== event.pointerId) return;
    const [right, down] = [event.clientX - held.x, event.clientY - held.y];
    if (!held.moved && Math.hypot(right, down) < STILL) return;
    if (!held.moved) told.grab();
    held.moved = true;
    canvas.classList.add('held');
    const full = SHARE * canvas.clientWidth;
    told.drag(right / full, down / full);
  });
  canvas.addEventListener('pointerup', (event) => {
    const was = end(event);
    if (was?.moved) told.drop(event);
    else if (was) told.click(stage.pixelAt(event.clientX, event.clientY));
  });
  canvas.addEventListener('pointercancel', (event) => {
    if (end(event)?.moved) told.drop(event);
  });
  canvas.addEventListener('pointerleave', () => told.leave());
}

const FAR = 10; // pixels, with Shift

/**
 * Keys of the pane.
 * @param {{move: function, look: function, focus: function, keys: Object<string, function>}} told - `move(right, down)`
 *   in pixels, `look(right, down)` in steps, `keys`: what single keys do
 * @returns {{start: function(), stop: function()}} between which they are followed
 */
export function followStageKeys(told) {
  return followKeys((event) => {
    if (event.ctrlKey || event.metaKey) return false;
    const step = STEPS[event.key];
    const key = told.keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (step && event.altKey) told.look(...step);
    else if (step) told.move(...step.map((by) => by * (event.shiftKey ? FAR : 1)));
    else if (event.altKey) return false;
    else if (event.key === 'Enter') told.focus();
    else if (key) key();
    else return false;
    return true;
  });
}
