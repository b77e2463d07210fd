/** Which part of a picture is seen, how large: one for both sides, which thereby stay in step. */

import { clamp } from './dom.js';

const LARGEST = 8; // device pixels per pixel
const SMALL_PICTURES = 3; // how far those smaller than the stage are enlarged to fit

export class View {
  #changed;

  /** @param {function()} changed - is called after each change */
  constructor(changed) {
    this.#changed = changed;
    this.picture = { width: 1, height: 1 };
    this.stage = { width: 1, height: 1, ratio: 1 };
    this.fitted = true;
    this.zoom = 1; // CSS pixels per pixel
    this.x = 0.5; // what is in the middle of the stage
    this.y = 0.5;
  }

  /** Show another picture, all of it. */
  open(width, height) {
    this.picture = { width, height };
    this.fit();
  }

  /** @param {number} ratio - device pixels per CSS pixel */
  resize(width, height, ratio) {
    this.stage = { width, height, ratio };
    this.#set(this.fitted ? this.fitZoom : this.zoom, this.x, this.y);
  }

  get fitZoom() {
    const fit = Math.min(this.stage.width / this.picture.width, this.stage.height / this.picture.height);
    return Math.min(fit, SMALL_PICTURES / this.stage.ratio);
  }

  /** One pixel of the picture on one of the screen. */
  get fullZoom() {
    return 1 / this.stage.ratio;
  }

  fit() {
    this.fitted = true;
    this.#set(this.fitZoom, this.picture.width / 2, this.picture.height / 2);
  }

  /** Zoom so that the pixel under a point of the stage stays there. */
  zoomAt(zoom, left = this.stage.width / 2, top = this.stage.height / 2) {
    const { x, y } = this.pixelAt(left, top);
    const lowest = Math.min(this.fitZoom, this.fullZoom);
    const next = clamp(zoom, lowest, LARGEST / this.stage.ratio);
    this.fitted = Math.abs(next / this.fitZoom - 1) < 1e-3;
    this.#set(next, x - (left - this.stage.width / 2) / next, y - (top - this.stage.height / 2) / next);
  }

  /** From all of it to 1:1 around a point, and back. */
  toggle(left, top) {
    if (!this.fitted) this.fit();
    else this.zoomAt(Math.abs(this.fitZoom / this.fullZoom - 1) < 0.01 ? 2 * this.fullZoom : this.fullZoom, left, top);
  }

  /** Move the picture by so many CSS pixels. */
  pan(right, down) {
    this.#set(this.zoom, this.x - right / this.zoom, this.y - down / this.zoom);
  }

  /** The pixel under a point of the stage; may lie outside of the picture. */
  pixelAt(left, top) {
    return {
      x: this.x + (left - this.stage.width / 2) / this.zoom,
      y: this.y + (top - this.stage.height / 2) / this.zoom,
    };
  }

  /** Where a part of the picture lies on the stage; its first pixel begins where one of the screen does. */
  onStage({ x, y, width, height }) {
    const { ratio } = this.stage;
    return {
      left: Math.round((this.stage.width / 2 - this.x * this.zoom) * ratio) / ratio + x * this.zoom,
      top: Math.round((this.stage.height / 2 - this.y * this.zoom) * ratio) / ratio + y * this.zoom,
      width: width * this.zoom,
      height: height * this.zoom,
    };
  }

  /** Where the picture is seen on the stage. */
  get seen() {
    const all = this.onStage({ x: 0, y: 0, ...this.picture });
    const left = Math.max(all.left, 0);
    const top = Math.max(all.top, 0);
    const right = Math.min(all.left + all.width, this.stage.width);
    const bottom = Math.min(all.top + all.height, this.stage.height);
    return { left, top, right, bottom };
  }

  /** The part that is seen, in whole pixels; `more`: by how much of its sides it is widened. */
  part(more = 0) {
    const across = this.stage.width / this.zoom;
    const down = this.stage.height / this.zoom;
    const x = clamp(Math.floor(this.x - across * (0.5 + more)), 0, this.picture.width - 1);
    const y = clamp(Math.floor(this.y - down * (0.5 + more)), 0, this.picture.height - 1);
    const right = clamp(Math.ceil(this.x + across * (0.5 + more)), x + 1, this.picture.width);
    const bottom = clamp(Math.ceil(this.y + down * (0.5 + more)), y + 1, this.picture.height);
    return { x, y, width: right - x, height: bottom - y };
  }

  #set(zoom, x, y) {
    this.zoom = zoom;
    this.x = held(x, this.picture.width, this.stage.width / zoom);
    this.y = held(y, this.picture.height, this.stage.height / zoom);
    this.#changed();
  }
}

/** A middle that leaves no room beside a picture that is larger than the stage; of smaller ones, their own. */
function held(middle, length, seen) {
  return length <= seen ? length / 2 : clamp(middle, seen / 2, length - seen / 2);
}
