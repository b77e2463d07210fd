/** Validation pictures of a run: defocused, restored and sharp, at any step that was validated. */

import { h, newId } from './dom.js';

/**
 * @param {string} address - that gives a picture of a name and a step
 * @param {(text: string, kind: string) => void} notify
 */
export function createCrops(address, notify) {
  const id = newId('crops');
  const select = h('select', { id: `${id}-name`, onchange: () => chosen() });
  const slider = h('input', { id: `${id}-step`, type: 'range', min: '0', step: '1', oninput: () => moved() });
  const step = h('output', { for: slider.id });
  const score = h('p', { class: 'muted number', 'aria-live': 'polite' });
  const image = h('img', { class: 'crops-picture', alt: '' });
  const element = h('section', { class: 'crops', hidden: true, 'aria-label': 'Validation pictures' },
    h('div', { class: 'crops-controls' },
      h('div', { class: 'field' }, h('label', { for: select.id, text: 'Picture' }), select),
      h('div', { class: 'field' }, h('label', { for: slider.id, text: 'Step' }), step, slider),
    ),
    h('figure', {}, image, h('figcaption', { class: 'crops-names' },
      h('span', { text: 'defocused' }), h('span', { text: 'restored' }), h('span', { text: 'sharp' }))),
    score,
  );
  let pictures = [];
  let scores = new Map();
  let follows = true; // the newest step
  image.addEventListener('error', () => image.hasAttribute('src') && notify('This picture cannot be loaded.', 'error'));

  const current = () => pictures.find((one) => one.name === select.value);

  function draw() {
    const one = current();
    if (!one) return;
    const at = one.steps[Number(slider.value)];
    step.textContent = `${at}`;
    slider.setAttribute('aria-valuetext', `step ${at}`);
    slider.style.setProperty('--fill', `${one.steps.length > 1 ? (100 * slider.value) / (one.steps.length - 1) : 100}%`);
    const source = `${address}?${new URLSearchParams({ name: one.name, step: at })}`;
    if (image.getAttribute('src') !== source) image.src = source;
    image.alt = `${one.name} at step ${at}: defocused, restored and sharp, side by side`;
    const told = scores.get(one.name);
    const index = told ? told.step.lastIndexOf(at) : -1;
    score.textContent = index < 0 || told.psnr[index] == null ? ''
      : `PSNR ${told.input[index].toFixed(2)} dB before, ${told.psnr[index].toFixed(2)} dB after`;
  }

  function fill() {
    const one = current();
    if (!one) return;
    slider.max = String(one.steps.length - 1);
    slider.disabled = one.steps.length < 2;
    if (follows) slider.value = slider.max;
    draw();
  }

  function chosen() {
    follows = true;
    fill();
  }

  function moved() {
    follows = slider.value === slider.max;
    draw();
  }

  return {
    element,
    /** @param {{name: string, steps: number[]}[]} told */
    setPictures(told) {
      element.hidden = told.length === 0;
      const names = told.map((one) => one.name);
      if (names.join('\n') !== pictures.map((one) => one.name).join('\n')) {
        const kept = select.value;
        select.replaceChildren(...names.map((name) => h('option', { value: name, text: name })));
        if (names.includes(kept)) select.value = kept;
      }
      pictures = told;
      fill();
    },
    setScores(told) {
      scores = told;
      draw();
    },
  };
}
