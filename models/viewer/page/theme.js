/** Colours: as the system has them, light, or dark. */

import { icon } from './dom.js';

const THEMES = ['auto', 'light', 'dark'];
const KEY = 'lfdeblur-theme';

/** @param {HTMLButtonElement} button - which goes from one theme to the next */
export function startTheme(button) {
  let chosen = THEMES.includes(localStorage.getItem(KEY)) ? localStorage.getItem(KEY) : 'auto';
  const apply = () => {
    document.documentElement.dataset.theme = chosen;
    button.replaceChildren(icon(chosen));
    button.setAttribute('aria-label', `Theme: ${chosen}`);
    button.title = `Theme: ${chosen}`;
  };
  button.addEventListener('click', () => {
    chosen = THEMES[(THEMES.indexOf(chosen) + 1) % THEMES.length];
    localStorage.setItem(KEY, chosen);
    apply();
  });
  apply();
}
