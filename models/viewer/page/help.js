/** What keys, mouse and fingers do. */

import { h, openDialog } from './dom.js';
import { toggle } from './controls.js';

const LIGHT_FIELD = [
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
const PHOTOGRAPH = [
  [['Wheel', 'Pinch'], 'zoom'],
  [['Drag'], 'move the photograph; with the brush: paint'],
  [['Double click', 'Enter'], 'from all of it to 1:1, and back'],
  [['+', '−'], 'zoom in or out'],
  [['0', '1'], 'all of it, or 1:1'],
  [['←', '→', '↑', '↓'], 'move the photograph, or the brush; with Shift the brush goes farther'],
  [['Space'], 'paint where the brush is'],
  [['[', ']'], 'a smaller or a larger brush'],
  [['Ctrl + Z'], 'take a stroke back; with Shift: do it again'],
  [['Tab'], 'to the divider: arrows, Page keys, Home and End move it'],
  [['?'], 'this help'],
];

/** @param {{shown: boolean, show: function(boolean)}} stats - the read-out of frames per second */
export function openLightFieldHelp(stats) {
  const rate = toggle({ label: 'Show frames per second', change: stats.show });
  rate.set(stats.shown);
  open(LIGHT_FIELD, rate.element);
}

export function openPhotographHelp() {
  open(PHOTOGRAPH);
}

function open(rows, ...more) {
  const shown = rows.map(([keys, does]) => {
    const caps = keys.flatMap((key, i) => (i ? [' ', h('kbd', { text: key })] : [h('kbd', { text: key })]));
    return h('div', {}, h('dt', {}, ...caps), h('dd', { text: does }));
  });
  openDialog('Keys and help', [h('dl', { class: 'keys' }, ...shown), ...more]);
}
