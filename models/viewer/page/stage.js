/** The picture of a light field on the screen, as large as fits, with what lies over and beside it. */

import { calm, clamp, h, svg } from './dom.js';
import { Legend } from './depth.js';

const STRIP = [48, 0.16]; // thickness of epipolar images: pixels at least, share of the stage
const GAP = 10; // pixels between the picture and them
const LEAST = 0.6; // of the size without them, that the picture keeps
const SMALL = [240, 120]; // pixels of the picture, below which its legend stands beneath
const MARK_MILLISECONDS = 1500; // where nothing moves

const KEYS =
  'Arrow keys move the crosshair, with Shift by 10 pixels. Enter focuses there. Alt and arrow keys look around. ' +
  'Question mark lists all keys.';

export class Stage {
  #context;
  #marked = 0;
  #watch;

  /** @param {{name: string, size: number[], grid: number[]}} exhibit */
  constructor(exhibit) {
    [this.height, this.width] = exhibit.size;
    this.middle = { x: this.width >> 1, y: this.height >> 1 };
    this.point = this.middle;
    this.canvas = h('canvas', {
      class: 'picture', width: this.width, height: this.height, tabindex: '0', role: 'application',
      'aria-label': `Picture of ${exhibit.name}. ${KEYS}`, 'aria-roledescription': 'picture',
    });
    this.#context = this.canvas.getContext('2d', { alpha: false });
    this.map = h('canvas', { class: 'map', role: 'img', 'aria-label': 'Disparity map in colours', hidden: true });
    this.legend = new Legend();
    this.marker = h('div', { class: 'marker', 'aria-hidden': 'true', hidden: true }, h('i'), h('i'));
    this.cross = this.#crosshair();
    this.box = h('div', { class: 'box' }, this.canvas, this.map, this.cross.element, this.marker, this.legend.element);
    this.strips = { across: this.#strip('across', 'x and u'), down: this.#strip('down', 'y and v') };
    this.element = h('div', { class: 'stage' }, this.box, this.strips.across, this.strips.down);
    this.beneath = h('div', { class: 'beneath' });
    this.slices = false;
    this.#watch = new ResizeObserver(() => this.layout());
    this.#watch.observe(this.element);
  }

  close() {
    this.#watch.disconnect();
  }

  #strip(direction, axes) {
    const label = `Epipolar image ${direction}: ${axes}`;
    return h('canvas', { class: `strip ${direction}`, role: 'img', 'aria-label': label, hidden: true, width: 1, height: 1 });
  }

  #crosshair() {
    const lines = [svg('line'), svg('line'), svg('line'), svg('line')];
    const element = svg('svg', { class: 'crosshair', 'aria-hidden': 'true' }, ...lines);
    element.toggleAttribute('hidden', true);
    return { element, lines };
  }

  /** Put a frame on the screen. */
  paint(bitmap, frame) {
    this.#context.drawImage(bitmap, 0, 0, this.width, this.height);
    const { number, draft, milliseconds, asked, settings } = frame;
    this.canvas.dataset.frame = draft ? 'draft' : 'whole';
    const detail = { number, draft, milliseconds, asked, settings, painted: performance.now() };
    this.canvas.dispatchEvent(new CustomEvent('frame', { detail }));
  }

  /** Give the picture what room there is, and epipolar images the same scale as it. */
  layout() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!width || !height) return;
    const { thick, gap } = this.#strips(width, height);
    const beside = thick + gap;
    const scale = Math.min((width - beside) / this.width, (height - beside) / this.height);
    const size = [Math.max(Math.floor(this.width * scale), 1), Math.max(Math.floor(this.height * scale), 1)];
    const left = Math.floor((width - size[0] - beside) / 2);
    const top = Math.floor((height - size[1] - beside) / 2);
    place(this.box, left, top, ...size);
    place(this.strips.across, left, top + size[1] + gap, size[0], thick);
    place(this.strips.down, left + size[0] + gap, top, thick, size[1]);
    this.#placeLegend(...size);
    this.drawCrosshair();
  }

  /** How thick epipolar images are, and their distance from the picture. */
  #strips(width, height) {
    if (!this.slices) return { thick: 0, gap: 0 };
    const alone = LEAST * Math.min(width / this.width, height / this.height);
    const room = Math.min(width - alone * this.width, height - alone * this.height);
    const gap = Math.min(GAP, Math.floor(room / 4));
    const wanted = Math.max(STRIP[0], STRIP[1] * Math.min(width, height));
    return { thick: Math.max(Math.round(Math.min(wanted, room - gap)), 1), gap };
  }

  /** On the picture where there is room, else beneath. */
  #placeLegend(width, height) {
    const { element } = this.legend;
    const where = width < SMALL[0] || height < SMALL[1] ? this.beneath : this.box;
    if (element.parentNode !== where) where.append(element);
  }

  showSlices(on) {
    this.slices = on;
    for (const strip of Object.values(this.strips)) strip.hidden = !on;
    this.layout();
  }

  /** @returns {{x: number, y: number}} the pixel of the picture below a place on the screen, the nearest if beside it */
  pixelAt(clientX, clientY) {
    const box = this.canvas.getBoundingClientRect();
    const x = Math.floor(((clientX - box.left) / box.width) * this.width);
    const y = Math.floor(((clientY - box.top) / box.height) * this.height);
    return { x: clamp(x, 0, this.width - 1), y: clamp(y, 0, this.height - 1) };
  }

  /** Move the crosshair; it is seen while `showCrosshair(true)`. */
  moveTo(point) {
    this.point = { x: clamp(point.x, 0, this.width - 1), y: clamp(point.y, 0, this.height - 1) };
    this.drawCrosshair();
  }

  showCrosshair(on) {
    this.cross.element.toggleAttribute('hidden', !on);
    this.drawCrosshair();
  }

  drawCrosshair() {
    const { clientWidth: width, clientHeight: height } = this.box;
    const x = ((this.point.x + 0.5) / this.width) * width;
    const y = ((this.point.y + 0.5) / this.height) * height;
    const hole = 7;
    const ends = [[0, y, x - hole, y], [x + hole, y, width, y], [x, 0, x, y - hole], [x, y + hole, x, height]];
    ends.forEach((end, i) => {
      ['x1', 'y1', 'x2', 'y2'].forEach((name, k) => this.cross.lines[i].setAttribute(name, Math.max(end[k], 0)));
    });
  }

  /** Show where the focus was put, with a ripple. */
  mark({ x, y }) {
    this.marker.hidden = true;
    this.marker.style.left = `${(100 * (x + 0.5)) / this.width}%`;
    this.marker.style.top = `${(100 * (y + 0.5)) / this.height}%`;
    this.marker.getBoundingClientRect(); // so that the ripple begins anew
    this.marker.hidden = false;
    clearTimeout(this.#marked);
    if (calm()) this.#marked = setTimeout(() => { this.marker.hidden = true; }, MARK_MILLISECONDS);
  }
}

function place(element, left, top, width, height) {
  Object.assign(element.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
}
