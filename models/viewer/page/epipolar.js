/** Epipolar images through a pixel: the line across all views of the middle row, and down all of the middle column. */

export class Epipolar {
  #socket;
  #id;
  #strips;
  #asked = new Set();
  #frame = 0;
  #point = null;
  #running = false;
  #ends;

  /**
   * @param {Socket} socket
   * @param {string} id - of the light field
   * @param {{across: HTMLCanvasElement, down: HTMLCanvasElement}} strips
   */
  constructor(socket, id, strips) {
    this.#socket = socket;
    this.#id = id;
    this.#strips = strips;
    this.#ends = [
      socket.onFrame('epipolar', (header, blob) => this.#take(header, blob)),
      socket.onState((connected) => connected && this.through(this.#point)),
    ];
  }

  start(point) {
    this.#running = true;
    this.through(point);
  }

  stop() {
    this.#running = false;
  }

  close() {
    this.stop();
    for (const end of this.#ends) end();
  }

  /** @param {{x: number, y: number}} point - of the picture; asked for with the next frame of the screen */
  through(point) {
    this.#point = point;
    if (!this.#running || !point) return;
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      const number = this.#socket.next();
      const { x, y } = this.#point;
      if (this.#socket.send({ epipolar: { light_field: this.#id, x, y }, number })) this.#asked.add(number);
    });
  }

  async #take(header, blob) {
    if (!this.#asked.has(header.number)) return;
    const canvas = this.#strips[header.direction];
    const bitmap = await createImageBitmap(blob);
    if (header.number >= Number(canvas.dataset.number ?? 0)) {
      [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
      canvas.getContext('2d').drawImage(bitmap, 0, 0);
      Object.assign(canvas.dataset, { number: header.number, at: header.at });
    }
    bitmap.close();
    for (const old of this.#asked) if (old < header.number) this.#asked.delete(old);
    this.#socket.send({ painted: header.number });
  }
}
