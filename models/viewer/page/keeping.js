/** Restored photographs, saved as files. */

import { ask, h, icon } from './dom.js';

export class Keeping {
  #queue;
  #notify;

  /**
   * @param {Queue} queue
   * @param {function(): ?Item} chosen
   * @param {function(string, string)} notify
   */
  constructor(queue, chosen, notify) {
    this.#queue = queue;
    this.#notify = notify;
    const button = (kind, text, act) => h('button', { type: 'button', class: `button ${kind}`, onclick: act }, icon('save'), text);
    this.one = button('primary', 'Save photograph', () => this.#save([chosen()]));
    this.all = button('', 'Save all', () => this.#save(this.#done));
    this.hint = h('p', { class: 'muted small', text: 'Same format and depth, with its EXIF and colour profile.' });
    this.element = h('section', {}, h('h3', { text: 'Keep it' }), this.one, this.all, this.hint);
  }

  /** What can be saved may have changed. @param {?Item} chosen */
  show(chosen) {
    this.one.disabled = chosen?.state !== 'done';
    this.all.hidden = this.#queue.items.length < 2;
    this.all.disabled = !this.#done.length;
  }

  get #done() {
    return this.#queue.items.filter((item) => item.state === 'done');
  }

  async #save(items) {
    for (const item of items) {
      try {
        const body = item.mask ? await item.mask.png() : null;
        const asked = { strength: String(item.strength) };
        const answer = await ask(this.#queue.address(item, '/result', asked), { method: 'POST', body });
        download(await answer.blob(), nameOf(answer));
      } catch (error) {
        this.#notify(error.message, 'error');
      }
    }
  }
}

function nameOf(answer) {
  return decodeURIComponent(answer.headers.get('Content-Disposition').split("''")[1]);
}

function download(blob, name) {
  const address = URL.createObjectURL(blob);
  h('a', { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}
