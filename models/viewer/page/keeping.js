/** Restored photographs, saved as files. */

import { h, icon } from './dom.js';
import { download } from './downloads.js';

export class Keeping {
  #queue;
  #notify;
  #chosen;
  #stop = null; // an AbortController while files are saved

  /**
   * @param {Queue} queue
   * @param {function(): ?Item} chosen
   * @param {function(string, string)} notify
   */
  constructor(queue, chosen, notify) {
    this.#queue = queue;
    this.#notify = notify;
    this.#chosen = chosen;
    const button = (kind, name, text, act) => h('button', { type: 'button', class: `button ${kind}`, onclick: act }, icon(name), text);
    this.one = button('primary', 'save', 'Save photograph', () => this.#save([chosen()]));
    this.all = button('', 'save', 'Save all', () => this.#save(this.#done));
    this.stop = button('', 'stop', 'Stop', () => this.#stop?.abort());
    this.stop.hidden = true;
    this.said = h('p', { class: 'muted small said', role: 'status' });
    this.hint = h('p', { class: 'muted small', text: 'Same format and depth, with its EXIF and colour profile.' });
    this.element = h('section', {}, h('h3', { text: 'Keep it' }), this.one, this.all, this.stop, this.said, this.hint);
  }

  /** What can be saved may have changed. @param {?Item} chosen */
  show(chosen) {
    const saving = this.#stop !== null;
    this.one.disabled = saving || chosen?.state !== 'done';
    this.one.ariaBusy = String(saving);
    this.all.hidden = saving || this.#queue.items.length < 2;
    this.all.disabled = !this.#done.length;
    this.stop.hidden = !saving;
  }

  /** Whether there is a restored photograph that is in no file yet. */
  get unsaved() {
    return this.#done.some((item) => !item.saved);
  }

  get #done() {
    return this.#queue.items.filter((item) => item.state === 'done');
  }

  /** One after the other. */
  async #save(items) {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    this.show(this.#chosen());
    let saved = 0;
    for (const [i, item] of items.entries()) {
      if (signal.aborted) break;
      this.said.textContent = items.length > 1 ? `Saving ${i + 1} of ${items.length}` : 'Saving…';
      if (await this.#saveOne(item, signal)) saved += 1;
    }
    this.#stop = null;
    this.said.textContent = items.length > 1 ? `${saved} of ${items.length} saved.` : saved ? 'Saved.' : 'Not saved.';
    this.show(this.#chosen());
  }

  /** @returns {Promise<boolean>} whether it is saved */
  async #saveOne(item, signal) {
    try {
      const body = item.mask ? await item.mask.png() : null;
      const asked = { strength: String(item.strength) };
      await download(this.#queue.address(item, '/result', asked), { method: 'POST', body, signal });
      item.saved = true;
      return true;
    } catch (error) {
      if (error.name !== 'AbortError') this.#notify(`${item.name} is not saved: ${error.message}`, 'error');
      return false;
    }
  }
}
