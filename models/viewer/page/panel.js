/** The controls of a light field: they show its settings and change them. */

import { ApertureView } from './aperture_view.js';
import { choice, segments, slider, toggle } from './controls.js';
import { h, icon, signed } from './dom.js';

const SHAPES = { disk: 'Disk', square: 'Square', polygon: 'Polygon', annulus: 'Ring', cateye: 'Cat’s eye' };
const HALVES = { whole: 'Whole', left: 'Left half', right: 'Right half' };
const INTERPOLATIONS = { '': 'Automatic', nearest: 'Nearest', bilinear: 'Bilinear', bicubic: 'Bicubic' };
/** Controls that only one shape has. */
const OF_SHAPE = { blades: 'polygon', rotation: 'polygon', inner: 'annulus', cut: 'cateye' };

/** What the picture of the aperture shows. */
const OF_APERTURE = new Set(['shape', 'radius', 'blades', 'rotation', 'inner', 'half', 'v', 'u']);

/** A round step of which about 400 make up the range. */
function stepOf([low, high]) {
  return Math.max(10 ** Math.floor(Math.log10((high - low) / 100)), 0.001);
}

export class Panel {
  /**
   * @param {Settings} settings
   * @param {{rest: function(), play: function(), help: function(), reset: function(), save: HTMLElement}} actions -
   *   `rest`: a control was let go; `save`: the section that saves
   */
  constructor(settings, { rest, play, help, reset, save }) {
    this.settings = settings;
    this.rest = rest;
    this.view = new ApertureView(settings.reach);
    this.controls = this.#make();
    this.play = h('button', { type: 'button', class: 'button', onclick: play });
    this.hint = h('p', { class: 'muted small', text: 'Bright edges? Close the aperture.', hidden: true });
    this.element = h(
      'div', { class: 'panel', role: 'group', 'aria-label': 'Settings of the picture' },
      ...this.#sections(), this.#foot(help, reset), save,
    );
    this.playing(false);
    settings.onChange((names) => this.show(names));
    this.show();
  }

  #slider(name, told) {
    const more = name === 'disparity' ? { allInFocus: false } : {};
    const change = (value) => {
      this.settings.set({ [name]: value, ...more });
      this.controls[name].set(this.settings.values[name]); // it may have been out of reach
    };
    return slider({ ...told, change, rest: this.rest });
  }

  #set(name) {
    return (value) => this.settings.set({ [name]: value });
  }

  #make() {
    const { radiusRange, reach } = this.settings;
    const steps = (value) => `${value.toFixed(2)} views`;
    return {
      disparity: this.#slider('disparity', {
        label: 'Disparity in focus', range: [-2, 2], step: 0.01, format: (value) => `${signed(value, 3)} px/view`,
        hint: 'Pixels that the plane in focus moves from one view to the next',
      }),
      allInFocus: toggle({ label: 'All in focus', change: this.#set('allInFocus') }),
      radius: this.#slider('radius', { label: 'Radius', range: radiusRange, step: 0.05, format: steps }),
      shape: choice({ label: 'Shape', options: SHAPES, change: this.#set('shape') }),
      blades: this.#slider('blades', { label: 'Blades', range: [3, 12], step: 1, format: String }),
      rotation: this.#slider('rotation', { label: 'Rotation', range: [0, 120], step: 1, format: (value) => `${value}°` }),
      inner: this.#slider('inner', { label: 'Inner radius', range: [0, radiusRange[1]], step: 0.05, format: steps }),
      cut: this.#slider('cut', { label: 'Cut', range: [0, 1.2], step: 0.05, format: (value) => `${value.toFixed(2)} radii` }),
      half: segments({ label: 'Dual-pixel half', options: HALVES, change: this.#set('half') }),
      u: this.#slider('u', { label: 'Across', range: [-reach.u, reach.u], step: 0.05, format: (value) => signed(value, 2) }),
      v: this.#slider('v', { label: 'Down', range: [-reach.v, reach.v], step: 0.05, format: (value) => signed(value, 2) }),
      hold: toggle({ label: 'Hold where a drag ends', change: this.#set('hold') }),
      exposure: this.#slider('exposure', { label: 'Exposure', range: [-4, 4], step: 0.1, format: (value) => `${signed(value, 2)} EV` }),
      interpolation: choice({ label: 'Interpolation', options: INTERPOLATIONS, change: this.#set('interpolation') }),
      map: toggle({ label: 'Disparity map', change: this.#set('map') }),
      epipolar: toggle({ label: 'Epipolar slices', change: this.#set('epipolar') }),
    };
  }

  #sections() {
    const own = (...names) => names.map((name) => this.controls[name].element);
    const section = (title, ...content) => h('section', {}, h('h3', { text: title }), ...content);
    const shapes = h('div', { class: 'beside' }, this.view.element, h('div', {}, ...own('radius', 'shape')));
    return [
      section('Focus', ...own('disparity', 'allInFocus'), this.hint, this.play),
      section('Aperture', shapes, ...own('blades', 'rotation', 'inner', 'cut', 'half')),
      section('Viewpoint, view steps', ...own('u', 'v', 'hold')),
      section('Picture', ...own('exposure', 'interpolation')),
      section('Look into it', ...own('map', 'epipolar')),
    ];
  }

  #foot(help, reset) {
    const back = h('button', { type: 'button', class: 'button quiet', onclick: reset }, icon('reset'), 'Reset');
    const keys = h('button', { type: 'button', class: 'button quiet', onclick: help }, icon('help'), 'Keys and help');
    return h('div', { class: 'panel-foot' }, back, keys);
  }

  /** @param {number[]} range - of disparities worth a look */
  limit(range) {
    this.controls.disparity.limit(range, stepOf(range));
    this.show();
  }

  /** @returns {number} the step of the disparity's slider */
  get step() {
    return Number(this.controls.disparity.input.step);
  }

  playing(on) {
    this.play.replaceChildren(icon(on ? 'pause' : 'play'), on ? 'Pause the sweep' : 'Play a focal sweep');
    this.play.setAttribute('aria-pressed', String(on));
  }

  /** @param {Iterable<string>} names - of the settings that changed */
  show(names = Object.keys(this.controls)) {
    const { values, reach } = this.settings;
    for (const name of names) this.controls[name].set(values[name]);
    for (const [name, shape] of Object.entries(OF_SHAPE)) this.controls[name].element.hidden = values.shape !== shape;
    this.hint.hidden = !values.allInFocus;
    this.controls.u.input.disabled = reach.u === 0;
    this.controls.v.input.disabled = reach.v === 0;
    if ([...names].some((name) => OF_APERTURE.has(name))) this.view.show(values);
  }
}
