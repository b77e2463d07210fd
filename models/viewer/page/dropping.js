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
 * Take files that are dropped on an element, or pasted while it is shown.
 * @param {HTMLElement} element - has the class "dropping" while files are held over it
 * @param {function(File[])} add
 * @returns {{start: function(), stop: function()}} for pasting
 */
export function followFiles(element, add) {
  let depth = 0;
  const show = () => element.classList.toggle('dropping', depth > 0);
  const hasFiles = (event) => event.dataTransfer?.types.includes('Files');
  element.addEventListener('dragenter', (event) => {
    if (!hasFiles(event)) return;
    depth += 1;
    show();
  });
  element.addEventListener('dragleave', () => {
    depth = Math.max(0, depth - 1);
    show();
  });
  element.addEventListener('dragover', (event) => hasFiles(event) && event.preventDefault());
  element.addEventListener('drop', (event) => {
    event.preventDefault();
    depth = 0;
    show();
    add([...event.dataTransfer.files]);
  });
  const paste = (event) => {
    if (event.clipboardData?.files.length) add([...event.clipboardData.files]);
  };
  return {
    start: () => document.addEventListener('paste', paste),
    stop: () => document.removeEventListener('paste', paste),
  };
}
