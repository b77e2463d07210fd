/** A picture of the aperture: which views of the grid count, and how much. */

import { clamp, svg } from './dom.js';

const CELL = 10; // units of the drawing for one view step
const EDGE = 1; // view steps over which the aperture's edge fades, as in lfdeblur_models.data.rendering.aperture

const soft = (distance, radius) => clamp((radius - distance) / EDGE + 0.5, 0, 1);

/** Distance of a view from the centre of the polygon, so measured that its edges are at the apothem. */
function reachOfPolygon(v, u, blades, rotation) {
  const normals = Array.from({ length: blades }, (_, i) => (rotation * Math.PI) / 180 + (Math.PI * (2 * i + 1)) / blades);
  return Math.max(...normals.map((angle) => u * Math.sin(angle) - v * Math.cos(angle)));
}

const SHAPES = {
  disk: (v, u, { radius }) => soft(Math.hypot(v, u), radius),
  cateye: (v, u, { radius }) => soft(Math.hypot(v, u), radius),
  square: (v, u, { radius }) => soft(Math.max(Math.abs(v), Math.abs(u)), radius),
  polygon: (v, u, { radius, blades, rotation }) =>
    soft(reachOfPolygon(v, u, blades, rotation), radius * Math.cos(Math.PI / blades)),
  annulus: (v, u, { radius, inner }) => {
    const distance = Math.hypot(v, u);
    return soft(distance, radius) - (inner > 0 ? soft(distance, inner) : 0);
  },
};

/** @returns {number} how much the view counts that is `v`, `u` steps from the middle of the grid, 0 to 1 */
function weight(v, u, values) {
  const [down, right] = [v - values.v, u - values.u];
  const whole = SHAPES[values.shape](down, right, values);
  if (values.half === 'whole') return whole;
  return whole * clamp(0.5 + (values.half === 'left' ? -right : right), 0, 1);
}

export class ApertureView {
  /** @param {{v: number, u: number}} reach - of the grid from its middle, view steps */
  constructor(reach) {
    this.views = [];
    for (let v = -reach.v; v <= reach.v; v += 1) {
      for (let u = -reach.u; u <= reach.u; u += 1) this.views.push({ v, u });
    }
    this.dots = this.views.map(({ v, u }) => svg('circle', { cx: u * CELL, cy: v * CELL, r: 0.32 * CELL }));
    this.centre = svg('path', { d: 'M-3 0H3M0-3V3', class: 'centre' });
    const [width, height] = [(2 * reach.u + 1) * CELL, (2 * reach.v + 1) * CELL];
    this.element = svg(
      'svg', { class: 'aperture-view', viewBox: `${-width / 2} ${-height / 2} ${width} ${height}`, 'aria-hidden': 'true' },
      ...this.dots, this.centre,
    );
  }

  show(values) {
    this.views.forEach(({ v, u }, i) => {
      this.dots[i].style.fillOpacity = (0.14 + 0.86 * weight(v, u, values)).toFixed(2);
      this.dots[i].classList.toggle('counted', weight(v, u, values) > 0);
    });
    this.centre.setAttribute('transform', `translate(${values.u * CELL} ${values.v * CELL})`);
  }
}
