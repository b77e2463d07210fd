/** Colours for numbers: viridis, which is as even to the eye as it is to the numbers. */

// A polynomial of degree 6 for each of red, green and blue, by Matt Zucker (public domain); off by at most 1 %.
const VIRIDIS = [
  [0.2777273272, 0.1050930431, -0.3308618287, -4.634230499, 6.228269936, 4.776384998, -5.435455856],
  [0.0054073445, 1.40461353, 0.2148475595, -5.799100973, 14.17993337, -13.74514538, 4.645852612],
  [0.3340998053, 1.38459016, 0.0950951630, -19.33244096, 56.6905526, -65.35303263, 26.31243525],
];

const polynomial = (factors, t) => factors.reduceRight((sum, factor) => sum * t + factor, 0);

/** 256 colours, red, green and blue of each from 0 to 255. */
export const TABLE = Uint8ClampedArray.from({ length: 768 }, (_, i) => {
  return 255 * polynomial(VIRIDIS[i % 3], Math.floor(i / 3) / 255);
});

/**
 * Numbers as a picture.
 * @param {Float32Array} values - row by row
 * @param {number} width
 * @param {number} low - has the first colour
 * @param {number} high - has the last
 * @returns {ImageData}
 */
export function coloured(values, width, low, high) {
  const picture = new ImageData(width, values.length / width);
  const { data } = picture;
  const scale = 255 / (high - low || 1);
  for (let i = 0; i < values.length; i += 1) {
    const at = 3 * Math.round(Math.min(Math.max((values[i] - low) * scale, 0), 255));
    for (let channel = 0; channel < 3; channel += 1) data[4 * i + channel] = TABLE[at + channel];
    data[4 * i + 3] = 255;
  }
  return picture;
}
