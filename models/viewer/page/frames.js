/** Pictures of a light field on their way: asked for as the settings move, decoded only when they are the newest. */

const REST = 120; // milliseconds without a change, after which the picture is asked for in full

export class Frames {
  #socket;
  #id;
  #asked;
  #paint;
  #requests = new Map();
  #painted = 0;
  #waiting = null;
  #decoding = false;
  #timer = 0;
  #frame = 0;
  #running = false;
  #movers = 0;
  #waiters = [];
  #ends;

  /**
   * @param {Socket} socket
   * @param {string} id - of the light field
   * @param {function(): object} asked - the settings of the picture, when it is asked for
   * @param {function(ImageBitmap, object)} paint - put it on the screen; with what is known of the frame
   * @param {function(string)} fail - a picture that cannot be had, in one line
   */
  constructor(socket, id, asked, paint, fail) {
    this.#socket = socket;
    this.#id = id;
    this.#asked = asked;
    this.#paint = paint;
    this.#ends = [
      socket.onFrame('picture', (header, blob) => this.#take(header, blob)),
      socket.onMessage((message) => this.#failed(message, fail)),
      socket.onState((connected) => this.#turn(connected)),
    ];
  }

  /** Ask from now on; the first picture at once. */
  start() {
    this.#running = true;
    this.change();
  }

  stop() {
    this.#running = false;
    clearTimeout(this.#timer);
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#release();
  }

  close() {
    this.stop();
    for (const end of this.#ends) end();
  }

  /** Something has changed: a draft with the next frame of the screen, the whole picture once it rests. */
  change() {
    if (!this.#running) return;
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#ask(true);
    });
    clearTimeout(this.#timer);
    if (!this.#movers) this.#timer = setTimeout(() => this.settle(), REST);
  }

  /**
   * Something begins to move by itself: until it rests no picture is asked for in full, however long drafts take.
   * @returns {function()} to call when it rests; further calls do nothing
   */
  move() {
    this.#movers += 1;
    let moves = true;
    return () => {
      if (moves) this.#movers -= 1;
      if (moves && !this.#movers) this.settle();
      moves = false;
    };
  }

  /** Nothing moves any more: the whole picture. */
  settle() {
    if (!this.#running) return;
    clearTimeout(this.#timer);
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#ask(false);
  }

  /** @returns {Promise} kept when the next frame is painted, or none will be */
  painted() {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #release() {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  #turn(connected) {
    this.#requests.clear();
    this.#release();
    if (connected) this.change();
  }

  #ask(draft) {
    const number = this.#socket.next();
    const settings = this.#asked();
    if (!this.#socket.send({ picture: { light_field: this.#id, ...settings, draft }, number })) return;
    this.#requests.set(number, { settings, asked: performance.now() });
  }

  #failed(message, fail) {
    if (!message.error || !this.#requests.has(message.number)) return;
    this.#requests.delete(message.number);
    this.#release();
    fail(message.error);
  }

  #take(header, blob) {
    if (header.number < this.#painted) {
      this.#pass(this.#painted); // late: a whole picture may be overtaken by drafts that are newer
      return;
    }
    if (!this.#requests.has(header.number) || header.number < this.#waiting?.header.number) return;
    this.#waiting = { header, blob };
    if (!this.#decoding) this.#decode();
  }

  async #decode() {
    this.#decoding = true;
    while (this.#waiting) {
      const { header, blob } = this.#waiting;
      this.#waiting = null;
      const known = this.#requests.get(header.number);
      this.#painted = header.number;
      try {
        const bitmap = await createImageBitmap(blob);
        this.#paint(bitmap, { ...header, ...known });
        bitmap.close();
      } catch (error) {
        console.warn(error); // a frame that cannot be decoded: the next may
      }
      this.#pass(header.number);
      this.#release();
    }
    this.#decoding = false;
  }

  /** Tell the server that there is room again; what was asked for before is not waited for any more. */
  #pass(number) {
    this.#socket.send({ painted: number });
    for (const old of this.#requests.keys()) if (old <= number) this.#requests.delete(old);
  }
}
