/** Where a picture is restored: painted with a soft brush. */

const LONGEST = 1024; // pixels of the mask's longer side
const HARD = 0.55; // of the brush's radius: within, it covers fully
const STEPS = 20; // that can be taken back
const SPACING = 0.2; // of the radius, between two dabs of a stroke

export class Mask {
  #context;
  #tint;
  #undone = [];
  #done = []; // what was covered before each step, oldest first

  /** For a picture of this size; nothing is painted. */
  constructor(width, height) {
    this.scale = Math.min(1, LONGEST / Math.max(width, height));
    this.canvas = document.createElement('canvas');
    this.canvas.width = Math.max(1, Math.round(width * this.scale));
    this.canvas.height = Math.max(1, Math.round(height * this.scale));
    this.#context = this.canvas.getContext('2d', { willReadFrequently: true });
  }

  /**
   * A dab, or a stroke that ends here.
   * @param {{x: number, y: number}} point - in pixels of the picture
   * @param {?{x: number, y: number}} from - where the stroke was before
   * @param {number} radius - in pixels of the picture
   * @param {boolean} erase
   */
  paint(point, from, radius, erase) {
    const size = Math.max(radius * this.scale, 0.5);
    const [x, y] = [point.x * this.scale, point.y * this.scale];
    const [startX, startY] = from ? [from.x * this.scale, from.y * this.scale] : [x, y];
    const dabs = Math.max(1, Math.ceil(Math.hypot(x - startX, y - startY) / (SPACING * size)));
    this.#context.globalCompositeOperation = erase ? 'destination-out' : 'source-over';
    for (let dab = 1; dab <= dabs; dab += 1) {
      const share = dab / dabs;
      this.#dab(startX + share * (x - startX), startY + share * (y - startY), size);
    }
    this.#tint = null;
  }

  #dab(x, y, radius) {
    const soft = this.#context.createRadialGradient(x, y, HARD * radius, x, y, radius);
    soft.addColorStop(0, '#fff');
    soft.addColorStop(1, 'rgb(255 255 255 / 0%)');
    this.#context.fillStyle = soft;
    this.#context.beginPath();
    this.#context.arc(x, y, radius, 0, 2 * Math.PI);
    this.#context.fill();
  }

  get canUndo() {
    return this.#done.length > 0;
  }

  get canRedo() {
    return this.#undone.length > 0;
  }

  /** A step begins: it may be taken back later. */
  remember() {
    this.#done.push(this.#cover());
    if (this.#done.length > STEPS) this.#done.shift();
    this.#undone = [];
  }

  undo() {
    this.#step(this.#done, this.#undone);
  }

  redo() {
    this.#step(this.#undone, this.#done);
  }

  #step(from, to) {
    if (!from.length) return;
    to.push(this.#cover());
    const cover = from.pop();
    const pixels = new ImageData(this.canvas.width, this.canvas.height);
    pixels.data.fill(255);
    cover.forEach((alpha, i) => { pixels.data[4 * i + 3] = alpha; });
    this.#context.putImageData(pixels, 0, 0);
    this.#tint = null;
  }

  /** @returns {Uint8Array} how much of each pixel is covered */
  #cover() {
    const { data } = this.#context.getImageData(0, 0, this.canvas.width, this.canvas.height);
    return Uint8Array.from({ length: data.length / 4 }, (_, i) => data[4 * i + 3]);
  }

  clear() {
    this.#context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.#tint = null;
  }

  invert() {
    this.#fill(this.#context, 'source-out', '#fff');
    this.#tint = null;
  }

  /** The mask in a colour, for the screen. */
  tinted(colour) {
    if (this.#tint?.colour !== colour) {
      const canvas = this.#copy();
      this.#fill(canvas.getContext('2d'), 'source-in', colour);
      this.#tint = { colour, canvas };
    }
    return this.#tint.canvas;
  }

  /** @returns {Promise<Blob>} PNG, white where the picture is restored, on black */
  png() {
    const canvas = this.#copy();
    this.#fill(canvas.getContext('2d'), 'destination-over', '#000');
    return new Promise((resolve) => { canvas.toBlob(resolve, 'image/png'); });
  }

  #copy() {
    const canvas = document.createElement('canvas');
    Object.assign(canvas, { width: this.canvas.width, height: this.canvas.height });
    canvas.getContext('2d').drawImage(this.canvas, 0, 0);
    return canvas;
  }

  #fill(context, operation, colour) {
    context.globalCompositeOperation = operation;
    context.fillStyle = colour;
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }
}
