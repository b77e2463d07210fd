/** A chart of lines that may grow: axes, a legend, and a read-out that follows the pointer or the arrow keys. */

import { clamp, h, newId, svg } from './dom.js';

const HEIGHT = 17; // em
const MARGIN = { top: 0.7, right: 1, bottom: 2, left: 4 }; // em
const CONSTANT = 0.5; // of a value that is always the same, shown on each side of it
const MOST_DIGITS = 9;

/**
 * @typedef {Object} Series
 * @property {string} name
 * @property {number} hue - which of the colours --curve-0 to --curve-5
 * @property {number[]} x - in ascending order
 * @property {(number|null)[]} y
 * @property {boolean} [faint] - one of many; not in the legend
 * @property {boolean} [dashed]
 */

export class Chart {
  #series = [];
  #log = false;
  #at = null; // where the read-out is, in x
  #scale = null;
  #width = 0;
  #em = 16; // pixels

  /**
   * @param {string} title
   * @param {string} unit - of y, shown beside the title
   */
  constructor(title, unit = '') {
    const id = newId('chart');
    this.plot = svg('svg', { class: 'chart-plot', tabindex: '0', role: 'img', 'aria-labelledby': `${id} ${id}-said` });
    this.legend = h('ul', { class: 'chart-legend' });
    this.said = h('p', { class: 'hidden-text', id: `${id}-said` });
    const caption = h('figcaption', { class: 'chart-head' }, h('h3', { id, text: unit ? `${title}, ${unit}` : title }), this.legend);
    this.element = h('figure', { class: 'chart' }, caption, this.plot, this.said);
    this.plot.addEventListener('pointermove', (event) => this.#point(event));
    this.plot.addEventListener('pointerleave', () => this.#move(null));
    this.plot.addEventListener('blur', () => this.#move(null));
    this.plot.addEventListener('keydown', (event) => this.#key(event));
    new ResizeObserver(() => this.#resized()).observe(this.element);
  }

  /** @param {Series[]} series */
  set(series) {
    this.#series = series;
    this.#draw();
  }

  /** @param {boolean} log - y grows by factors */
  setLog(log) {
    this.#log = log;
    this.#draw();
  }

  #resized() {
    if (Math.abs(this.element.clientWidth - this.#width) < 1) return;
    this.#width = this.element.clientWidth;
    this.#em = parseFloat(getComputedStyle(this.element).fontSize);
    this.#draw();
  }

  #value(y) {
    return this.#log ? Math.log10(y) : y;
  }

  #usable(y) {
    return y != null && (!this.#log || y > 0);
  }

  #draw() {
    const width = Math.max(this.#width, 160);
    const em = this.#em;
    const height = HEIGHT * em;
    this.plot.setAttribute('viewBox', `0 0 ${width} ${height}`);
    const box = { left: MARGIN.left * em, right: width - MARGIN.right * em, top: MARGIN.top * em, bottom: height - MARGIN.bottom * em };
    const bounds = this.#bounds();
    if (!bounds) {
      this.#scale = null;
      this.plot.replaceChildren(svg('text', { class: 'chart-none', x: width / 2, y: height / 2 }, 'nothing yet'));
      this.legend.replaceChildren();
      return;
    }
    const [x0, x1, y0, y1] = bounds;
    this.#scale = {
      box, x0, x1,
      x: (x) => box.left + ((x - x0) / (x1 - x0 || 1)) * (box.right - box.left),
      y: (y) => box.bottom - ((this.#value(y) - y0) / (y1 - y0 || 1)) * (box.bottom - box.top),
    };
    this.plot.replaceChildren(...this.#axes(bounds), ...this.#series.flatMap((one) => this.#line(one)), svg('g', { class: 'chart-at' }));
    this.#read();
  }

  #bounds() {
    let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
    for (const { x, y } of this.#series) {
      for (let i = 0; i < x.length; i += 1) {
        if (!this.#usable(y[i])) continue;
        const value = this.#value(y[i]);
        [x0, x1] = [Math.min(x0, x[i]), Math.max(x1, x[i])];
        [y0, y1] = [Math.min(y0, value), Math.max(y1, value)];
      }
    }
    if (x0 > x1) return null;
    const margin = y1 > y0 ? (y1 - y0) * 0.06 : CONSTANT * (this.#log ? 1 : Math.abs(y1) || 1);
    return [x0, x1, y0 - margin, y1 + margin];
  }

  #axes([x0, x1, y0, y1]) {
    const { box } = this.#scale;
    const marks = [];
    const em = this.#em;
    const down = ticks(y0, y1, 5);
    const names = distinct(down.map((value) => (this.#log ? 10 ** value : value)));
    for (const [i, value] of down.entries()) {
      const y = box.bottom - ((value - y0) / (y1 - y0)) * (box.bottom - box.top);
      marks.push(svg('line', { class: 'chart-grid', x1: box.left, x2: box.right, y1: y, y2: y }));
      marks.push(svg('text', { class: 'chart-y', x: box.left - 0.5 * em, y: y + 0.28 * em }, names[i]));
    }
    const along = ticks(x0, x1, Math.max(3, Math.floor((box.right - box.left) / (6 * em)))).filter(Number.isInteger);
    const steps = distinct(along);
    for (const [i, value] of along.entries()) {
      marks.push(svg('text', { class: 'chart-x', x: this.#scale.x(value), y: box.bottom + 1.4 * em }, steps[i]));
    }
    return marks;
  }

  #line({ x, y, hue, faint, dashed }) {
    const { path, alone } = thinned(x, y, this.#scale, (value) => this.#usable(value));
    const style = `hue-${hue}${faint ? ' faint' : ''}`;
    const dots = alone.map(([cx, cy]) => svg('circle', { class: `chart-dot ${style}`, cx, cy, r: faint ? 1.5 : 3 }));
    return [svg('path', { class: `chart-line ${style}${dashed ? ' dashed' : ''}`, d: path }), ...dots];
  }

  #point(event) {
    if (!this.#scale) return;
    const { box, x0, x1 } = this.#scale;
    const scale = this.#width / this.plot.getBoundingClientRect().width || 1;
    const share = (event.offsetX * scale - box.left) / (box.right - box.left);
    this.#move(x0 + clamp(share, 0, 1) * (x1 - x0));
  }

  #key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !this.#scale) return;
    const { x0, x1 } = this.#scale;
    this.#move(clamp((this.#at ?? x1) + (step * (x1 - x0)) / (event.shiftKey ? 10 : 100), x0, x1));
    event.preventDefault();
  }

  #move(x) {
    this.#at = x;
    this.#read();
  }

  /** The legend, with the values where the read-out is, else the last ones. */
  #read() {
    const mark = this.plot.querySelector('.chart-at');
    if (!mark) return;
    const shown = this.#series.filter((one) => !one.faint && one.x.length);
    const at = this.#at == null ? null : nearest(shown[0]?.x ?? [], this.#at);
    const items = shown.map((one) => {
      const index = at == null ? one.x.length - 1 : indexAt(one.x, at);
      return { one, x: one.x[index], y: one.y[index] };
    });
    this.legend.replaceChildren(...(at == null ? [] : [h('li', { class: 'chart-step number', text: `step ${at}` })]), ...items.map(({ one, y }) => h(
      'li', {}, h('span', { class: `chart-key hue-${one.hue}${one.dashed ? ' dashed' : ''}` }), `${one.name} `,
      h('span', { class: 'number', text: y == null ? '–' : precise(y) }),
    )));
    const step = items[0]?.x;
    this.said.textContent = `step ${step}: ${items.map(({ one, y }) => `${one.name} ${y == null ? 'none' : precise(y)}`).join(', ')}`;
    if (at == null) {
      mark.replaceChildren();
      return;
    }
    const { box, x, y } = this.#scale;
    mark.replaceChildren(
      svg('line', { class: 'chart-rule', x1: x(at), x2: x(at), y1: box.top, y2: box.bottom }),
      ...items.filter((item) => this.#usable(item.y)).map((item) => svg('circle', { class: `hue-${item.one.hue}`, cx: x(item.x), cy: y(item.y), r: 3.5 })),
    );
  }
}

/** A path through a series; of many points in one column of pixels the lowest and the highest; and points that are alone. */
function thinned(x, y, scale, usable) {
  let path = '';
  const alone = [];
  let open = 0; // points of the line so far
  let last = null;
  let column = null;
  const flush = () => {
    if (!column) return;
    const ys = column.low === column.high ? [column.low] : [column.low, column.high];
    for (const at of ys) {
      path += `${open ? 'L' : 'M'}${column.x} ${at.toFixed(1)}`;
      open += 1;
      last = [column.x, at];
    }
    column = null;
  };
  const end = () => {
    flush();
    if (open === 1) alone.push(last);
    open = 0;
  };
  for (let i = 0; i < x.length; i += 1) {
    if (!usable(y[i])) {
      end();
      continue;
    }
    const [px, py] = [Math.round(scale.x(x[i])), scale.y(y[i])];
    if (column?.x !== px) {
      flush();
      column = { x: px, low: py, high: py };
    }
    [column.low, column.high] = [Math.min(column.low, py), Math.max(column.high, py)];
  }
  end();
  return { path, alone };
}

/** Round numbers between two, about `count` of them. */
function ticks(low, high, count) {
  const rough = (high - low || 1) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const found = [];
  for (let i = Math.ceil(low / step); i * step <= high; i += 1) found.push(Number((i * step).toPrecision(10)));
  return found;
}

/** The index of the last value that is not after `at`; the first where all are. */
function indexAt(values, at) {
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (values[middle] <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

function nearest(values, at) {
  if (!values.length) return null;
  const index = indexAt(values, at);
  const next = Math.min(index + 1, values.length - 1);
  return Math.abs(values[next] - at) < Math.abs(values[index] - at) ? values[next] : values[index];
}

/** Numbers as short as they can be told from each other. */
function distinct(values) {
  const different = new Set(values).size;
  for (let digits = 3; ; digits += 1) {
    const names = values.map((value) => short(value, digits));
    if (digits === MOST_DIGITS || new Set(names).size === different) return names;
  }
}

function short(value, digits) {
  const size = Math.abs(value);
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(digits))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(digits))}k`;
  if (size && size < 1e-3) return value.toExponential(digits - 3);
  return String(Number(value.toPrecision(digits)));
}

const precise = (value) => (Math.abs(value) >= 10 ? value.toFixed(2) : String(Number(value.toPrecision(4))));
