/** The pane of photographs: its parts put together. */

import { BeforeAfter } from './before_after.js';
import { Brush } from './brush.js';
import { choice, slider } from './controls.js';
import { h, icon } from './dom.js';
import { fileChooser, invitation } from './dropping.js';
import { openPhotographHelp } from './help.js';
import { Keeping } from './keeping.js';
import { Layers } from './layers.js';
import { Mask } from './mask.js';
import { followStage, stageKeys } from './photograph_gestures.js';
import { Queue } from './queue.js';
import { QueueList } from './queue_list.js';
import { View } from './view.js';

/** @param {{socket: Socket, exhibits: object[], weights: string[], notify: function(string, string)}} context */
export function createPane(context) {
  return new PhotographPane(context);
}

class PhotographPane {
  #chosen = null;
  #shown = { item: null, id: null }; // whose pixels are drawn, and what the server calls it

  constructor({ socket, exhibits, weights, notify }) {
    const fail = (text, subject) => notify(text, 'error', subject);
    this.exhibits = exhibits.filter((exhibit) => exhibit.kind === 'photograph');
    this.view = new View(() => this.#viewed());
    this.stage = new BeforeAfter(this.view, () => this.layers.update());
    this.layers = new Layers(this.view, () => this.stage.invalidate(), fail);
    this.stage.use(this.layers);
    this.queue = new Queue(socket, {
      changed: (item) => this.#changed(item),
      tile: (item, part) => item === this.#chosen && this.layers.renew(part),
      fresh: (item) => item === this.#chosen && item.id && this.layers.renew(whole(item)),
      listed: (item) => this.#listed(item),
      fail,
    });
    this.list = new QueueList(this.queue, (item) => this.choose(item));
    this.keeping = new Keeping(this.queue, () => this.#chosen, notify);
    this.brush = new Brush(this.view, this.stage, (on) => this.#mask(on));
    followStage(this.stage, this.view, this.brush);
    this.#build(weights);
    this.keys = stageKeys(this.view, this.brush, openPhotographHelp);
    this.leaving = (event) => this.keeping.unsaved && event.preventDefault();
    window.addEventListener('beforeunload', this.leaving);
    this.queue.weights = weights[0];
    this.#listed(null);
  }

  show() {
    this.keys.start();
    this.queue.prepare();
    for (const exhibit of this.exhibits.splice(0)) this.queue.addExhibit(exhibit);
  }

  hide() {
    this.keys.stop();
  }

  close() {
    this.hide();
    window.removeEventListener('beforeunload', this.leaving);
    this.queue.close();
    this.layers.open(null);
    this.stage.watching.disconnect();
  }

  /** Look at a picture. */
  choose(item) {
    this.#chosen = item;
    this.#open(item);
    this.brush.use(item?.mask ?? null);
    this.strength.set(item?.strength ?? 1);
    this.stage.strength = item?.strength ?? 1;
    this.list.list(item);
    this.keeping.show(item);
    this.#describe();
  }

  /** Have its pixels; of one that is sent again those that are there stay until the new ones come. */
  #open(item) {
    const id = item?.id ?? null;
    const again = item !== null && item === this.#shown.item;
    if (again && id === this.#shown.id) return;
    const address = id && ((side, part, scale) => this.queue.part(item, side, part, scale));
    this.#shown = { item, id };
    if (again) {
      if (this.layers.empty && id) this.#fit(item);
      this.layers.move(address);
      return;
    }
    if (id) this.#fit(item);
    this.layers.open(address);
  }

  #fit(item) {
    this.photo.style.setProperty('--ratio', String(item.width / item.height));
    this.view.open(item.width, item.height);
  }

  /** The first one of new files is looked at. @param {File[]} files */
  add(files) {
    const { length } = this.queue.items;
    this.queue.add(files);
    if (this.queue.items.length > length) this.choose(this.queue.items[length]);
  }

  #build(weights) {
    const chooser = fileChooser((files) => this.add(files));
    const add = h('button', { type: 'button', class: 'button', onclick: () => chooser.click() }, icon('add'), 'Add');
    this.weights = choice({
      label: 'Network', options: Object.fromEntries(weights.map((name) => [name, name])),
      change: (name) => {
        this.queue.weights = name;
        this.queue.prepare();
      },
    });
    this.strength = slider({
      label: 'Strength', range: [0, 1], step: 0.01, format: (value) => `${Math.round(100 * value)} %`,
      hint: 'From the picture as it is to the picture as the network restores it',
      change: (value) => {
        this.#chosen.strength = value;
        this.stage.strength = value;
        this.stage.invalidate();
      },
    });
    this.panel = h(
      'div', { class: 'panel', role: 'group', 'aria-label': 'Photographs and how they are restored' },
      h('section', {}, h('div', { class: 'queue-head' }, h('h3', { text: 'Photographs' }), add), this.list.element, this.list.status),
      h('section', {}, h('h3', { text: 'Restore' }), this.strength.element, this.weights.element),
      this.brush.element,
      this.keeping.element,
      h('div', { class: 'panel-foot' }, h('button', { type: 'button', class: 'button quiet', onclick: openPhotographHelp }, icon('help'), 'Keys and help')),
    );
    this.photo = h('div', { class: 'photo' }, this.stage.element, this.#bar());
    this.invitation = invitation(() => chooser.click());
    this.element = h('div', { class: 'photographs' }, this.invitation, this.photo, this.panel, chooser);
  }

  #bar() {
    const button = (text, label, act) => h('button', {
      type: 'button', class: 'button quiet', 'aria-label': label, title: label, onclick: act, text,
    });
    this.facts = h('span', { class: 'facts' });
    this.percent = h('output', { class: 'number', 'aria-label': 'Zoom' });
    return h(
      'div', { class: 'photo-bar', role: 'group', 'aria-label': 'Zoom' }, this.facts,
      button('−', 'Zoom out', () => this.view.zoomAt(this.view.zoom / 1.5)), this.percent,
      button('+', 'Zoom in', () => this.view.zoomAt(this.view.zoom * 1.5)),
      button('Fit', 'Fit the whole photograph', () => this.view.fit()),
      button('1:1', '1:1, one pixel on one of the screen', () => this.view.zoomAt(this.view.fullZoom)),
    );
  }

  #viewed() {
    this.percent.textContent = `${Math.round(100 * this.view.zoom * this.view.stage.ratio)} %`;
    this.layers.update();
    this.stage.invalidate();
  }

