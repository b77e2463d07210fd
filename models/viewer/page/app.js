/** The page's shell: tabs, theme, notices, files that are dropped, the socket. */

import { ask, h } from './dom.js';
import { followFiles } from './dropping.js';
import { notify } from './notices.js';
import { Socket } from './socket.js';
import { Tabs } from './tabs.js';
import { startTheme } from './theme.js';

const PHOTOGRAPH = { id: 'photograph', kind: 'photograph', title: 'Photograph', exhibit: null };
const LOST = 'Connection lost. If lfdeblur view was ended, start it again; this page waits.';

/** One tab for each light field and each run, and one for all photographs. */
function tabsOf(exhibits) {
  const shown = exhibits.filter((exhibit) => exhibit.kind !== 'photograph');
  const tabs = shown.map((exhibit) => ({ id: exhibit.id, kind: exhibit.kind, title: exhibit.name, exhibit }));
  const fields = tabs.filter((tab) => tab.kind === 'light-field');
  return [...fields, PHOTOGRAPH, ...tabs.filter((tab) => tab.kind !== 'light-field')];
}

/** Say that the server is gone, and that it is back. @param {function()} back */
function watch(socket, back) {
  const banner = document.getElementById('connection');
  let lost = false;
  socket.onState((connected) => {
    banner.hidden = connected;
    banner.textContent = connected ? '' : LOST;
    if (connected && lost) back();
    lost = !connected;
  });
}

/** The server may be another one than before: what it shows then needs another page. */
async function backAgain(told, tabs) {
  const now = await (await ask('/api/exhibits')).text();
  if (now !== told) {
    location.reload();
    return;
  }
  notify('Connected again.');
  tabs.again();
}

async function start() {
  const panes = document.getElementById('panes');
  startTheme(document.getElementById('theme'));
  try {
    const text = await (await ask('/api/exhibits')).text();
    const told = JSON.parse(text);
    const socket = new Socket();
    const context = { socket, exhibits: told.exhibits, weights: told.weights, notify };
    const tabs = new Tabs(document.querySelector('.tabs'), panes, tabsOf(told.exhibits), context);
    watch(socket, () => backAgain(text, tabs).catch((error) => notify(error.message, 'error')));
    followFiles(document.body, async (files) => (await tabs.choose(PHOTOGRAPH.id))?.add(files));
    const first = told.exhibits[0]?.kind === 'photograph' ? PHOTOGRAPH.id : told.exhibits[0]?.id;
    await tabs.begin([location.hash.slice(1), first, PHOTOGRAPH.id]);
  } catch (error) {
    panes.replaceChildren(h('p', { class: 'empty', role: 'alert', text: error.message }));
  }
}

start();
