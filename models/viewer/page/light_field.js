/** The pane of a light field: its parts put together. */

import { CENTRE, DepthMap } from './depth.js';
import { clamp, h } from './dom.js';
import { Epipolar } from './epipolar.js';
import { Frames } from './frames.js';
import { followPointer, followStageKeys } from './gestures.js';
import { openLightFieldHelp } from './help.js';
import { glide } from './motion.js';
import { Panel } from './panel.js';
import { Saving } from './saving.js';
import { Settings } from './settings.js';
import { Stage } from './stage.js';
import { StatusLine } from './status_line.js';
import { Sweep } from './sweep.js';

const FOCUS_MILLISECONDS = 250;
const BACK_MILLISECONDS = 320;
const LOOK_STEP = 0.25; // view steps, by keys
const RADIUS_STEP = 0.25;

/** @param {{exhibit: object, socket: Socket, notify: function(string, string)}} context */
export function createPane(context) {
  return new LightFieldPane(context);
}

class LightFieldPane {
  #stopFocus = () => {};
  #stopBack = () => {};
  #wish = null; // where to focus, once the disparity map is there
  #chosen; // whether the user has said what is in focus
  #gliding = false; // whether it is the focus itself that moves
  #seen = CENTRE; // how the picture on the screen is seen
  #mapSeen = null; // and the coloured map
  #grabbed = null;
  #measuring = false;
  #depthless = false;

  constructor({ exhibit, socket, notify }) {
    this.notify = notify;
    this.settings = new Settings(exhibit);
    this.#chosen = this.settings.kept;
    this.depth = new DepthMap(exhibit);
    this.stage = new Stage(exhibit);
    this.line = new StatusLine();
    const fail = (text) => notify(text, 'error');
    this.frames = new Frames(socket, exhibit.id, () => this.#asked(), (...frame) => this.#paint(...frame), fail);
    this.epipolar = new Epipolar(socket, exhibit.id, this.stage.strips);
    this.sweep = new Sweep(this.settings, this.frames, this.depth, (on) => this.panel.playing(on));
    this.saving = new Saving(exhibit.id, this.settings, this.depth, notify);
    this.panel = new Panel(this.settings, {
      rest: () => this.frames.settle(),
      play: () => this.sweep.toggle(),
      help: () => this.#help(),
      reset: () => this.#reset(),
      save: this.saving.element,
    });
    this.panel.limit(this.depth.range);
    const view = h('div', { class: 'view' }, this.stage.element, this.stage.beneath, this.line.element);
    view.style.setProperty('--ratio', String(exhibit.size[1] / exhibit.size[0]));
    this.element = h('div', { class: 'light-field' }, view, this.panel.element);
    this.settings.onChange((names, picture) => this.#changed(names, picture));
    this.ends = [socket.onState((connected) => connected && this.shown && this.#measure())];
    this.#listen();
  }

  show() {
    this.shown = true;
    this.keys.start();
    this.frames.start();
    this.#showSlices();
    this.#measure();
  }

  hide() {
    this.shown = false;
    this.keys.stop();
    this.sweep.stop();
    this.frames.stop();
    this.epipolar.stop();
  }

  close() {
    this.hide();
    this.frames.close();
    this.epipolar.close();
    this.stage.close();
    for (const end of this.ends) end();
  }

  #paint(bitmap, frame) {
    this.stage.paint(bitmap, frame);
    this.#seen = seenBy(frame.settings);
    this.#paintMap();
    this.line.count(frame.milliseconds);
    this.#say();
  }

  #changed(names, picture) {
    if (!this.#gliding && (names.has('disparity') || names.has('allInFocus'))) this.#choose();
    if (picture) this.frames.change();
    if (names.has('map')) this.#showMap();
    if (names.has('epipolar')) this.#showSlices();
    if (names.has('allInFocus') && this.settings.values.allInFocus) this.sweep.stop();
    if (this.settings.values.allInFocus || this.settings.values.map) this.#measure();
    this.#markLegend();
  }

  #listen() {
    followPointer(this.stage, {
      click: (point) => this.focusAt(point),
      hover: (point) => this.#pointAt(point),
      leave: () => this.line.show(null, null),
      grab: () => this.#grab(),
      drag: (right, down) => this.#drag(right, down),
      drop: (event) => this.#drop(event.shiftKey),
    });
    this.keys = followStageKeys({
      move: (right, down) => this.#step(right, down),
      look: (right, down) => this.#look(right * LOOK_STEP, down * LOOK_STEP),
      focus: () => this.focusAt(this.stage.point),
      keys: {
        '[': () => this.#shift(-1),
        ']': () => this.#shift(1),
        '-': () => this.#widen(-RADIUS_STEP),
        '=': () => this.#widen(RADIUS_STEP),
        '+': () => this.#widen(RADIUS_STEP),
        ' ': () => this.sweep.toggle(),
        d: () => this.settings.set({ map: !this.settings.values.map }),
        e: () => this.settings.set({ epipolar: !this.settings.values.epipolar }),
        '?': () => this.#help(),
      },
    });
    const cross = () => this.stage.showCrosshair(this.stage.slices || this.stage.canvas.matches(':focus-visible'));
    this.stage.canvas.addEventListener('focus', cross);
    this.stage.canvas.addEventListener('blur', cross);
    this.panel.controls.disparity.input.addEventListener('pointerdown', () => this.sweep.stop());
  }

  /** Focus on what is seen at a pixel; once it is known how far that is. */
  focusAt(point) {
    this.sweep.stop();
    this.#choose();
    this.#pointAt(point);
    this.stage.mark(point);
    this.#wish = point;
    if (this.depth.ready) this.#glideToWish();
    else this.#measure();
  }

  /** The user says what is in focus: nothing said before counts any more. */
  #choose() {
    this.#chosen = true;
    this.#wish = null;
    this.#stopFocus();
  }

  #reset() {
    this.sweep.stop();
    this.#choose();
    this.settings.reset();
  }