  #listed(item) {
    const { items } = this.queue;
    const empty = !items.length;
    this.element.classList.toggle('empty-queue', empty);
    this.invitation.hidden = !empty;
    this.photo.hidden = this.panel.hidden = empty;
    const gone = !items.includes(this.#chosen);
    if (gone || item === this.#chosen) this.choose(gone ? items.at(-1) ?? null : this.#chosen);
    else this.list.list(this.#chosen);
    this.keeping.show(this.#chosen);
  }

  #changed(item) {
    this.list.show(item);
    this.keeping.show(this.#chosen);
    if (item !== this.#chosen) return;
    this.#describe();
  }

  #mask(on) {
    const item = this.#chosen;
    if (on) item.kept ??= new Mask(item.width, item.height);
    item.mask = on ? item.kept : null;
    this.brush.use(item.mask);
  }

  #describe() {
    const item = this.#chosen;
    const ready = Boolean(item?.id);
    this.facts.textContent = ready ? `${item.width} × ${item.height} · ${item.bits} bit` : '';
    this.strength.input.disabled = this.brush.toggle.input.disabled = !ready;
    this.stage.working = item?.working ?? null;
    this.stage.element.toggleAttribute('data-empty', this.layers.empty && !ready);
    this.stage.invalidate();
  }
}

function whole({ width, height }) {
  return { x: 0, y: 0, width, height };
}
