/** The page's socket: frames and messages down, requests up; comes back after a loss. */

const RETRY = [250, 500, 1000, 2000]; // milliseconds before each further try; the last one again and again

export class Socket {
  #socket = null;
  #frames = new Map();
  #messages = new Set();
  #states = new Set();
  #tries = 0;
  #number = 0;
  #opened = null;

  constructor() {
    this.connected = false;
    this.#renew();
    this.#connect();
  }

  /** @returns {number} larger than all before, for a request of any kind. */
  next() {
    this.#number += 1;
    return this.#number;
  }

  /** @returns {boolean} whether it went; what does not is not kept. */
  send(object) {
    if (!this.connected) return false;
    this.#socket.send(JSON.stringify(object));
    return true;
  }

  /**
   * Call `handler(header, blob)` for frames of a kind.
   * @returns {function()} that ends it
   */
  onFrame(kind, handler) {
    if (!this.#frames.has(kind)) this.#frames.set(kind, new Set());
    return subscribe(this.#frames.get(kind), handler);
  }

  /** Call `handler(object)` for messages other than frames. */
  onMessage(handler) {
    return subscribe(this.#messages, handler);
  }

  /** Call `handler(connected)` at each loss and each return; at a return with a new session. */
  onState(handler) {
    return subscribe(this.#states, handler);
  }

  /** A promise of the session's id, that is new after a loss. */
  #renew() {
    this.session = new Promise((resolve) => {
      this.#opened = resolve;
    });
  }

  #connect() {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const socket = new WebSocket(`${scheme}://${location.host}/api/socket`);
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('message', (event) => this.#receive(event.data));
    socket.addEventListener('close', () => this.#lost());
    this.#socket = socket;
  }

  #lost() {
    if (this.connected) {
      this.#renew();
      this.#turn(false);
    }
    const wait = RETRY[Math.min(this.#tries, RETRY.length - 1)];
    this.#tries += 1;
    setTimeout(() => this.#connect(), wait);
  }

  #turn(connected) {
    this.connected = connected;
    for (const handler of this.#states) handler(connected);
  }

  #receive(data) {
    if (typeof data !== 'string') {
      const [header, blob] = unpack(data);
      for (const handler of this.#frames.get(header.kind) ?? []) handler(header, blob);
      return;
    }
    const message = JSON.parse(data);
    if (message.session) {
      this.#tries = 0;
      this.#opened(message.session);
      this.#turn(true);
      return;
    }
    for (const handler of this.#messages) handler(message);
  }
}

function subscribe(set, handler) {
  set.add(handler);
  return () => set.delete(handler);
}

/** @returns {[object, Blob]} the header and the picture of a frame. */
function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const bytes = new Uint8Array(buffer, 4 + length);
  const type = bytes[0] === 0x89 ? 'image/png' : 'image/jpeg';
  return [header, new Blob([bytes], { type })];
}
