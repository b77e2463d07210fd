/** Focus that goes from near to far and back, as fast as frames come. */

const SECONDS = 4; // from one end of the range to the other

export class Sweep {
  #settings;
  #frames;
  #depth;
  #told;
  #run = null;
  #rest = () => {};

  /**
   * @param {Settings} settings
   * @param {Frames} frames
   * @param {DepthMap} depth - whose range is swept
   * @param {function(boolean)} told - called when it starts and ends
   */
  constructor(settings, frames, depth, told) {
    this.#settings = settings;
    this.#frames = frames;
    this.#depth = depth;
    this.#told = told;
  }

  get playing() {
    return this.#run !== null;
  }

  toggle() {
    if (this.playing) this.stop();
    else this.start();
  }

  stop() {
    if (!this.playing) return;
    this.#run = null;
    this.#told(false);
    this.#rest();
  }

  async start() {
    const run = {};
    this.#run = run;
    this.#told(true);
    this.#rest = this.#frames.move();
    let { low, high } = this.#depth;
    let way = (this.#settings.values.disparity - low) / (high - low || 1);
    way = Math.min(Math.max(way, 0), 1);
    let before = performance.now();
    while (this.#run === run) {
      ({ low, high } = this.#depth);
      const painted = this.#frames.painted();
      this.#settings.set({ disparity: low + (high - low) * (way < 1 ? way : 2 - way), allInFocus: false });
      this.#frames.change(); // also where a turn gives the same plane twice
      await painted;
      await new Promise(requestAnimationFrame);
      const now = performance.now();
      way = (way + Math.min((now - before) / 1000, 0.25) / SECONDS) % 2;
      before = now;
    }
  }
}
