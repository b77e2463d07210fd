/** A training run: its curves as they grow, and what the network makes of the validation pictures. */

import { Chart } from './chart.js';
import { ask, h } from './dom.js';
import { createCrops } from './run_crops.js';

const POLL_MILLISECONDS = 2000;
const STALLED_SECONDS = 120; // without a row, before the run is called stopped
const LOSSES = ['loss', 'l1', 'feature', 'frequency'];
const OTHERS = { learning_rate: 'learning rate', pairs_per_second: 'pairs a second' };

/** Rows of one table, kept by column. */
class Table {
  place = '';
  columns = [];
  values = {};

  /** @returns {boolean} whether anything is new */
  add({ columns, rows, place, fresh }) {
    if (fresh) {
      this.columns = columns;
      this.values = Object.fromEntries(columns.map((name) => [name, []]));
    }
    this.place = place;
    for (const row of rows) this.columns.forEach((name, i) => this.values[name].push(row[i]));
    return fresh || rows.length > 0;
  }

  column(name) {
    return this.values[name] ?? [];
  }

  last(name) {
    return this.column(name).at(-1) ?? null;
  }
}

export function createPane({ exhibit, notify }) {
  const training = new Table();
  const validation = new Table();
  const loss = new Chart('Loss');
  const psnr = new Chart('PSNR of validation pictures', 'dB');
  const other = new Chart('Training');
  const crops = createCrops(`/api/runs/${exhibit.id}/picture`, notify);
  const state = h('p', { class: 'run-state', 'aria-live': 'polite' });
  const bar = h('progress', { max: '1', value: '0', 'aria-label': 'Steps done' });
  const log = h('input', { type: 'checkbox', role: 'switch', onchange: () => loss.setLog(log.checked) });
  const which = h('select', { id: `${exhibit.id}-other`, onchange: () => drawOther() },
    ...Object.entries(OTHERS).map(([value, text]) => h('option', { value, text })));
  const element = h('div', { class: 'run' },
    h('header', { class: 'run-head' }, h('h2', { text: exhibit.name }), state, bar),
    h('div', { class: 'run-charts' },
      h('div', {}, loss.element, h('label', { class: 'switch run-switch' }, 'Logarithmic', log)),
      h('div', {}, psnr.element),
      h('div', {}, other.element, h('div', { class: 'field row run-switch' }, h('label', { for: which.id, text: 'Shown' }), which)),
    ),
    crops.element,
  );
  let timer = null;
  let shown = false;

  function drawLoss() {
    const x = training.column('step');
    const used = LOSSES.filter((name, i) => i === 0 || training.column(name).some((value) => value));
    const parts = used.length > 2 ? used : used.slice(0, 1); // of one part alone the sum tells all
    loss.set(parts.map((name) => ({ name, hue: LOSSES.indexOf(name), x, y: training.column(name) })));
  }

  function drawOther() {
    other.set([{ name: OTHERS[which.value], hue: 0, x: training.column('step'), y: training.column(which.value) }]);
  }

  function drawPsnr() {
    const pictures = byPicture(validation);
    const mean = meanOver(pictures, 'psnr');
    const input = meanOver(pictures, 'input');
    const many = pictures.size > 1;
    const each = [...pictures.values()].map(({ step, psnr: y }) => ({ name: '', hue: 1, x: step, y, faint: true }));
    psnr.set([
      ...(many ? each : []),
      { name: many ? 'restored, mean' : 'restored', hue: 1, ...mean },
      { name: many ? 'defocused, mean' : 'defocused', hue: 4, ...input, dashed: true },
    ]);
    return pictures;
  }

  function tell({ steps, changed }) {
    const step = training.last('step');
    bar.hidden = !steps;
    if (steps) bar.value = Math.min(1, (step ?? 0) / steps);
    state.textContent = describe(step, steps, changed, training);
    state.dataset.live = String(step != null && changed < STALLED_SECONDS && step !== steps);
  }

  async function poll() {
    const places = new URLSearchParams({ training: training.place, validation: validation.place });
    try {
      const told = await (await ask(`/api/runs/${exhibit.id}?${places}`)).json();
      if (training.add(told.training) || !state.textContent) {
        drawLoss();
        drawOther();
      }
      const changed = validation.add(told.validation);
      if (changed || !state.textContent) crops.setScores(drawPsnr());
      crops.setPictures(told.pictures);
      tell(told);
    } catch (error) {
      state.textContent = error.message;
    }
    if (shown) timer = setTimeout(poll, POLL_MILLISECONDS);
  }

  return {
    element,
    show() {
      shown = true;
      clearTimeout(timer);
      poll();
    },
    hide() {
      shown = false;
      clearTimeout(timer);
    },
    close() {
      this.hide();
    },
  };
}

/** @returns {Map<string, {step: number[], psnr: number[], input: number[]}>} */
function byPicture(validation) {
  const found = new Map();
  const [steps, names, after, before] = ['step', 'picture', 'psnr', 'psnr_input'].map((name) => validation.column(name));
  steps.forEach((step, i) => {
    const name = String(names[i]);
    if (!found.has(name)) found.set(name, { step: [], psnr: [], input: [] });
    const one = found.get(name);
    one.step.push(step);
    one.psnr.push(after[i]);
    one.input.push(before[i]);
  });
  return found;
}

/** The mean over the pictures that have one, at every step; null where none has. */
function meanOver(pictures, key) {
  const sums = new Map();
  for (const one of pictures.values()) {
    one.step.forEach((step, i) => {
      const [sum, count] = sums.get(step) ?? [0, 0];
      const has = one[key][i] != null;
      sums.set(step, has ? [sum + one[key][i], count + 1] : [sum, count]);
    });
  }
  const x = [...sums.keys()].sort((a, b) => a - b);
  return { x, y: x.map((step) => sums.get(step)).map(([sum, count]) => (count ? sum / count : null)) };
}

function describe(step, steps, changed, training) {
  if (step == null) return 'No row is written yet; this page looks every two seconds.';
  const words = [steps ? `step ${step} of ${steps}` : `step ${step}`];
  if (step === steps) return [...words, 'finished'].join(' · ');
  const speed = training.last('pairs_per_second');
  if (speed != null) words.push(`${Number(speed.toPrecision(3))} pairs a second`);
  if (changed >= STALLED_SECONDS) return [...words, `nothing new for ${duration(changed)}`].join(' · ');
  const seconds = remaining(training, steps);
  if (seconds != null) words.push(`about ${duration(seconds)} left`);
  return words.join(' · ');
}

/** Seconds left, by the rows of late; null where they do not tell. */
function remaining(training, steps) {
  const [step, seconds] = [training.column('step'), training.column('seconds')];
  const from = Math.max(0, step.length - 20);
  const done = step.at(-1) - step[from];
  const took = seconds.at(-1) - seconds[from];
  return steps && done > 0 && took > 0 ? ((steps - step.at(-1)) * took) / done : null;
}

function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
