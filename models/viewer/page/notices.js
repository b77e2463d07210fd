/** Notices: what the user is told in passing, in their own room below everything else. */

import { h, icon } from './dom.js';

const MILLISECONDS = 7000;
const MOST = 3;

const room = document.getElementById('toasts');

/**
 * Tell the user something.
 * @param {string} text - each line of it is shown as one
 * @param {'info'|'error'} [kind] - errors stay until they are dismissed
 * @param {string} [subject] - a notice takes the place of the one that had the same
 */
export function notify(text, kind = 'info', subject = text) {
  const old = [...room.children].find((toast) => toast.dataset.subject === subject);
  const close = h('button', { type: 'button', class: 'button quiet icon-only', 'aria-label': 'Dismiss' }, icon('close'));
  const toast = h('div', { class: `toast ${kind}`, 'data-subject': subject }, h('span', { text }), close);
  close.addEventListener('click', () => toast.remove());
  if (old) old.replaceWith(toast);
  else room.append(toast);
  if (kind !== 'error') setTimeout(() => toast.remove(), MILLISECONDS);
  while (room.children.length > MOST) room.firstChild.remove();
}
