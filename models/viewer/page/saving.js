/** Pictures to keep, and the lines that make them elsewhere. */

import { ask, h, icon, newId, openDialog } from './dom.js';

const PLANES = 9;

export class Saving {
  #settings;
  #depth;
  #notify;
  #base;

  /**
   * @param {string} id - of the light field
   * @param {Settings} settings
   * @param {DepthMap} depth - whose range a stack has
   * @param {function(string, string)} notify
   */
  constructor(id, settings, depth, notify) {
    this.#settings = settings;
    this.#depth = depth;
    this.#notify = notify;
    this.#base = `/api/light-fields/${encodeURIComponent(id)}`;
    this.picture = h('a', { class: 'button primary', download: '' }, icon('save'), 'Save PNG');
    const stack = this.#button('stack', 'Save stack…', () => this.#openStack());
    const shell = this.#button('terminal', 'Copy command', () => this.#copy('shell', 'The command is copied.'));
    const python = this.#button('code', 'Copy Python', () => this.#copy('python', 'The Python lines are copied.'));
    const buttons = h('div', { class: 'buttons' }, this.picture, stack, shell, python);
    this.element = h('section', { class: 'keep', 'aria-label': 'Save and copy' }, buttons);
    settings.onChange(() => this.#link());
    this.#link();
  }

  #button(name, text, act) {
    return h('button', { type: 'button', class: 'button', onclick: act }, icon(name), text);
  }

  #link() {
    this.picture.href = `${this.#base}/picture.png?${this.#settings.query()}`;
  }

  async #copy(kind, done) {
    try {
      const lines = (await (await ask(`${this.#base}/code?${this.#settings.query()}`)).json())[kind];
      await navigator.clipboard.writeText(lines).then(() => this.#notify(done), () => showLines(lines));
    } catch (error) {
      this.#notify(error.message, 'error');
    }
  }

  #openStack() {
    const number = (label, value, more) => {
      const input = h('input', { type: 'number', id: newId('plane'), value, step: 'any', required: true, ...more });
      return { input, element: h('div', { class: 'stack-field' }, h('label', { for: input.id, text: label }), input) };
    };
    const low = number('From', this.#depth.low.toFixed(3));
    const high = number('To', this.#depth.high.toFixed(3));
    const count = number('Planes', PLANES, { min: 1, max: 200, step: 1 });
    const save = h('a', { class: 'button primary', download: '' }, icon('save'), 'Save ZIP');
    const fields = [low, high, count];
    const link = () => {
      const good = fields.every(({ input }) => input.checkValidity());
      save.toggleAttribute('href', good);
      save.setAttribute('aria-disabled', String(!good));
      const planes = fields.map(({ input }) => input.value).join(':');
      if (good) save.href = `${this.#base}/stack.zip?${this.#settings.query({ planes })}`;
    };
    for (const { input } of fields) input.addEventListener('input', link);
    link();
    const text = 'One PNG for each plane in focus, evenly from the first to the last, in pixels per view step.';
    const row = h('div', { class: 'stack-fields' }, ...fields.map(({ element }) => element));
    const dialog = openDialog('Save a focal stack', [h('p', { text }), row], [save]);
    save.addEventListener('click', () => save.href && setTimeout(() => dialog.close()));
  }
}

/** Where the clipboard is out of reach: the lines, selected. */
function showLines(lines) {
  const text = h('textarea', { class: 'mono', rows: '9', readonly: true, 'aria-label': 'Lines to copy' });
  text.value = lines;
  openDialog('Copy these lines', [text]);
  text.focus();
  text.select();
}
