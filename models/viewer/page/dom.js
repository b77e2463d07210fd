/** Elements and small helpers that every pane uses. */

/**
 * An element. Properties that start with "on" are listeners, `text` is its text, others are attributes;
 * false, null and undefined leave an attribute out, true sets it empty.
 * @param {string} tag
 * @param {Object<string, *>} [properties]
 * @param {...(Node|string|null)} children
 * @returns {HTMLElement}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'text') element.textContent = value;
    else if (value !== false && value != null) element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** An element of SVG; attributes only. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const ICONS = {
  play: 'M8 5.5v13l10.5-6.5z',
  pause: 'M8 5.5v13M16 5.5v13',
  save: 'M12 4v11m-4.5-4L12 15.5l4.5-4.5M5 19.5h14',
  stack: 'M12 4 3.5 8.5 12 13l8.5-4.5zM3.5 12.5 12 17l8.5-4.5M3.5 16.5 12 21l8.5-4.5',
  terminal: 'M4 5.5h16v13H4zM7.5 10l2.5 2-2.5 2M12.5 14.5h4',
  code: 'M9 7l-5 5 5 5M15 7l5 5-5 5',
  reset: 'M5 5v5h5M5.6 10A7 7 0 1 1 5 13.5',
  undo: 'M8.5 5 4 9.5 8.5 14M4.5 9.5H14a5 5 0 0 1 0 10h-3',
  redo: 'M15.5 5 20 9.5 15.5 14M19.5 9.5H10a5 5 0 0 0 0 10h3',
  help: 'M9.2 9.2a2.9 2.9 0 1 1 4.3 2.5c-1 .6-1.5 1.1-1.5 2.3M12 17.4v.2M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z',
  close: 'M6 6l12 12M18 6 6 18',
  auto: 'M12 3.5a8.5 8.5 0 1 0 0 17zM12 3.5a8.5 8.5 0 0 1 0 17',
  light: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.5V5M12 19v2.5M2.5 12H5M19 12h2.5M5.3 5.3 7 7M17 17l1.7 1.7M18.7 5.3 17 7M7 17l-1.7 1.7',
  add: 'M12 5v14M5 12h14',
  stop: 'M7.5 7.5h9v9h-9z',
  invert: 'M4 4h16v16H4zM12 4v16h8V4z',
  again: 'M19 5v5h-5M18.4 10A7 7 0 1 0 19 13.5',
  photograph: 'M4 5.5h16v13H4zM4 15.5l4.5-4.5 4 4 2.5-2.5 5 5M15.5 9.2v.1',
  dark: 'M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z',
};

/** @returns {SVGElement} an icon as large as the text around it; decoration only. */
export function icon(name) {
  const path = svg('path', { d: ICONS[name] });
  return svg('svg', { class: `icon icon-${name}`, viewBox: '0 0 24 24', 'aria-hidden': 'true' }, path);
}

let serial = 0;

/** @returns {string} an id that no other element has. */
export function newId(stem) {
  serial += 1;
  return `${stem}-${serial}`;
}

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** @returns {string} with a true minus, and a plus */
export function signed(value, places) {
  const sign = value < 0 ? '−' : value > 0 ? '+' : '';
  return sign + Math.abs(value).toFixed(places);
}

export const median = (values) => Float64Array.from(values).sort()[values.length >> 1];

/** Whether the user wants things to move as little as possible. */
export const calm = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

/**
 * A dialog that closes by Escape and by its button, and is gone then.
 * @param {string} title
 * @param {Node[]} content
 * @param {Node[]} [actions] - beside the button that closes it
 * @returns {HTMLDialogElement} that is open
 */
export function openDialog(title, content, actions = []) {
  const id = newId('dialog');
  const close = h('button', { type: 'button', class: 'button quiet icon-only', 'aria-label': 'Close' }, icon('close'));
  const dialog = h(
    'dialog', { class: 'dialog', 'aria-labelledby': id },
    h('div', { class: 'dialog-head' }, h('h2', { id, text: title }), close),
    h('div', { class: 'dialog-body' }, ...content),
    actions.length ? h('div', { class: 'dialog-foot' }, ...actions) : null,
  );
  close.addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', () => dialog.remove());
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * The answer of the server, or an Error with its one line.
 * @param {string} address
 * @param {RequestInit} [options]
 */
export async function ask(address, options) {
  let answer;
  try {
    answer = await fetch(address, options);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Error('the server does not answer');
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Error(told.error || `the server answers ${answer.status}`);
}
