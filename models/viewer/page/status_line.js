/** The line below the picture: what is under the pointer, what is being waited for, how fast frames come. */

import { h, signed } from './dom.js';

const RECENT = 30; // frames that the rate is taken over
const PAUSE = 500; // milliseconds without a frame, after which the rate begins anew
const SPEAK = 400; // milliseconds that keys must rest before a screen reader is told

export class StatusLine {
  #times = [];
  #timer = 0;

  constructor() {
    this.place = h('span', { class: 'number place' });
    this.state = h('span', { class: 'state', role: 'status' });
    this.stats = h('span', { class: 'number stats', hidden: !new URLSearchParams(location.search).has('stats') });
    this.spoken = h('span', { class: 'hidden-text', role: 'status' });
    this.element = h('div', { class: 'status-line' }, this.place, this.state, this.stats, this.spoken);
  }

  /** @param {{x: number, y: number}|null} point @param {number|null} disparity @param {boolean} aloud */
  show(point, disparity, aloud = false) {
    const depth = disparity === null ? '' : ` · ${signed(disparity, 3)} px/view`;
    this.place.textContent = point ? `${point.x}, ${point.y}${depth}` : '';
    if (!aloud) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.spoken.textContent = `x ${point.x}, y ${point.y}${disparity === null ? '' : `, disparity ${signed(disparity, 2)}`}`;
    }, SPEAK);
  }

  say(text) {
    if (this.state.textContent !== text) this.state.textContent = text;
  }

  /** A frame was painted that the server drew in so many milliseconds. */
  count(milliseconds) {
    const now = performance.now();
    if (now - this.#times.at(-1) > PAUSE) this.#times = [];
    this.#times.push(now);
    if (this.#times.length > RECENT) this.#times.shift();
    if (this.stats.hidden) return;
    const rate = (1000 * (this.#times.length - 1)) / (now - this.#times[0]);
    this.stats.textContent = `${Number.isFinite(rate) ? rate.toFixed(0) : '–'} fps · ${milliseconds.toFixed(0)} ms`;
  }
}
