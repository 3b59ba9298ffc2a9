// Blurhashes: a few letters that say what a picture looks like from far away. Each pair of letters is one
// cosine wave over the picture; the first is its mean colour.

const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~";

function number83(text) {
  let value = 0;
  for (const letter of text) value = value * 83 + letters.indexOf(letter);
  return value;
}

const toLinear = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const fromLinear = (v) => {
  v = Math.min(Math.max(v, 0), 1);
  return Math.round(255 * (v <= 0.0031308 ? v * 12.92 : 1.055 * v ** (1 / 2.4) - 0.055));
};

/** The waves of a blurhash: how many across, how many down, and the colour of each. */
function waves(hash) {
  const size = number83(hash[0]);
  const across = (size % 9) + 1, down = Math.floor(size / 9) + 1;
  if (hash.length !== 4 + 2 * across * down) throw new Error("not a blurhash");
  const mean = number83(hash.slice(2, 6));
  const colours = [[mean >> 16, (mean >> 8) & 255, mean & 255].map(toLinear)];
  const loudest = (number83(hash[1]) + 1) / 166;
  for (let i = 1; i < across * down; i++) {
    const value = number83(hash.slice(4 + 2 * i, 6 + 2 * i));
    colours.push([Math.floor(value / 361), Math.floor(value / 19) % 19, value % 19].map((level) => {
      const part = (level - 9) / 9;
      return Math.sign(part) * part * part * loudest;
    }));
  }
  return { across, down, colours };
}

/** Draws a blurhash over a whole canvas, which stays empty if the hash is none. */
function drawBlurhash(canvas, hash) {
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!hash) return;
  let picture;
  try {
    picture = waves(hash);
  } catch {
    return;
  }
  const { width, height } = canvas;
  const pixels = context.createImageData(width, height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const sum = [0, 0, 0];
      picture.colours.forEach((colour, i) => {
        const wave = Math.cos((Math.PI * x * (i % picture.across)) / width) *
          Math.cos((Math.PI * y * Math.floor(i / picture.across)) / height);
        for (let c = 0; c < 3; c++) sum[c] += colour[c] * wave;
      });
      pixels.data.set([...sum.map(fromLinear), 255], 4 * (y * width + x));
    }
  }
  context.putImageData(pixels, 0, 0);
}
