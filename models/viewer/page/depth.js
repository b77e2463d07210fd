/** The disparity map of a light field: read once, looked up under the pointer, coloured. */

import { ask, clamp, h, median, signed } from './dom.js';
import { coloured } from './colours.js';

const AROUND = 2; // pixels on each side that are looked at
const MARGIN = 0.1; // of the range, that sliders go beyond it

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

  /** Draw it in colours on a canvas, which takes its size. */
  paint(canvas) {
    const picture = coloured(this.#values, this.#width, this.low, this.high);
    [canvas.width, canvas.height] = [this.#width, this.#height];
    canvas.getContext('2d').putImageData(picture, 0, 0);
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
