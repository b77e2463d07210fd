/** Ways in for photographs: drop, choose, paste. */

import { h, icon } from './dom.js';

const KINDS = 'image/*,.png,.jpg,.jpeg,.tif,.tiff,.webp,.bmp,.ppm,.pgm,.pnm,.avif,.heic,.heif,.hif,.exr';

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
    h('p', { class: 'muted small', text: 'PNG, JPEG, TIFF, WebP, AVIF, BMP, PPM, HEIC or OpenEXR, of 8 and 16 bit or float; paste works too. They go to your own lfdeblur server and nowhere else.' }),
  );
}

/**
 * Take files that are dropped anywhere on the page, or pasted; whatever else is dropped, the page stays.
 * @param {HTMLElement} element - has the class "dropping" while files are held over the page
 * @param {function(File[])} add
 */
export function followFiles(element, add) {
  let depth = 0; // dragenter and dragleave come for every element
  element.append(h('p', { class: 'drop-hint', 'aria-hidden': 'true', text: 'Drop to restore' }));
  const enter = (step) => {
    depth = Math.max(0, depth + step);
    element.classList.toggle('dropping', depth > 0);
  };
  const hasFiles = (event) => event.dataTransfer?.types.includes('Files');
  const isField = (event) => !hasFiles(event) && event.target.matches?.('input, textarea');
  const listeners = {
    dragenter: (event) => hasFiles(event) && enter(1),
    dragleave: (event) => hasFiles(event) && enter(-1),
    dragover: (event) => isField(event) || event.preventDefault(),
    drop: (event) => {
      if (isField(event)) return;
      event.preventDefault();
      enter(-depth);
      if (event.dataTransfer?.files.length) add([...event.dataTransfer.files]);
    },
    paste: (event) => {
      if (event.clipboardData?.files.length) add([...event.clipboardData.files]);
    },
  };
  for (const [name, listener] of Object.entries(listeners)) document.addEventListener(name, listener);
}
