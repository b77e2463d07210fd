/** The stage of a photograph: the picture before and after, on two sides of a divider. */

import { clamp, h } from './dom.js';

const STEP = 0.02;
const FAR = 0.1; // with Shift, or by pages
const LABEL = 5; // em of room that a label needs
const SMALL = 120; // CSS pixels of the picture, below which it is left free of labels
const TINT = '#f59a23'; // of what is painted
const SHARP = 3; // device pixels per pixel beyond which pixels are shown as squares

export class BeforeAfter {
  #view;
  #layers;
  #context;
  #scratch = document.createElement('canvas');
  #frame = 0;
  #split = 0.5; // of what is seen of the picture, from the left

  /**
   * @param {View} view
   * @param {function()} resized
   */
  constructor(view, resized) {
    this.#view = view;
    this.strength = 1;
    this.mask = null; // a Mask: where the result is shown
    this.tinted = false; // whether the mask is seen itself
    this.working = null; // the part that is being restored
    this.brush = null; // where it is, {x, y} in pixels of the picture, and its radius on the screen
    this.canvas = h('canvas', {
      class: 'comparison', tabindex: '0', role: 'application',
      'aria-label': 'Photograph, before and after. Arrow keys move it, plus and minus zoom, Enter switches between all of it and 1:1.',
    });
    this.#context = this.canvas.getContext('2d', { alpha: false });
    this.divider = h('div', {
      class: 'divider', role: 'slider', tabindex: '0', 'aria-label': 'Divider between before and after',
      'aria-orientation': 'horizontal', 'aria-valuemin': '0', 'aria-valuemax': '100',
    }, h('i'));
    this.before = h('span', { class: 'side-label', 'aria-hidden': 'true', text: 'Before' });
    this.after = h('span', { class: 'side-label', 'aria-hidden': 'true', text: 'After' });
    this.element = h('div', { class: 'photo-stage' }, this.canvas, this.before, this.after, this.divider);
    this.#followDivider();
    this.watching = new ResizeObserver(() => this.#resize(resized));
    this.watching.observe(this.element);
    this.split = 0.5;
  }

  /** @param {Layers} layers - to draw */
  use(layers) {
    this.#layers = layers;
  }

  get split() {
    return this.#split;
  }

  set split(share) {
    this.#split = clamp(share, 0, 1);
    const percent = Math.round(100 * this.#split);
    this.divider.setAttribute('aria-valuenow', String(percent));
    this.divider.setAttribute('aria-valuetext', `before on the left ${percent} percent`);
    this.invalidate();
  }

  /** Draw soon. */
  invalidate() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #resize(resized) {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!width || !height) return;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.#view.resize(width, height, ratio);
    this.#draw(); // at once: a canvas of a new size is empty
    resized();
  }

  #followDivider() {
    const { divider } = this;
    const place = (event) => {
      const { left, right } = this.#view.seen;
      const at = event.clientX - this.element.getBoundingClientRect().left;
      this.split = (at - left) / Math.max(right - left, 1);
    };
    divider.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      divider.setPointerCapture(event.pointerId);
      event.stopPropagation();
    });
    divider.addEventListener('pointermove', (event) => {
      if (divider.hasPointerCapture(event.pointerId)) place(event);
    });
    divider.addEventListener('keydown', (event) => {
      const step = event.shiftKey ? FAR : STEP;
      const moves = {
        ArrowLeft: -step, ArrowDown: -step, ArrowRight: step, ArrowUp: step,
        PageDown: -FAR, PageUp: FAR, Home: -1, End: 1,
      };
      if (!(event.key in moves)) return;
      this.split += moves[event.key];
      event.preventDefault();
      event.stopPropagation();
    });
  }

  #draw() {
    const context = this.#context;
    const { stage } = this.#view;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = getComputedStyle(this.element).backgroundColor;
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    const { left, right, top, bottom } = this.#view.seen;
    const across = left + this.#split * (right - left);
    if (this.#layers) {
      this.#prepare(context);
      this.#layers.draw(context, 'before');
      context.save();
      context.beginPath();
      context.rect(across, 0, stage.width - across, stage.height);
      context.clip();
      this.#drawAfter(context);
      if (this.working) outline(context, this.#view.onStage(this.working));
      context.restore();
      if (this.mask && this.tinted) this.#drawTint(context);
      if (this.brush) ring(context, this.#view.onStage({ ...this.brush, width: 0, height: 0 }), this.brush.radius);
    }
    this.#place(across, left, right, top, bottom);
    this.element.setAttribute('aria-busy', String(!this.#layers?.settled));
  }

  #prepare(context) {
    const { zoom, stage } = this.#view;
    context.setTransform(stage.ratio, 0, 0, stage.ratio, 0, 0);
    context.imageSmoothingEnabled = zoom * stage.ratio <= SHARP;
    context.imageSmoothingQuality = 'high';
  }

  #drawAfter(context) {
    context.globalAlpha = this.strength;
    if (this.mask) {
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.drawImage(this.#masked(), 0, 0);
      this.#prepare(context);
    } else {
      this.#layers.draw(context, 'after');
    }
    context.globalAlpha = 1;
  }

  /** The result where the mask lets it through. */
  #masked() {
    const scratch = this.#scratch;
    if (scratch.width !== this.canvas.width || scratch.height !== this.canvas.height) {
      Object.assign(scratch, { width: this.canvas.width, height: this.canvas.height });
    }
    const context = scratch.getContext('2d');
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, scratch.width, scratch.height);
    this.#prepare(context);
    this.#layers.draw(context, 'after');
    context.globalCompositeOperation = 'destination-in';
    context.imageSmoothingEnabled = true;
    this.#drawMask(context, this.mask.canvas);
    context.globalCompositeOperation = 'source-over';
    return scratch;
  }

  #drawTint(context) {
    context.globalAlpha = 0.32;
    context.imageSmoothingEnabled = true;
    this.#drawMask(context, this.mask.tinted(TINT));
    context.globalAlpha = 1;
  }

  #drawMask(context, canvas) {
    const { left, top, width, height } = this.#view.onStage({ x: 0, y: 0, ...this.#view.picture });
    context.drawImage(canvas, left, top, width, height);
  }

  /** Put what lies over the canvas where it belongs. */
  #place(across, left, right, top, bottom) {
    const { divider, before, after } = this;
    const em = parseFloat(getComputedStyle(before).fontSize);
    divider.style.left = `${across}px`;
    divider.style.top = `${top}px`;
    divider.style.height = `${Math.max(bottom - top, 0)}px`;
    before.style.left = `${left}px`;
    after.style.right = `${this.#view.stage.width - right}px`;
    for (const label of [before, after]) label.style.top = `${top}px`;
    const small = Math.min(right - left, bottom - top) < SMALL;
    this.element.classList.toggle('small-picture', small);
    before.classList.toggle('away', small || across - left < LABEL * em);
    after.classList.toggle('away', small || right - across < LABEL * em);
  }
}

/** Where the network is at work. */
function outline(context, { left, top, width, height }) {
  context.lineWidth = 1;
  context.strokeStyle = 'rgb(0 0 0 / 45%)';
  context.strokeRect(left + 1.5, top + 1.5, width - 3, height - 3);
  context.strokeStyle = 'rgb(255 255 255 / 75%)';
  context.strokeRect(left + 0.5, top + 0.5, width - 1, height - 1);
}

function ring(context, { left, top }, radius) {
  context.lineWidth = 3;
  context.strokeStyle = 'rgb(0 0 0 / 55%)';
  context.beginPath();
  context.arc(left, top, radius, 0, 2 * Math.PI);
  context.stroke();
  context.lineWidth = 1.25;
  context.strokeStyle = '#fff';
  context.stroke();
}
