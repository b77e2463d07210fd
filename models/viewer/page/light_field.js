/** The pane of a light field. */

import { h } from './dom.js';

export function createPane() {
  return { element: h('p', { class: 'empty', text: '…' }), show() {}, hide() {}, close() {} };
}
