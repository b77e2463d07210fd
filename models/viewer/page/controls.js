/** Labelled controls: each has `element`, and `set(value)` to show a value without telling of it. */

import { h, newId } from './dom.js';

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
  input.addEventListener('input', () => {
    show(Number(input.value));
    change(Number(input.value));
  });
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
