/** The photographs of this page, and how far the server is with each. */

import { ask } from './dom.js';

const LARGEST = 256 * 2 ** 20; // bytes of a file
const THUMBNAIL = 160; // pixels of its longer side
const MOST_NAMED = 4; // of the files of one drop that cannot be restored
const LONGEST_NAME = 40;
const AT_WORK = ['sending', 'waiting', 'running'];

/**
 * @typedef {object} Item
 * @property {?File} file - or an exhibit of the command
 * @property {?string} exhibit
 * @property {?string} id - once the server has it
 * @property {'sending'|'waiting'|'running'|'done'|'failed'|'cancelled'} state
 * @property {?Part} working - what the network is at
 */

export class Queue {
  #socket;
  #told;
  #early = new Map(); // messages of pictures whose number is not known here yet
  #sending = Promise.resolve();
  #drops = 0;
  #exhibits = { name: 'exhibits', refused: [] };

  /**
   * @param {Socket} socket
   * @param {{changed: function(Item), tile: function(Item, Part), fresh: function(Item), listed: function(Item),
   *   fail: function(string, string)}} told - `fresh`: the whole result is another one; `listed`: added, removed or
   *   accepted; `fail`: what is wrong, and a word that later ones share which take its place
   */
  constructor(socket, told) {
    this.#socket = socket;
    this.#told = told;
    this.items = [];
    this.weights = '';
    this.stop = [
      socket.onMessage((message) => message.photograph && this.#receive(message)),
      socket.onState((connected) => this.#connection(connected)),
    ];
  }

  /** @param {Iterable<File>} files */
  add(files) {
    this.#drops += 1;
    const drop = { name: `drop ${this.#drops}`, refused: [] };
    for (const file of files) {
      if (file.size > LARGEST) {
        this.#refuse(drop, file.name, `got ${Math.round(file.size / 2 ** 20)} MB, want at most ${LARGEST / 2 ** 20} MB`);
      } else this.#list({ name: file.name || 'pasted', file, drop });
    }
  }

  /** Say which of the files that came together cannot be restored, and why. */
  #refuse(drop, name, reason) {
    drop.refused.push(`${shortened(name)}: ${reason}`);
    const { length } = drop.refused;
    const named = drop.refused.slice(0, MOST_NAMED);
    const more = length > MOST_NAMED ? [`and ${length - MOST_NAMED} more`] : [];
    const lines = length > 1 ? [`${length} files cannot be restored:`, ...named, ...more] : named;
    this.#told.fail(lines.join('\n'), drop.name);
  }

  /** @param {{id: string, name: string}} exhibit */
  addExhibit(exhibit) {
    this.#list({ name: exhibit.name, exhibit: exhibit.id, drop: this.#exhibits });
  }

  async cancel(item) {
    await this.#ask(item, '/cancel');
  }

  /** Restore it again, by the weights that are chosen now. */
  async again(item) {
    item.weights = this.weights;
    await this.#ask(item, '/start', { weights: this.weights });
  }

  async remove(item) {
    this.items = this.items.filter((other) => other !== item);
    if (item.thumbnail) URL.revokeObjectURL(item.thumbnail);
    this.#told.listed(item);
    if (item.id) await this.#ask(item, '', {}, 'DELETE');
    item.removed = true;
  }

  /** Have the server load a network before it is needed. */
  async prepare() {
    const session = await this.#socket.session;
    await ask(`/api/photographs/prepare?${new URLSearchParams({ session, weights: this.weights })}`, { method: 'POST' }).catch(() => {});
  }

  /** Where something of a picture is; its session is that of its upload. */
  address(item, path, asked = {}) {
    return `/api/photographs/${item.id}${path}?${new URLSearchParams({ session: item.session, ...asked })}`;
  }

  part(item, side, { x, y, width, height }, scale) {
    return this.address(item, '/part', { side, x, y, width, height, scale: scale.toFixed(6) });
  }

  isAtWork(item) {
    return AT_WORK.includes(item.state);
  }

  close() {
    for (const stop of this.stop) stop();
  }

  #list({ name, drop, file = null, exhibit = null }) {
    const item = { name, drop, file, exhibit, saved: false, id: null, state: 'sending', progress: 0, left: null, message: '', strength: 1, mask: null, weights: this.weights };
    this.items.push(item);
    this.#told.listed(item);
    this.#send(item);
  }

