/** The page's shell: tabs, theme, notices, the socket. */

import { ask, h, icon } from './dom.js';
import { Socket } from './socket.js';
import { startTheme } from './theme.js';

const PANES = { 'light-field': 'light_field', photograph: 'photograph', run: 'run' };
const PHOTOGRAPH = { id: 'photograph', kind: 'photograph', title: 'Photograph', exhibit: null };
const NOTICE_MILLISECONDS = 7000;

const panes = document.getElementById('panes');
const tablist = document.querySelector('.tabs');
const toasts = document.getElementById('toasts');

/**
 * Tell the user something in passing.
 * @param {string} text - one line
 * @param {'info'|'error'} [kind]
 */
function notify(text, kind = 'info') {
  for (const old of toasts.children) if (old.dataset.text === text) old.remove();
  const close = h('button', { type: 'button', class: 'button quiet icon-only', 'aria-label': 'Dismiss' }, icon('close'));
  const toast = h('div', { class: `toast ${kind}`, 'data-text': text }, h('span', { text }), close);
  close.addEventListener('click', () => toast.remove());
  toasts.append(toast);
  if (kind !== 'error') setTimeout(() => toast.remove(), NOTICE_MILLISECONDS);
  while (toasts.children.length > 4) toasts.firstChild.remove();
}

/** A pane's module and, for those that have one of their own, its style sheet; a pane that says so where it is missing. */
async function loadPane(kind, context) {
  const name = PANES[kind];
  try {
    if (name !== 'light_field') await loadStyle(`/page/${name}.css`);
    return (await import(`./${name}.js`)).createPane(context);
  } catch (error) {
    console.warn(error);
    const element = h('p', { class: 'empty', text: 'This part of the page is not available.' });
    return { element, show() {}, hide() {}, close() {} };
  }
}

function loadStyle(address) {
  if (document.querySelector(`link[href="${address}"]`)) return null;
  return new Promise((resolve, reject) => {
    const link = h('link', { rel: 'stylesheet', href: address, onload: resolve });
    link.addEventListener('error', () => reject(new Error(`no ${address}`)));
    document.head.append(link);
  });
}

/** One tab for each light field and each run, and one for all photographs. */
function tabsOf(exhibits) {
  const shown = exhibits.filter((exhibit) => exhibit.kind !== 'photograph');
  const tabs = shown.map((exhibit) => ({ id: exhibit.id, kind: exhibit.kind, title: exhibit.name, exhibit }));
  const fields = tabs.filter((tab) => tab.kind === 'light-field');
  return [...fields, PHOTOGRAPH, ...tabs.filter((tab) => tab.kind !== 'light-field')];
}

class Tabs {
  #tabs;
  #context;
  #chosen = null;

  constructor(tabs, context) {
    this.#context = context;
    this.#tabs = tabs.map((tab) => ({ ...tab, button: this.#button(tab), panel: this.#panel(tab), pane: null }));
    tablist.replaceChildren(...this.#tabs.map((tab) => tab.button));
    panes.replaceChildren(...this.#tabs.map((tab) => tab.panel));
    tablist.addEventListener('keydown', (event) => this.#key(event));
    window.addEventListener('hashchange', () => this.choose(location.hash.slice(1)));
  }

  #button(tab) {
    return h('button', {
      type: 'button', role: 'tab', class: 'tab', id: `tab-${tab.id}`, 'aria-controls': `panel-${tab.id}`,
      'aria-selected': 'false', tabindex: '-1', text: tab.title, title: tab.title,
      onclick: () => this.choose(tab.id),
    });
  }

  #panel(tab) {
    const names = { role: 'tabpanel', class: 'pane', id: `panel-${tab.id}`, 'aria-labelledby': `tab-${tab.id}` };
    return h('section', { ...names, hidden: true });
  }

  #key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = this.#tabs.findIndex((tab) => tab.id === this.#chosen);
    const next = this.#tabs[(at + step + this.#tabs.length) % this.#tabs.length];
    this.choose(next.id);
    next.button.focus();
    event.preventDefault();
  }

  /** Show a tab's pane, made when it is first shown. */
  async choose(id) {
    const tab = this.#tabs.find((one) => one.id === id);
    if (!tab || id === this.#chosen) return;
    this.#tabs.find((one) => one.id === this.#chosen)?.pane?.hide();
    this.#chosen = id;
    for (const one of this.#tabs) {
      one.button.setAttribute('aria-selected', String(one === tab));
      one.button.tabIndex = one === tab ? 0 : -1;
      one.panel.hidden = one !== tab;
    }
    history.replaceState(null, '', `#${id}`);
    document.title = `${tab.title} · lfdeblur`;
    tab.loading ??= loadPane(tab.kind, { ...this.#context, exhibit: tab.exhibit });
    const pane = await tab.loading;
    if (!tab.pane) tab.panel.replaceChildren(pane.element);
    tab.pane = pane;
    if (this.#chosen === id) pane.show();
  }
}

/** Say that the server is gone, and that it is back. */
function watch(socket) {
  const banner = document.getElementById('connection');
  let lost = false;
  socket.onState((connected) => {
    banner.hidden = connected;
    banner.textContent = connected ? '' : 'Connection lost, retrying…';
    if (connected && lost) notify('Connected again.');
    lost = !connected;
  });
}

async function start() {
  startTheme(document.getElementById('theme'));
  try {
    const told = await (await ask('/api/exhibits')).json();
    const socket = new Socket();
    watch(socket);
    const tabs = tabsOf(told.exhibits);
    const shown = new Tabs(tabs, { socket, exhibits: told.exhibits, weights: told.weights, notify });
    const first = told.exhibits[0]?.kind === 'photograph' ? PHOTOGRAPH.id : told.exhibits[0]?.id;
    const asked = location.hash.slice(1);
    await shown.choose(tabs.some((tab) => tab.id === asked) ? asked : first ?? PHOTOGRAPH.id);
  } catch (error) {
    panes.replaceChildren(h('p', { class: 'empty', role: 'alert', text: error.message }));
  }
}

start();
