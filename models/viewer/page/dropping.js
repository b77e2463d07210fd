/** Ways in for photographs: drop, choose, paste. */

import { h, icon } from './dom.js';

const KINDS = 'image/png,image/jpeg,image/tiff,image/webp,.png,.jpg,.jpeg,.tif,.tiff,.webp';

/** A hidden file chooser. @param {function(FileList)} add */
export function fileChooser(add) {
  const input = h('input', {
    type: 'file', accept: KINDS, multiple: true, class: 'hidden-text', tabindex: '-1', 'aria-label': 'Photographs',
  });
  input.addEventListener('change', () => {
    add([...input.files]);
    input.value = '';
  });
  return input;
}

/** What is seen while there is no photograph. @param {function()} choose */
export function invitation(choose) {
  return h(
    'div', { class: 'invitation' },
    icon('photograph'),
    h('h2', { text: 'Drop photographs here' }),
    h('p', { class: 'muted', text: 'Blurred by defocus, of any size: they become sharp tile by tile as you look.' }),
    h('button', { type: 'button', class: 'button primary', onclick: choose }, icon('add'), 'Choose photographs'),
    h('p', { class: 'muted small', text: 'PNG, JPEG, TIFF or WebP, 8 or 16 bit; paste works too. They go to your own lfdeblur server and nowhere else.' }),
  );
}

/**
 * Take files that are dropped anywhere on the page, or pasted, from `start` to `stop`.
 * @param {HTMLElement} element - has the class "dropping" while files are held over the page
 * @param {function(File[])} add
 * @returns {{start: function(), stop: function()}}
 */
export function followFiles(element, add) {
  let depth = 0; // dragenter and dragleave come for every element
  const enter = (step) => {
    depth = Math.max(0, depth + step);
    element.classList.toggle('dropping', depth > 0);
  };
  const hasFiles = (event) => event.dataTransfer?.types.includes('Files');
  const listeners = {
    dragenter: (event) => hasFiles(event) && enter(1),
    dragleave: (event) => hasFiles(event) && enter(-1),
    dragover: (event) => hasFiles(event) && event.preventDefault(),
    drop: (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      enter(-depth);
      add([...event.dataTransfer.files]);
    },
    paste: (event) => {
      if (event.clipboardData?.files.length) add([...event.clipboardData.files]);
    },
  };
  const each = (act) => Object.entries(listeners).forEach(([name, listener]) => act(name, listener));
  return {
    start: () => each((name, listener) => document.addEventListener(name, listener)),
    stop: () => each((name, listener) => document.removeEventListener(name, listener)),
  };
}
