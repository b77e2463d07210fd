/** Values that move smoothly to where they are told. */

import { calm } from './dom.js';

const ease = (t) => 1 - (1 - t) ** 3;

/**
 * Call `step(share)` with each frame of the screen, from 0 to 1; at once with 1 where the user wants no motion.
 * @param {number} milliseconds
 * @param {function(number)} step
 * @param {function()} [end] - after the last
 * @returns {function()} that stops it
 */
export function glide(milliseconds, step, end = () => {}) {
  if (calm()) {
    step(1);
    end();
    return () => {};
  }
  const begun = performance.now();
  let frame = requestAnimationFrame(function next(now) {
    const share = Math.min(Math.max(now - begun, 0) / milliseconds, 1);
    step(ease(share));
    if (share < 1) frame = requestAnimationFrame(next);
    else end();
  });
  return () => cancelAnimationFrame(frame);
}
