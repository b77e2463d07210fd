/** What a light field's pane is set to, and how the server is asked for it. */

import { clamp } from './dom.js';

const round = (value, places) => Number(value.toFixed(places));

/** Places after the point: what is shown is what is asked for. */
const PLACES = { disparity: 3, radius: 2, rotation: 0, inner: 2, cut: 2, exposure: 2, v: 2, u: 2 };
const PICTURE = new Set([
  'disparity', 'shape', 'radius', 'blades', 'rotation', 'inner', 'cut', 'exposure', 'half', 'allInFocus',
  'interpolation', 'v', 'u',
]);
const SMALLEST_RADIUS = 0.5;
const THINNEST_RING = 0.1; // view steps
const KEEP = 200; // milliseconds of rest, after which it is kept for a reload

export class Settings {
  #handlers = new Set();
  #keeping = 0;

  #key;

  /** @param {{id: string, name: string, grid: number[], size: number[], radius: number}} exhibit */
  constructor(exhibit) {
    const [rows, columns] = exhibit.grid;
    this.reach = { v: (rows - 1) / 2, u: (columns - 1) / 2 };
    const useful = Math.min(rows, columns) > 1 ? exhibit.radius : Math.max(this.reach.v, this.reach.u);
    this.first = {
      disparity: 0, shape: 'disk', radius: Math.max(useful, SMALLEST_RADIUS), blades: 6, rotation: 0,
      inner: round(useful / 2, 2), cut: 0.5, exposure: 0, half: 'whole', allInFocus: false,
      interpolation: '', v: 0, u: 0, hold: false, map: false, epipolar: false,
    };
    this.radiusRange = [SMALLEST_RADIUS, Math.max(round(useful * 1.42, 2), 1)];
    this.#key = `lfdeblur ${[exhibit.id, exhibit.name, exhibit.grid, exhibit.size].join(' ')}`;
    this.values = { ...this.first };
    this.kept = this.#restore();
  }

  /** What this tab of the browser was set to before a reload. @returns {boolean} whether there was anything */
  #restore() {
    const kept = JSON.parse(sessionStorage.getItem(this.#key) ?? 'null');
    if (kept) this.values = this.#possible({ ...this.values, ...kept });
    return kept !== null;
  }

  /** Call `handler(names, pictureChanged)` after each change. */
  onChange(handler) {
    this.#handlers.add(handler);
  }

  /** @param {Object<string, *>} changes - by their names; numbers are rounded and kept within what is possible */
  set(changes) {
    const before = this.values;
    this.values = this.#possible({ ...before, ...changes });
    const names = Object.keys(this.values).filter((name) => this.values[name] !== before[name]);
    if (!names.length) return;
    const picture = names.some((name) => PICTURE.has(name));
    clearTimeout(this.#keeping);
    this.#keeping = setTimeout(() => this.#keep(), KEEP);
    for (const handler of this.#handlers) handler(new Set(names), picture);
  }

  reset() {
    this.set(this.first);
  }

  /** All but what a drag lets go of by itself. */
  #keep() {
    const { v, u, ...kept } = this.values;
    sessionStorage.setItem(this.#key, JSON.stringify(kept.hold ? this.values : kept));
  }

  #possible(values) {
    const next = { ...values };
    for (const [name, places] of Object.entries(PLACES)) next[name] = round(next[name], places) + 0; // no -0
    next.v = clamp(next.v, -this.reach.v, this.reach.v);
    next.u = clamp(next.u, -this.reach.u, this.reach.u);
    next.radius = clamp(next.radius, ...this.radiusRange);
    next.inner = clamp(next.inner, 0, round(next.radius - THINNEST_RING, 2));
    return next;
  }

  /** @returns {string} as the command takes it, such as "polygon:3:6:15" */
  aperture() {
    const { shape, radius, blades, rotation, inner, cut } = this.values;
    const more = { polygon: `:${blades}:${rotation}`, annulus: `:${inner}`, cateye: `:${cut}` };
    return `${shape}:${radius}${more[shape] ?? ''}`;
  }

  /** @returns {object} the picture's settings by the names of the server */
  asked() {
    const { disparity, v, u, exposure, half, allInFocus, interpolation } = this.values;
    return {
      disparity, aperture: this.aperture(), viewpoint: `${v},${u}`, exposure, half, all_in_focus: allInFocus,
      interpolation,
    };
  }

  /** @returns {string} the same as a query string */
  query(more = {}) {
    return new URLSearchParams({ ...this.asked(), ...more }).toString();
  }
}
