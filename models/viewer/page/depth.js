/** The disparity map of a light field: read once, looked up under the pointer, coloured. */

import { ask, clamp, h, median, signed } from './dom.js';
import { coloured } from './colours.js';

const AROUND = 2; // pixels on each side that are looked at
const MARGIN = 0.1; // of the range, that sliders go beyond it
const LANDS = 0.75; // pixels from where it is looked for, that a point may land

/**
 * @typedef {{v: number, u: number, focus: number}} Seen - from where, in view steps, and the disparity in focus: a point
 *   of disparity `d` that the centre has at `x`, `y` is seen at `x - (d - focus) * u`, `y - (d - focus) * v`
 */
export const CENTRE = { v: 0, u: 0, focus: 0 };

export class DepthMap {
  #values = null;
  #width = 0;
  #height = 0;

  /** @param {{id: string, range: number[]|null}} exhibit */
  constructor(exhibit) {
    this.exhibit = exhibit;
    [this.low, this.high] = exhibit.range ?? [-2, 2];
    this.source = '';
  }

  get ready() {
    return this.#values !== null;
  }

  /** Lowest and highest disparity that are worth a look. */
  get range() {
    const margin = MARGIN * (this.high - this.low) || 1;
    return [Number((this.low - margin).toFixed(2)), Number((this.high + margin).toFixed(2))];
  }

  /** Read it; the server makes it when it is first asked for. Raises an Error with one line. */
  async load() {
    const answer = await ask(`/api/light-fields/${encodeURIComponent(this.exhibit.id)}/disparity`);
    const told = (name) => answer.headers.get(name);
    const values = new Float32Array(await answer.arrayBuffer());
    [this.#width, this.#height] = [Number(told('X-Width')), Number(told('X-Height'))];
    [this.low, this.high] = [Number(told('X-Low')), Number(told('X-High'))];
    this.source = told('X-Source');
    this.#values = values;
  }

  /** @returns {number|null} pixels per view step at a pixel: the median around it; null while there is no map */
  at(x, y) {
    if (!this.ready) return null;
    const seen = [];
    for (let row = y - AROUND; row <= y + AROUND; row += 1) {
      for (let column = x - AROUND; column <= x + AROUND; column += 1) {
        if (row < 0 || column < 0 || row >= this.#height || column >= this.#width) continue;
        seen.push(this.#values[row * this.#width + column]);
      }
    }
    return median(seen);
  }

  /**
   * The pixel of the centre that is seen at a place: the nearest to the camera of those that land there; where none
   * does, the one that lands next to it.
   * @param {{x: number, y: number}} place
   * @param {Seen} seen
   */
  behind({ x, y }, { v, u, focus }) {
    if (!this.ready || (!v && !u)) return { x, y };
    const [left, right] = this.#between(x, u, focus, this.#width);
    const [top, bottom] = this.#between(y, v, focus, this.#height);
    let best = { far: Infinity, depth: -Infinity, x, y };
    for (let row = top; row <= bottom; row += 1) {
      for (let column = left; column <= right; column += 1) {
        const depth = this.#values[row * this.#width + column];
        const off = Math.hypot(column - (depth - focus) * u - x, row - (depth - focus) * v - y);
        const far = off <= LANDS ? 0 : off;
        if (far < best.far || (far === best.far && depth > best.depth)) best = { far, depth, x: column, y: row };
      }
    }
    return { x: best.x, y: best.y };
  }

  /** First and last index of what may land at a place along one axis. */
  #between(place, step, focus, length) {
    const ends = [place + (this.low - focus) * step, place + (this.high - focus) * step];
    const [first, last] = [Math.floor(Math.min(...ends)) - 1, Math.ceil(Math.max(...ends)) + 1];
    return [clamp(first, 0, length - 1), clamp(last, 0, length - 1)];
  }

  /** Draw it in colours on a canvas, which takes its size. @param {Seen} seen */
  paint(canvas, seen = CENTRE) {
    const moved = seen.v || seen.u ? this.#moved(seen) : this.#values;
    const picture = coloured(moved, this.#width, this.low, this.high);
    [canvas.width, canvas.height] = [this.#width, this.#height];
    canvas.getContext('2d').putImageData(picture, 0, 0);
  }

  /** The map as it is seen: the nearer covers the farther, and what no pixel lands on is as far as its farther neighbour. */
  #moved({ v, u, focus }) {
    const [width, height, values] = [this.#width, this.#height, this.#values];
    const moved = new Float32Array(values.length).fill(-Infinity);
    for (let row = 0, i = 0; row < height; row += 1) {
      for (let column = 0; column < width; column += 1, i += 1) {
        const depth = values[i];
        const x = Math.round(column - (depth - focus) * u);
        const y = Math.round(row - (depth - focus) * v);
        if (x < 0 || y < 0 || x >= width || y >= height) continue;
        const at = y * width + x;
        if (depth > moved[at]) moved[at] = depth;
      }
    }
    const lines = [[height, width, width, 1], [width, height, 1, width]]; // rows, then columns
    for (const line of Math.abs(u) >= Math.abs(v) ? lines : lines.reverse()) fillHoles(moved, ...line);
    return moved;
  }
}

/** Fill what is -Infinity in `count` lines of `length` values, that begin `next` apart and go on by `step`. */
function fillHoles(values, count, length, next, step) {
  for (let line = 0; line < count; line += 1) {
    let before = -Infinity;
    for (let i = 0; i < length; i += 1) {
      const at = line * next + i * step;
      if (values[at] !== -Infinity) {
        before = values[at];
        continue;
      }
      let end = i;
      while (end < length && values[line * next + end * step] === -Infinity) end += 1;
      const after = end < length ? values[line * next + end * step] : before;
      const fill = before === -Infinity ? after : Math.min(before, after);
      for (; i < end; i += 1) values[line * next + i * step] = fill;
      i -= 1;
    }
  }
}

/** What the map's colours mean, and which of them is in focus. */
export class Legend {
  constructor() {
    this.bar = h('canvas', { width: '256', height: '1', 'aria-hidden': 'true' });
    this.low = h('span');
    this.high = h('span');
    this.tick = h('i', { class: 'tick', 'aria-hidden': 'true' });
    this.title = h('span', { class: 'legend-title' });
    const scale = h('div', { class: 'legend-bar' }, this.bar, this.tick);
    const ends = h('div', { class: 'legend-ends number' }, this.low, this.high);
    this.element = h('div', { class: 'legend', hidden: true }, this.title, scale, ends);
  }

  /** @param {DepthMap} map - that is ready */
  show(map) {
    const ramp = Float32Array.from({ length: 256 }, (_, i) => i);
    this.bar.getContext('2d').putImageData(coloured(ramp, 256, 0, 255), 0, 0);
    const kind = map.source === 'true' ? 'Disparity' : 'Estimated disparity';
    this.title.textContent = `${kind}, pixels per view step`;
    this.low.textContent = signed(map.low, 2);
    this.high.textContent = signed(map.high, 2);
  }

  /** @param {number|null} disparity - in focus; null: all is */
  mark(map, disparity) {
    this.tick.hidden = disparity === null;
    if (disparity === null) return;
    const share = (disparity - map.low) / (map.high - map.low || 1);
    this.tick.style.left = `${100 * clamp(share, 0, 1)}%`;
  }
}
