/** The list of photographs: what each is, how far it is, what can be done with it. */

import { h, icon } from './dom.js';

const STATES = { sending: 'Sending…', waiting: 'Waiting', done: 'Restored', cancelled: 'Cancelled' };

export class QueueList {
  #queue;
  #choose;
  #rows = new Map();

  /**
   * @param {Queue} queue
   * @param {function(Item)} choose
   */
  constructor(queue, choose) {
    this.#queue = queue;
    this.#choose = choose;
    this.element = h('ul', { class: 'queue', 'aria-label': 'Photographs' });
    this.status = h('p', { class: 'hidden-text', role: 'status' });
  }

  /** Bring the rows in line with the queue. @param {?Item} chosen */
  list(chosen) {
    for (const [item, row] of this.#rows) {
      if (this.#queue.items.includes(item)) continue;
      row.element.remove();
      this.#rows.delete(item);
    }
    for (const item of this.#queue.items) {
      if (!this.#rows.has(item)) this.#rows.set(item, this.#row(item));
      const row = this.#rows.get(item);
      if (row.element.parentNode !== this.element) this.element.append(row.element);
      row.choose.setAttribute('aria-current', String(item === chosen));
      this.show(item);
    }
  }

  /** An item has changed. */
  show(item) {
    const row = this.#rows.get(item);
    if (!row) return;
    const atWork = this.#queue.isAtWork(item);
    row.name.textContent = item.name;
    row.state.textContent = stateOf(item);
    row.state.classList.toggle('bad', item.state === 'failed');
    row.bar.hidden = !atWork;
    if (item.state === 'sending') row.bar.removeAttribute('value');
    else row.bar.value = item.progress;
    row.cancel.hidden = !atWork || item.state === 'sending';
    row.again.hidden = atWork;
    if (item.thumbnail && row.image.src !== item.thumbnail) row.image.src = item.thumbnail;
    row.image.hidden = !item.thumbnail;
    if (row.told !== item.state && ['done', 'failed', 'cancelled'].includes(item.state)) {
      this.status.textContent = `${item.name}: ${stateOf(item)}`;
    }
    row.told = item.state;
  }

  #row(item) {
    const button = (name, what, act) => h('button', {
      type: 'button', class: 'button quiet icon-only', 'aria-label': `${what} ${item.name}`, title: what, onclick: act,
    }, icon(name));
    const row = {
      told: item.state,
      image: h('img', { alt: '', hidden: true }),
      name: h('span', { class: 'queue-name', title: item.name }),
      state: h('span', { class: 'queue-state number' }),
      bar: h('progress', { max: '1', 'aria-label': `Progress of ${item.name}` }),
      cancel: button('stop', 'Cancel', () => this.#queue.cancel(item)),
      again: button('again', 'Restore again', () => this.#queue.again(item)),
    };
    const remove = button('close', 'Remove', () => this.#remove(item));
    row.choose = h(
      'button', { type: 'button', class: 'queue-choose', onclick: () => this.#choose(item) },
      h('span', { class: 'thumbnail' }, icon('photograph'), row.image),
      h('span', { class: 'queue-words' }, row.name, row.state),
    );
    row.element = h('li', { class: 'queue-item' }, row.choose, row.cancel, row.again, remove, row.bar);
    return row;
  }

  /** The focus goes on to a neighbour. */
  #remove(item) {
    const at = this.#queue.items.indexOf(item);
    this.#queue.remove(item);
    const next = this.#queue.items[Math.min(at, this.#queue.items.length - 1)];
    if (next) this.#rows.get(next).choose.focus();
  }
}

function stateOf(item) {
  if (item.state === 'failed') return item.message || 'Failed';
  if (item.state !== 'running') return STATES[item.state];
  const percent = `${Math.floor(100 * item.progress)} %`;
  return item.left == null ? 'Restoring…' : `${percent} · ${timeOf(item.left)} left`;
}

function timeOf(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  return `${Math.round(seconds / 60)} min`;
}
