/** What keys, mouse and fingers do. */

import { h, openDialog } from './dom.js';
import { toggle } from './controls.js';

const ROWS = [
  [['Click', 'Tap'], 'focus there'],
  [['Drag'], 'look around; with Shift the viewpoint stays'],
  [['←', '→', '↑', '↓'], 'move the crosshair; with Shift by 10 pixels'],
  [['Enter'], 'focus at the crosshair'],
  [['Alt + arrows'], 'look around'],
  [['[', ']'], 'focus on a smaller or a larger disparity'],
  [['−', '='], 'close or open the aperture'],
  [['Space'], 'play or pause the focal sweep'],
  [['D'], 'disparity map'],
  [['E'], 'epipolar slices'],
  [['?'], 'this help'],
];

/** @param {{shown: boolean, show: function(boolean)}} stats - the read-out of frames per second */
export function openHelp(stats) {
  const rows = ROWS.map(([keys, does]) => {
    const caps = keys.flatMap((key, i) => (i ? [' ', h('kbd', { text: key })] : [h('kbd', { text: key })]));
    return h('div', {}, h('dt', {}, ...caps), h('dd', { text: does }));
  });
  const note = h('p', { class: 'muted', text: 'Arrows, Enter and Space work while the picture has the focus.' });
  const rate = toggle({ label: 'Show frames per second', change: stats.show });
  rate.set(stats.shown);
  openDialog('Keys and help', [h('dl', { class: 'keys' }, ...rows), note, rate.element]);
}
