/** Files that the server makes, and the browser keeps. */

import { ask, h } from './dom.js';

/**
 * Fetch a file and save it under the name that the server gives it. Raises an Error with one line.
 * @param {string} address
 * @param {RequestInit} [options]
 */
export async function download(address, options) {
  const answer = await ask(address, options);
  const url = URL.createObjectURL(await answer.blob());
  h('a', { href: url, download: nameOf(answer) }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

function nameOf(answer) {
  return decodeURIComponent(answer.headers.get('Content-Disposition').split("''")[1]);
}