  #glideToWish() {
    const { x, y } = this.#behind(this.#wish);
    this.#wish = null;
    this.#glideTo(this.depth.at(x, y));
  }

  #glideTo(to) {
    const from = this.settings.values.disparity;
    this.#stopFocus();
    this.#stopFocus = this.#glide(FOCUS_MILLISECONDS, (share) => {
      this.#gliding = true;
      this.settings.set({ disparity: from + share * (to - from), allInFocus: false });
      this.#gliding = false;
    });
  }

  /** The pixel of the centre that is seen at a place of the picture. */
  #behind(place) {
    return this.depth.behind(place, this.#seen);
  }

  /** Drafts until it rests, then the whole picture; returns what stops it. */
  #glide(milliseconds, step) {
    const rest = this.frames.move();
    const stop = glide(milliseconds, step, rest);
    return () => {
      stop();
      rest();
    };
  }

  /** Have the disparity map, and do what waited for it. */
  async #measure() {
    if (this.depth.ready || this.#measuring) return;
    this.#measuring = true;
    this.#depthless = false;
    this.#say();
    try {
      await this.depth.load();
      this.#measured();
    } catch (error) {
      this.#depthless = true;
      const { map, allInFocus } = this.settings.values;
      if (this.#wish || map || allInFocus) this.notify(error.message, 'error');
      this.#wish = null;
      this.settings.set({ map: false, allInFocus: false });
    }
    this.#measuring = false;
    this.#say();
  }

  /** What is being waited for. */
  #say() {
    const reading = this.stage.canvas.dataset.frame ? '' : 'Reading the light field…';
    const measuring = this.#measuring ? 'Measuring depth…' : this.#depthless ? 'No depth' : '';
    this.line.say([reading, measuring].filter(Boolean).join(' '));
  }

  #measured() {
    this.panel.limit(this.depth.range);
    this.stage.legend.show(this.depth);
    const { x, y } = this.stage.middle;
    const centre = this.depth.at(x, y);
    this.settings.first.disparity = Number(centre.toFixed(3));
    this.#showMap();
    this.#markLegend();
    if (this.settings.values.allInFocus) this.frames.change();
    if (this.#wish) this.#glideToWish();
    else if (!this.#chosen) this.#glideTo(centre);
  }

  #pointAt(point, aloud = false) {
    this.stage.moveTo(point);
    const { x, y } = this.#behind(this.stage.point);
    this.line.show(this.stage.point, this.depth.at(x, y), aloud);
    this.epipolar.through({ x, y });
  }

  #step(right, down) {
    this.stage.showCrosshair(true);
    this.#pointAt({ x: this.stage.point.x + right, y: this.stage.point.y + down }, true);
  }

  #shift(sign) {
    this.sweep.stop();
    this.#choose();
    const [low, high] = this.depth.range;
    const by = sign * 2 * this.panel.step;
    this.settings.set({ disparity: clamp(this.settings.values.disparity + by, low, high), allInFocus: false });
  }

  #widen(by) {
    this.settings.set({ radius: this.settings.values.radius + by });
  }

  #look(right, down) {
    this.#stopBack();
    this.settings.set({ u: this.settings.values.u + right, v: this.settings.values.v + down });
  }

  #grab() {
    this.#stopBack();
    const { v, u } = this.settings.values;
    this.#grabbed = { v, u };
  }

  /** What is nearer than the focus follows the hand. */
  #drag(right, down) {
    const { reach } = this.settings;
    const full = Math.max(reach.v, reach.u);
    this.settings.set({ u: this.#grabbed.u - right * full, v: this.#grabbed.v - down * full });
  }

  #drop(stay) {
    if (stay || this.settings.values.hold) {
      this.frames.settle();
      return;
    }
    const { v, u } = this.settings.values;
    const step = (share) => this.settings.set({ v: v * (1 - share), u: u * (1 - share) });
    this.#stopBack = this.#glide(BACK_MILLISECONDS, step);
  }

  #showMap() {
    this.stage.map.hidden = !(this.settings.values.map && this.depth.ready);
    this.stage.legend.element.hidden = this.stage.map.hidden;
    this.#paintMap();
  }

  /** The coloured map, as the picture below it is seen. */
  #paintMap() {
    if (this.stage.map.hidden || isSame(this.#seen, this.#mapSeen)) return;
    this.depth.paint(this.stage.map, this.#seen);
    this.#mapSeen = this.#seen;
  }

  /** What the server is asked for: all in focus only once it has the map, which it would wait for. */
  #asked() {
    const asked = this.settings.asked();
    return { ...asked, all_in_focus: asked.all_in_focus && this.depth.ready };
  }

  #markLegend() {
    const { allInFocus, disparity } = this.settings.values;
    this.stage.legend.mark(this.depth, allInFocus ? null : disparity);
  }

  #showSlices() {
    const { epipolar } = this.settings.values;
    this.stage.showSlices(epipolar);
    this.stage.showCrosshair(epipolar);
    if (epipolar) this.epipolar.start(this.#behind(this.stage.point));
    else this.epipolar.stop();
    this.element.classList.toggle('sliced', epipolar);
  }

  #help() {
    const { stats } = this.line;
    openLightFieldHelp({ shown: !stats.hidden, show: (on) => { stats.hidden = !on; } });
  }
}

/** How a picture of these settings is seen; one that is all in focus is not moved by the viewpoint. */
function seenBy({ viewpoint, disparity, all_in_focus: allInFocus }) {
  const [v, u] = viewpoint.split(',').map(Number);
  return allInFocus || (!v && !u) ? CENTRE : { v, u, focus: disparity };
}

const isSame = (one, other) => one.v === other?.v && one.u === other.u && one.focus === other.focus;
