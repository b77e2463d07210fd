/** Labelled controls: each has `element`, and `set(value)` to show a value without telling of it. */

import { h, newId } from './dom.js';

const STILL = 6; // pixels that a finger may move before it is known where it goes

/**
 * @param {{label: string, range: number[], step: number, format: function(number): string, hint: string,
 *   change: function(number), rest: function()}} told - `change` while it moves, `rest` when it is let go
 */
export function slider({ label, range, step, format, hint, change, rest = () => {} }) {
  const id = newId('slider');
  const input = h('input', { type: 'range', id, title: hint });
  const output = h('output', { for: id });
  const fill = () => {
    const share = (input.value - input.min) / (input.max - input.min || 1);
    input.style.setProperty('--fill', `${100 * share}%`);
  };
  const show = (value) => {
    output.textContent = format(value);
    input.setAttribute('aria-valuetext', format(value));
    fill();
  };
  const take = () => {
    show(Number(input.value));
    change(Number(input.value));
  };
  const finger = followFinger(input, take);
  input.addEventListener('input', () => finger.holds() || take());
  input.addEventListener('change', rest);
  const control = {
    element: h('div', { class: 'field' }, h('label', { for: id, text: label }), output, input),
    input,
    set(value) {
      input.value = value;
      show(value);
    },
    limit([low, high], by) {
      Object.assign(input, { min: low, max: high, step: by });
      fill();
    },
  };
  control.limit(range, step);
  return control;
}

/**
 * A finger on a slider may be about to scroll the page: the value stays until it goes along the slider, or is lifted.
 * @param {HTMLInputElement} input
 * @param {function()} take - the value is meant
 * @returns {{holds: function(): boolean}} whether a value that comes now is to be left
 */
function followFinger(input, take) {
  let held = null;
  const back = () => {
    if (held.offered === null) held.offered = input.value;
    input.value = held.value;
  };
  input.addEventListener('pointerdown', (event) => {
    if (event.pointerType === 'touch') held = { x: event.clientX, y: event.clientY, value: input.value, offered: null };
  });
  input.addEventListener('pointermove', (event) => {
    if (!held) return;
    const [along, across] = [Math.abs(event.clientX - held.x), Math.abs(event.clientY - held.y)];
    if (along > STILL && along > across) held = null;
  });
  input.addEventListener('pointerup', () => {
    if (!held) return;
    if (held.offered !== null) input.value = held.offered;
    const tapped = held.offered !== null;
    held = null;
    if (tapped) take();
  });
  input.addEventListener('pointercancel', () => { held = null; });
  return {
    holds() {
      if (held) back();
      return held !== null;
    },
  };
}

/** @param {{label: string, options: Object<string, string>, change: function(string)}} told - options: texts by value */
export function choice({ label, options, change }) {
  const id = newId('choice');
  const all = Object.entries(options).map(([value, text]) => h('option', { value, text }));
  const select = h('select', { id }, ...all);
  select.addEventListener('change', () => change(select.value));
  const element = h('div', { class: 'field row' }, h('label', { for: id, text: label }), select);
  return { element, set: (value) => { select.value = value; } };
}

/** @param {{label: string, hint: string, change: function(boolean)}} told */
export function toggle({ label, hint, change }) {
  const input = h('input', { type: 'checkbox', role: 'switch' });
  input.addEventListener('change', () => change(input.checked));
  const element = h('label', { class: 'switch', title: hint }, h('span', { text: label }), input);
  return { element, input, set: (value) => { input.checked = value; } };
}

/** @param {{label: string, options: Object<string, string>, change: function(string)}} told - options: texts by value */
export function segments({ label, options, change }) {
  const name = newId('segments');
  const inputs = Object.keys(options).map((value) => h('input', { type: 'radio', name, value }));
  const labels = inputs.map((input) => h('label', {}, input, h('span', { text: options[input.value] })));
  const element = h('fieldset', { class: 'segments' }, h('legend', { text: label }), ...labels);
  element.addEventListener('change', (event) => change(event.target.value));
  return {
    element,
    set(value) {
      for (const input of inputs) input.checked = input.value === value;
    },
  };
}
