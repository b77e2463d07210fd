/** The tabs, and the pane of each, made when it is first shown. */

import { h } from './dom.js';

const PANES = { 'light-field': 'light_field', photograph: 'photograph', run: 'run' };

/**
 * A pane of its kind: its module and, where it has one of its own, its style sheet. Raises an Error.
 * @param {number} tries - before: browsers remember by its address that a module did not come
 */
async function loadPane(kind, context, tries) {
  const name = PANES[kind];
  if (name !== 'light_field') await loadStyle(`/page/${name}.css`);
  return (await import(`./${name}.js${tries ? `?again=${tries}` : ''}`)).createPane(context);
}

/** One that did not come is forgotten, so that it may be asked for again. */
function loadStyle(address) {
  if (document.querySelector(`link[href="${address}"]`)) return null;
  return new Promise((resolve, reject) => {
    const link = h('link', { rel: 'stylesheet', href: address, onload: resolve });
    link.addEventListener('error', () => {
      link.remove();
      reject(new Error(`no ${address}`));
    });
    document.head.append(link);
  });
}

export class Tabs {
  #tabs;
  #list;
  #context;
  #chosen = null;

  /**
   * @param {HTMLElement} list - of the tabs
   * @param {HTMLElement} panes
   * @param {{id: string, kind: string, title: string, exhibit: ?object}[]} tabs
   * @param {object} context - of every pane
   */
  constructor(list, panes, tabs, context) {
    this.#list = list;
    this.#context = context;
    this.#tabs = tabs.map((tab) => ({ ...tab, button: this.#button(tab), panel: this.#panel(tab), pane: null }));
    list.replaceChildren(...this.#tabs.map((tab) => tab.button));
    panes.replaceChildren(...this.#tabs.map((tab) => tab.panel));
    list.addEventListener('keydown', (event) => this.#key(event));
    list.addEventListener('scroll', () => this.#more(), { passive: true });
    new ResizeObserver(() => this.#reveal()).observe(list);
    window.addEventListener('hashchange', () => this.#follow());
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
    const { length } = this.#tabs;
    const at = this.#tabs.findIndex((tab) => tab.id === this.#chosen);
    const next = { ArrowRight: (at + 1) % length, ArrowLeft: (at + length - 1) % length, Home: 0, End: length - 1 }[event.key];
    if (next === undefined) return;
    this.choose(this.#tabs[next].id);
    this.#tabs[next].button.focus();
    event.preventDefault();
  }

  /** Go where the address says; one that says nothing known is put right. */
  #follow() {
    const asked = location.hash.slice(1);
    if (this.#tabs.some((tab) => tab.id === asked)) this.choose(asked);
    else history.replaceState(null, '', `#${this.#chosen}`);
  }

  /** Which sides have tabs that are out of sight. */
  #more() {
    const { scrollLeft, scrollWidth, clientWidth } = this.#list;
    this.#list.classList.toggle('more-left', scrollLeft > 1);
    this.#list.classList.toggle('more-right', scrollLeft + clientWidth < scrollWidth - 1);
  }

  /** Have the chosen tab in sight, in the middle where there is room beside it. */
  #reveal() {
    const button = this.#tabs.find((tab) => tab.id === this.#chosen)?.button;
    if (button) this.#list.scrollLeft = button.offsetLeft - (this.#list.clientWidth - button.offsetWidth) / 2;
    this.#more();
  }

  /** Show the first of these tabs that there is. @param {string[]} ids */
  begin(ids) {
    return this.choose(ids.find((id) => this.#tabs.some((tab) => tab.id === id)));
  }

  /**
   * Show a tab's pane.
   * @returns {?object} it; null where it is not to be had
   */
  async choose(id) {
    const tab = this.#tabs.find((one) => one.id === id);
    if (id !== this.#chosen) this.#turn(tab);
    const pane = await this.#load(tab);
    if (pane && this.#chosen === id && tab.shown !== true) {
      tab.shown = true;
      pane.show();
    }
    return pane;
  }

  /** Try again where a pane could not be had. */
  again() {
    if (this.#chosen) this.choose(this.#chosen);
  }

  #turn(tab) {
    const before = this.#tabs.find((one) => one.id === this.#chosen);
    if (before?.shown) before.pane.hide();
    if (before) before.shown = false;
    this.#chosen = tab.id;
    for (const one of this.#tabs) {
      one.button.setAttribute('aria-selected', String(one === tab));
      one.button.tabIndex = one === tab ? 0 : -1;
      one.panel.hidden = one !== tab;
    }
    this.#reveal();
    const address = `#${tab.id}`;
    if (location.hash !== address) history[before ? 'pushState' : 'replaceState'](null, '', address);
    document.title = `${tab.title} · lfdeblur`;
  }

  async #load(tab) {
    tab.loading ??= loadPane(tab.kind, { ...this.#context, exhibit: tab.exhibit }, tab.tries ?? 0);
    try {
      const pane = await tab.loading;
      if (!tab.pane) tab.panel.replaceChildren(pane.element);
      tab.pane = pane;
      return pane;
    } catch (error) {
      console.warn(error);
      tab.loading = null;
      tab.tries = (tab.tries ?? 0) + 1;
      const text = 'This part of the page is not available. It is asked for again with the connection, or with its tab.';
      tab.panel.replaceChildren(h('p', { class: 'empty', text }));
      return null;
    }
  }
}
