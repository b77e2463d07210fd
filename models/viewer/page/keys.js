/** Keys of a pane, wherever the focus is, but for what the element that has it does with them itself. */

const WRITING = 'textarea, select, input:not([type="range"], [type="checkbox"], [type="radio"], [type="file"])';
const ALONG = '[role="tab"], [role="slider"], input[type="range"], input[type="radio"], .chart-plot';
const PRESSED = 'button, a, summary, input';
const ARROWS = ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'Home', 'End', 'PageUp', 'PageDown'];

function isTaken(event) {
  const { target, key } = event;
  if (event.defaultPrevented || document.querySelector('dialog[open]')) return true;
  if (target.matches(WRITING)) return true;
  if (ARROWS.includes(key)) return target.matches(ALONG);
  return (key === ' ' || key === 'Enter') && target.matches(PRESSED);
}

/**
 * @param {function(KeyboardEvent): boolean} act - tells whether it did something
 * @returns {{start: function(), stop: function()}} between which keys are followed
 */
export function followKeys(act) {
  const listener = (event) => {
    if (!isTaken(event) && act(event)) event.preventDefault();
  };
  return {
    start: () => document.addEventListener('keydown', listener),
    stop: () => document.removeEventListener('keydown', listener),
  };
}

export const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
