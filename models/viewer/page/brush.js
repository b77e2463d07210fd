/** The brush that a mask is painted with, and its controls. */

import { segments, slider, toggle } from './controls.js';
import { clamp, h, icon } from './dom.js';

const SIZES = [8, 400]; // CSS pixels across
const FIRST_SIZE = 80;
const KEY_STEP = 12; // CSS pixels; with Shift four times as far
const TOOLS = { paint: 'Paint', erase: 'Erase', move: 'Move' };

export class Brush {
  #view;
  #stage;
  #tool = 'paint';
  #size = FIRST_SIZE;
  #last = null;
  #hidden = null; // a part of the mask is seen for a moment after a stroke

  /**
   * @param {View} view
   * @param {BeforeAfter} stage
   * @param {function(boolean)} turn - masks this picture or not
   */
  constructor(view, stage, turn) {
    this.#view = view;
    this.#stage = stage;
    this.toggle = toggle({ label: 'Only where I paint', hint: 'Restore the parts that are painted', change: turn });
    this.tools = segments({ label: 'Brush', options: TOOLS, change: (tool) => this.#choose(tool) });
    this.tools.set(this.#tool);
    this.size = slider({
      label: 'Size', range: SIZES, step: 1, format: (value) => `${value} px`, hint: 'Across, on the screen',
      change: (value) => { this.#resize(value); },
    });
    this.size.set(this.#size);
    const button = (name, text, act) => h('button', { type: 'button', class: 'button', onclick: act }, icon(name), text);
    const invert = button('invert', 'Invert', () => this.#change((mask) => mask.invert()));
    const clear = button('reset', 'Clear', () => this.#change((mask) => mask.clear()));
    this.back = button('undo', 'Undo', () => this.undo());
    this.forth = button('redo', 'Redo', () => this.redo());
    const buttons = h('div', { class: 'buttons' }, this.back, this.forth, invert, clear);
    this.details = h('div', { class: 'brush', hidden: true }, this.tools.element, this.size.element, buttons);
    this.element = h('section', {}, h('h3', { text: 'Where' }), this.toggle.element, this.details);
  }

  /** Whether a drag paints. */
  get active() {
    return Boolean(this.#stage.mask) && this.#tool !== 'move';
  }

  /** Paint on another mask; null: there is none. */
  use(mask) {
    this.#stage.mask = mask;
    this.toggle.set(Boolean(mask));
    this.details.hidden = !mask;
    this.hover(null);
    this.#show();
  }

  hover(point) {
    this.#stage.brush = point && this.active ? { ...point, radius: this.#size / 2 } : null;
    this.#stage.canvas.classList.toggle('painting', this.active);
    this.#stage.invalidate();
  }

  undo() {
    this.#change((mask) => mask.undo(), false);
  }

  redo() {
    this.#change((mask) => mask.redo(), false);
  }

  begin(point) {
    this.#stage.mask.remember();
    this.#stroke(point, null);
  }

  move(point) {
    this.#stroke(point, this.#last);
  }

  end() {
    this.#last = null;
    this.#show();
  }

  /** By keys: move the brush, beginning in the middle. */
  step(right, down, far) {
    const { x, y } = this.#stage.brush ?? this.#view;
    const step = (KEY_STEP * (far ? 4 : 1)) / this.#view.zoom;
    const { width, height } = this.#view.picture;
    this.hover({ x: clamp(x + right * step, 0, width), y: clamp(y + down * step, 0, height) });
  }

  /** By keys: paint where the brush is. */
  dab() {
    const { x, y } = this.#stage.brush ?? this.#view;
    this.begin({ x, y });
    this.end();
  }

  /** @param {number} steps - larger or smaller */
  resize(steps) {
    this.size.set(clamp(Math.round(this.#size * 1.2 ** steps), ...SIZES));
    this.#resize(Number(this.size.input.value));
  }

  #resize(size) {
    this.#size = size;
    if (this.#stage.brush) this.hover(this.#stage.brush);
  }

  #choose(tool) {
    this.#tool = tool;
    this.hover(null);
    this.#show();
  }

  #stroke(point, from) {
    this.#stage.mask.paint(point, from, this.#size / 2 / this.#view.zoom, this.#tool === 'erase');
    this.#last = point;
    this.#stage.tinted = true;
    clearTimeout(this.#hidden);
    this.hover(point);
  }

  #change(change, isStep = true) {
    if (!this.#stage.mask) return;
    if (isStep) this.#stage.mask.remember();
    change(this.#stage.mask);
    this.#show();
  }

  /** Let the mask be seen for a moment. */
  #show() {
    this.#stage.tinted = Boolean(this.#stage.mask);
    this.back.disabled = !this.#stage.mask?.canUndo;
    this.forth.disabled = !this.#stage.mask?.canRedo;
    this.#stage.invalidate();
    clearTimeout(this.#hidden);
    this.#hidden = setTimeout(() => {
      this.#stage.tinted = false;
      this.#stage.invalidate();
    }, 900);
  }
}
