/** What pointers and keys do on the picture. */

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

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const FAR = 10; // pixels, with Shift

/**
 * Keys on the stage's canvas; all but arrows and Enter work anywhere in the pane, out of fields.
 * @param {HTMLElement} pane
 * @param {HTMLElement} canvas
 * @param {{move: function, look: function, focus: function, keys: Object<string, function>}} told - `move(right, down)`
 *   in pixels, `look(right, down)` in steps, `keys`: what single keys do
 */
export function followKeys(pane, canvas, told) {
  canvas.addEventListener('keydown', (event) => {
    const arrow = ARROWS[event.key];
    if (event.ctrlKey || event.metaKey) return;
    if (arrow && event.altKey) told.look(...arrow);
    else if (arrow) told.move(...arrow.map((step) => step * (event.shiftKey ? FAR : 1)));
    else if (event.key === 'Enter') told.focus();
    else if (event.key === ' ') told.keys[' ']();
    else return;
    event.preventDefault();
  });
  pane.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.key === ' ' || event.defaultPrevented) return;
    if (event.target.matches('input[type="number"], textarea, select')) return;
    const act = told.keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    act();
    event.preventDefault();
  });
}