  /** One after the other: pictures that wait their turn here take nothing there. */
  #send(item) {
    this.#sending = this.#sending.then(() => this.#upload(item));
  }

  async #upload(item) {
    if (!this.items.includes(item)) return;
    const session = await this.#socket.session;
    const what = item.file ? { name: item.name } : { exhibit: item.exhibit };
    const query = new URLSearchParams({ session, ...what, weights: item.weights });
    try {
      const answer = await ask(`/api/photographs?${query}`, { method: 'POST', body: item.file });
      const { id, name, width, height, bits } = await answer.json();
      Object.assign(item, { id, session, name, width, height, bits, state: 'waiting' });
    } catch (error) {
      if (session !== (await this.#socket.session)) return; // it is sent again
      this.items = this.items.filter((other) => other !== item);
      this.#refuse(item.drop, item.name, reasonOf(error, item.name));
      this.#told.listed(item);
      return;
    }
    if (!this.items.includes(item)) {
      await this.#ask(item, '', {}, 'DELETE');
      return;
    }
    this.#told.listed(item);
    const early = this.#early.get(item.id);
    this.#early.delete(item.id);
    if (early) this.#show(item, early);
    this.#thumbnail(item);
  }

  async #thumbnail(item) {
    const scale = Math.min(1, THUMBNAIL / Math.max(item.width, item.height));
    try {
      const answer = await ask(this.part(item, 'before', { x: 0, y: 0, width: item.width, height: item.height }, scale));
      if (item.thumbnail) URL.revokeObjectURL(item.thumbnail);
      item.thumbnail = URL.createObjectURL(await answer.blob());
      this.#told.changed(item);
    } catch {
      // a picture in a list; what is wrong is told where it is looked at
    }
  }

  #receive(message) {
    const item = this.items.find((one) => one.id === message.photograph);
    if (item) this.#show(item, message);
    else if (this.items.some((one) => !one.id)) this.#early.set(message.photograph, message);
  }

  #show(item, message) {
    const begun = message.state === 'waiting' && item.progress > 0;
    const ended = message.state !== item.state && !AT_WORK.includes(message.state);
    item.state = message.state;
    item.progress = message.progress;
    item.left = message.seconds_left;
    item.message = message.message;
    item.working = message.state === 'running' && message.next ? partOf(message.next) : null;
    if (message.tile) this.#told.tile(item, partOf(message.tile));
    if (begun || ended) item.saved = false;
    if (begun || ended) this.#told.fresh(item);
    this.#told.changed(item);
  }

  /** After a loss the server has nothing of this page: what is still here is sent again. */
  #connection(connected) {
    this.#early.clear();
    for (const item of this.items) {
      Object.assign(item, { id: null, state: 'sending', progress: 0, left: null, working: null });
      this.#told.listed(item);
      if (connected) this.#send(item);
    }
  }

  async #ask(item, path, asked = {}, method = 'POST') {
    try {
      await ask(this.address(item, path, asked), { method });
    } catch (error) {
      this.#told.fail(error.message);
    }
  }
}

function partOf([x, y, width, height]) {
  return { x, y, width, height };
}

/** Why a file is refused; what a library says of its own insides tells nobody anything. */
function reasonOf(error, name) {
  const reason = error.message.startsWith(`${name}: `) ? error.message.slice(name.length + 2) : error.message;
  return /vips/i.test(reason) ? 'not a readable picture' : reason;
}

function shortened(name) {
  if (name.length <= LONGEST_NAME) return name;
  return `${name.slice(0, LONGEST_NAME - 13)}…${name.slice(-12)}`;
}
