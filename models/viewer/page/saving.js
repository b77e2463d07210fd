/** Pictures to keep, and the lines that make them elsewhere. */

import { ask, h, icon, newId, openDialog } from './dom.js';
import { download } from './downloads.js';

const PLANES = 9;
const MOST_PLANES = 200; // that the server puts in one file

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
    this.picture = this.#button('save', 'Save PNG', () => this.#savePicture(), 'primary');
    this.stack = this.#button('stack', 'Save stack…', () => this.#openStack());
    const shell = this.#button('terminal', 'Copy command', () => this.#copy('shell', 'The command is copied.'));
    const python = this.#button('code', 'Copy Python', () => this.#copy('python', 'The Python lines are copied.'));
    this.said = h('p', { class: 'muted small said', role: 'status' });
    const buttons = h('div', { class: 'buttons' }, this.picture, this.stack, shell, python);
    this.element = h('section', { class: 'keep', 'aria-label': 'Save and copy' }, buttons, this.said);
  }

  #button(name, text, act, kind = '') {
    return h('button', { type: 'button', class: `button ${kind}`, onclick: act }, icon(name), text);
  }

  #savePicture() {
    const address = `${this.#base}/picture.png?${this.#settings.query()}`;
    return this.#save(this.picture, address, 'Drawing the picture…', 'The picture');
  }

  /** Save a file, while its button is busy and a line says so. */
  async #save(button, address, working, what) {
    if (button.ariaBusy === 'true') return;
    button.ariaBusy = 'true';
    this.#say(working);
    try {
      await download(address);
      this.#say(`${what} is saved.`);
    } catch (error) {
      this.#say(`${what} is not saved: ${error.message}`, true);
    }
    button.ariaBusy = 'false';
  }

  #say(text, bad = false) {
    this.said.textContent = text;
    this.said.classList.toggle('bad', bad);
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
    const count = number(`Planes, at most ${MOST_PLANES}`, PLANES, { min: 1, max: MOST_PLANES, step: 1 });
    const fields = [low, high, count];
    const save = this.#button('save', 'Save ZIP', () => {
      const planes = fields.map(({ input }) => input.value).join(':');
      const address = `${this.#base}/stack.zip?${this.#settings.query({ planes })}`;
      dialog.close();
      this.#save(this.stack, address, `Drawing ${count.input.value} planes…`, 'The stack');
    }, 'primary');
    const check = () => { save.disabled = !fields.every(({ input }) => input.checkValidity()); };
    for (const { input } of fields) input.addEventListener('input', check);
    const text = 'One PNG for each plane in focus, evenly from the first to the last, in pixels per view step.';
    const row = h('div', { class: 'stack-fields' }, ...fields.map(({ element }) => element));
    const dialog = openDialog('Save a focal stack', [h('p', { text }), row], [save]);
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
