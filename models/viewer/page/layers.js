/** The pixels of the picture that is looked at, before and after, as far as they are seen: fetched in parts. */

import { ask } from './dom.js';

const WAIT = 80; // milliseconds that the view has to rest before its pixels are fetched
const TILES_WAIT = 500; // milliseconds between two looks at tiles that were finished meanwhile
const MARGIN = 0.15; // of the view's sides, fetched beyond them
const LARGEST = 15e6; // pixels of a part

/** @typedef {{x: number, y: number, width: number, height: number}} Part - in pixels of the picture */

export class Layers {
  #view;
  #changed;
  #fail;
  #address = null;
  #whole = null;
  #detail = null;
  #loading = null; // the part and scale that are on their way
  #abort = new AbortController();
  #timer = 0;
  #tilesTimer = 0;
  #tiles = [];
  #renewing = false;
  #renewed = -TILES_WAIT; // when tiles were last looked at

  /**
   * @param {View} view
   * @param {function()} changed - there is more to draw
   * @param {function(string)} fail
   */
  constructor(view, changed, fail) {
    this.#view = view;
    this.#changed = changed;
    this.#fail = fail;
  }

  /** Whether all that is seen is there as sharp as it is shown, and nothing is on its way. */
  get settled() {
    return !this.#loading && !this.#timer && !this.#tiles.length && !this.#renewing && !this.#wanted();
  }

  /** Show another picture. @param {?function(string, Part, number): string} address - of a part: side, part, scale */
  open(address) {
    this.#abort.abort();
    this.#abort = new AbortController();
    clearTimeout(this.#timer);
    this.#address = address;
    this.#timer = 0;
    this.#whole = this.#detail = this.#loading = null;
    this.#tiles = [];
    if (address) this.#load();
    this.#changed();
  }

  /** The same picture is elsewhere now; what is drawn of it stays, and is renewed as its tiles are. */
  move(address) {
    if (this.empty) {
      this.open(address);
      return;
    }
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#loading = null;
    this.#tiles = [];
    this.#address = address;
    if (address) this.update();
  }

  /** Whether there is nothing to draw. */
  get empty() {
    return !this.#whole;
  }

  /** The view has changed. */
  update() {
    if (!this.#address) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#load(), WAIT);
  }

  /** A part of the result has changed. @param {Part} part */
  renew(part) {
    this.#tiles.push(part);
    const wait = Math.max(0, this.#renewed + TILES_WAIT - performance.now());
    this.#tilesTimer ||= setTimeout(() => this.#renew(), wait);
    this.#changed();
  }

  /** Draw a side, as sharp as it is there. */
  draw(context, side) {
    for (const layer of [this.#whole, this.#detail]) {
      if (!layer) continue;
      const { left, top, width, height } = this.#view.onStage(layer.part);
      context.drawImage(layer[side], left, top, width, height);
    }
  }

  /** @returns {?{part: Part, scale: number}} what is to be fetched for the view; null: nothing */
  #wanted() {
    const { zoom, stage, picture } = this.#view;
    const scale = Math.min(1, zoom * stage.ratio);
    if (!this.#whole || (this.#view.fitted && scale > 1.1 * this.#whole.scale)) {
      const fitting = Math.min(1, this.#view.fitZoom * stage.ratio);
      return { part: { x: 0, y: 0, ...picture }, scale: bounded(fitting, picture) };
    }
    if (scale <= 1.05 * this.#whole.scale) return null;
    const seen = this.#view.part();
    const { part, scale: there } = this.#detail ?? { part: { x: 0, y: 0, width: 0, height: 0 }, scale: 0 };
    const within = seen.x >= part.x && seen.y >= part.y && seen.x + seen.width <= part.x + part.width
      && seen.y + seen.height <= part.y + part.height;
    const wide = this.#view.part(MARGIN);
    const best = bounded(scale, wide);
    return within && best <= 1.05 * there ? null : { part: wide, scale: best };
  }

  async #load() {
    this.#timer = 0;
    const wanted = this.#wanted();
    if (!wanted) this.#changed();
    if (!wanted || this.#loading || !this.#address) return; // what is on its way looks again when it is there
    this.#loading = wanted;
    const { signal } = this.#abort;
    try {
      const [before, after] = await Promise.all(
        ['before', 'after'].map((side) => this.#fetch(side, wanted.part, wanted.scale, signal)),
      );
      if (signal.aborted) return;
      const layer = { ...wanted, before, after: canvasOf(after) };
      const { picture } = this.#view;
      const all = wanted.part.width === picture.width && wanted.part.height === picture.height;
      if (all) [this.#whole, this.#detail] = [layer, null];
      else this.#detail = layer;
      this.#loading = null;
      this.#changed();
      if (this.#wanted()) this.update();
    } catch (error) {
      this.#failed(error, signal);
    }
  }

  /** Fetch what was finished, once nothing else is on its way. */
  async #renew() {
    this.#tilesTimer = 0;
    if (!this.#tiles.length || !this.#address) return;
    if (this.#loading || this.#renewing || !this.#whole) {
      this.#tilesTimer = setTimeout(() => this.#renew(), WAIT);
      return;
    }
    const changed = around(this.#tiles);
    this.#tiles = [];
    this.#renewing = true;
    this.#renewed = performance.now();
    const { signal } = this.#abort;
    try {
      await Promise.all([this.#whole, this.#detail].map((layer) => layer && this.#patch(layer, changed, signal)));
    } catch (error) {
      this.#failed(error, signal);
    } finally {
      this.#renewing = false;
      this.#changed();
    }
  }

  async #patch(layer, changed, signal) {
    const part = common(layer.part, changed, Math.ceil(2 / layer.scale));
    if (!part) return;
    const pixels = await this.#fetch('after', part, layer.scale, signal);
    if (signal.aborted) return;
    const [across, down] = [layer.after.width / layer.part.width, layer.after.height / layer.part.height];
    const [left, top] = [(part.x - layer.part.x) * across, (part.y - layer.part.y) * down];
    layer.after.getContext('2d').drawImage(pixels, left, top, part.width * across, part.height * down);
    pixels.close();
    this.#changed();
  }

  async #fetch(side, part, scale, signal) {
    const answer = await ask(this.#address(side, part, scale), { signal });
    return createImageBitmap(await answer.blob());
  }

  #failed(error, signal) {
    if (signal.aborted || error.name === 'AbortError') return;
    this.#loading = null;
    this.#fail(error.message);
  }
}

/** A scale at which a part is not larger than what is sent at a time. */
function bounded(scale, { width, height }) {
  return Math.min(scale, Math.sqrt(LARGEST / (width * height)));
}

function canvasOf(bitmap) {
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
  canvas.getContext('2d').drawImage(bitmap, 0, 0);
  bitmap.close();
  return canvas;
}

/** The part around parts. */
function around(parts) {
  const x = Math.min(...parts.map((part) => part.x));
  const y = Math.min(...parts.map((part) => part.y));
  const right = Math.max(...parts.map((part) => part.x + part.width));
  const bottom = Math.max(...parts.map((part) => part.y + part.height));
  return { x, y, width: right - x, height: bottom - y };
}

/** What two parts share, the second one widened by some pixels; null: nothing. */
function common(one, other, more) {
  const x = Math.max(one.x, other.x - more);
  const y = Math.max(one.y, other.y - more);
  const right = Math.min(one.x + one.width, other.x + other.width + more);
  const bottom = Math.min(one.y + one.height, other.y + other.height + more);
  return right > x && bottom > y ? { x, y, width: right - x, height: bottom - y } : null;
}
