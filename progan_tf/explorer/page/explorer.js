// The explorer of a progressive GAN's generator.
//
// This file runs twice: as the page, and as a worker that computes pictures, so
// that the page never waits. In its order: random numbers, latents, points and
// their text, the worker, the page's side of it, the page.
"use strict";

// ---------------------------------------------------------------- random numbers

/** NumPy's RandomState: Mersenne Twister, and normal numbers by the polar method. */
class RandomState {
  /** @param {number} seed a whole number from 0 to 2**32 - 1 */
  constructor(seed) {
    this.key = new Uint32Array(624);
    this.key[0] = seed;
    for (let i = 1; i < 624; i++) {
      const last = this.key[i - 1];
      this.key[i] = Math.imul(1812433253, last ^ (last >>> 30)) + i;
    }
    this.place = 624;
    this.second = null; // Normal numbers come in pairs.
  }

  bits() {
    if (this.place === 624) this.twist();
    let y = this.key[this.place++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  twist() {
    const key = this.key;
    for (let i = 0; i < 624; i++) {
      const y = (key[i] & 0x80000000) | (key[(i + 1) % 624] & 0x7fffffff);
      key[i] = key[(i + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.place = 0;
  }

  /** From 0 to 1, of 53 bits. */
  uniform() {
    const high = this.bits() >>> 5, low = this.bits() >>> 6;
    return (high * 67108864 + low) / 9007199254740992;
  }

  normal() {
    if (this.second !== null) {
      const number = this.second;
      this.second = null;
      return number;
    }
    let x, y, square;
    do {
      x = 2 * this.uniform() - 1;
      y = 2 * this.uniform() - 1;
      square = x * x + y * y;
    } while (square >= 1 || square === 0);
    const factor = Math.sqrt((-2 * Math.log(square)) / square);
    this.second = factor * x;
    return factor * y;
  }
}

// ---------------------------------------------------------------------- latents

/** The latent that the program draws for a seed. */
function seededLatent(seed, size) {
  const random = new RandomState(seed);
  return Float32Array.from({ length: size }, () => random.normal());
}

function length(vector) {
  let sum = 0;
  for (const x of vector) sum += x * x;
  return Math.sqrt(sum);
}

/** Moved by an offset, and back to the length that it had. */
function moved(latent, offset) {
  if (offset.every((x) => x === 0)) return latent;
  const sum = Float64Array.from(latent, (x, i) => x + offset[i]);
  const scale = length(latent) / length(sum);
  return Float32Array.from(sum, (x) => x * scale);
}

/** Between two latents along the great circle; lengths change linearly. */
function interpolated(start, end, fraction) {
  const lengths = [length(start), length(end)];
  let cosine = 0;
  for (let i = 0; i < start.length; i++) cosine += start[i] * end[i];
  cosine = Math.min(1, Math.max(-1, cosine / (lengths[0] * lengths[1])));
  const angle = Math.acos(cosine), sine = Math.sin(angle);
  let parts = [1 - fraction, fraction];
  if (sine >= 1e-6) parts = parts.map((part) => Math.sin(part * angle) / sine);
  const all = (1 - fraction) * lengths[0] + fraction * lengths[1];
  const [a, b] = parts.map((part, i) => (part * all) / lengths[i]);
  return Float32Array.from(start, (x, i) => a * x + b * end[i]);
}

// ----------------------------------------------------------------------- points
//
// A point is a place among the latents, told by how one gets there:
//   base   {seed}, or {from, to, at}: between two other points
//   steps  list of {seed, percent}: towards the latent of a seed
//   moves  list of numbers, how far along each direction
//   label  a class, or null for that of the base
// As a text, such as in the address: 5~77x20*0:1.5,3:-2@4 is seed 5, 20 % of the
// way to seed 77, then along directions 0 and 3, with class 4; and (5_9_0.25) a
// quarter of the way from 5 to 9.

const HIGHEST_SEED = 2 ** 32 - 1;
const DEEPEST = 8; // Points between points.

function seedPoint(seed, label = null) {
  return { base: { seed }, steps: [], moves: [], label };
}

function pointText(point) {
  const { base, steps, moves, label } = point;
  let text = "seed" in base
    ? `${base.seed}`
    : `(${pointText(base.from)}_${pointText(base.to)}_${short(base.at)})`;
  for (const step of steps) text += `~${step.seed}x${step.percent}`;
  const parts = [];
  moves.forEach((far, i) => { if (far) parts.push(`${i}:${short(far)}`); });
  if (parts.length) text += `*${parts.join(",")}`;
  return label === null ? text : `${text}@${label}`;
}

function short(number) {
  return String(Number(number.toFixed(3)));
}

/** The point of a text; null for a text that is none. */
function parsedPoint(text, classes, directions) {
  let rest = text;
  const take = (pattern) => {
    const match = pattern.exec(rest);
    if (!match) throw new SyntaxError(rest);
    rest = rest.slice(match[0].length);
    return match;
  };
  const seed = (digits) => {
    if (Number(digits) > HIGHEST_SEED) throw new SyntaxError(digits);
    return Number(digits);
  };
  const point = (depth) => {
    if (depth > DEEPEST) throw new SyntaxError(rest);
    const result = seedPoint(0);
    if (rest[0] === "(") {
      take(/^\(/);
      const from = point(depth + 1);
      take(/^_/);
      const to = point(depth + 1);
      const at = Number(take(/^_(0|1|0\.\d{1,3})\)/)[1]);
      result.base = { from, to, at };
    } else {
      result.base = { seed: seed(take(/^\d{1,10}/)[0]) };
    }
    while (rest[0] === "~") {
      const [, digits, percent] = take(/^~(\d{1,10})x(\d{1,2})(?!\d)/);
      result.steps.push({ seed: seed(digits), percent: Number(percent) });
    }
    if (rest[0] === "*") {
      take(/^\*/);
      do {
        const [, i, far] = take(/^,?(\d{1,3}):(-?\d{1,2}(?:\.\d{1,3})?)/);
        if (i < directions) result.moves[i] = Number(far);
      } while (rest[0] === ",");
      result.moves = Array.from(result.moves, (x) => x || 0);
    }
    if (rest[0] === "@") {
      const label = Number(take(/^@(\d{1,4})/)[1]);
      if (label < classes) result.label = label;
    }
    return result;
  };
  try {
    const result = point(0);
    return rest ? null : result;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** The latent of a point, and its label as numbers that sum to 1. */
function inputsOf(point, about) {
  const { base, steps, moves, label } = point;
  const labels = new Float32Array(about.classes.length);
  let latent;
  if ("seed" in base) {
    latent = seededLatent(base.seed, about.latent_size);
    if (labels.length) labels[seedClass(base.seed, about)] = 1;
  } else {
    const [from, to] = [inputsOf(base.from, about), inputsOf(base.to, about)];
    latent = interpolated(from.latent, to.latent, base.at);
    labels.forEach((_, i) => {
      labels[i] = (1 - base.at) * from.labels[i] + base.at * to.labels[i];
    });
  }
  if (label !== null) labels.fill(0)[label] = 1;
  for (const { seed, percent } of steps) {
    const other = seededLatent(seed, about.latent_size);
    latent = interpolated(latent, other, percent / 100);
  }
  const offset = new Float64Array(about.latent_size);
  moves.forEach((far, i) => {
    if (far) about.vectors[i].forEach((x, j) => { offset[j] += far * x; });
  });
  return { latent: moved(latent, offset), labels };
}

/** The class that the program draws for a seed. */
function seedClass(seed, about) {
  return about.seed_classes[seed % about.seed_classes.length];
}

// ----------------------------------------------------------------------- errors

/** A sentence for who looks at the page. */
class Trouble extends Error {}

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

function crc32(bytes) {
  let crc = -1;
  for (let i = 0; i < bytes.length; i++) {
    crc = table[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}

/** The bytes of a file of this folder. */
async function bytesOf(name, progress = () => {}) {
  let response;
  try {
    response = await fetch(name);
  } catch {
    throw new Trouble(`${name} could not be loaded: the server does not answer.`);
  }
  if (!response.ok) {
    throw new Trouble(`${name} could not be loaded: the server answered with status ${response.status}.`);
  }
  const parts = [];
  let size = 0;
  try {
    for (const reader = response.body.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      progress((size += value.length));
    }
  } catch {
    throw new Trouble(`The download of ${name} was cut short after ${megabytes(size)} MB.`);
  }
  const bytes = new Uint8Array(size);
  let place = 0;
  for (const part of parts) {
    bytes.set(part, place);
    place += part.length;
  }
  return bytes;
}

/** The bytes of a file whose size and checksum are known. */
async function checkedBytesOf(known, progress) {
  const bytes = await bytesOf(known.file, progress);
  if (bytes.length < known.bytes) {
    throw new Trouble(
      `The download of ${known.file} was cut short: ${megabytes(bytes.length)} of ` +
      `${megabytes(known.bytes)} MB arrived.`);
  }
  if (bytes.length !== known.bytes || crc32(bytes) !== known.crc32) {
    throw new Trouble(`${known.file} is damaged: it differs from the file that was exported.`);
  }
  return bytes;
}

function megabytes(bytes) {
  return (bytes / 1e6).toFixed(1);
}

// ----------------------------------------------------------------------- worker

/** What the worker does with the page's messages. */
function serveNetwork() {
  let network = null, waiting = Promise.resolve();
  onmessage = ({ data }) => {
    // One after the other, because the network is one.
    waiting = waiting.then(async () => {
      try {
        if (data.kind === "load") {
          network = await loadedNetwork(data.about, data.engine);
          postMessage({ kind: "ready", engine: network.engine });
        } else {
          const pictures = await network.draw(data);
          const buffers = pictures.map((picture) => picture.pixels.buffer);
          postMessage({ kind: "drawn", id: data.id, pictures }, buffers);
        }
      } catch (error) {
        postMessage({ kind: "failed", sentence: sentenceOf(error) });
      }
    });
  };
}

function sentenceOf(error) {
  if (error instanceof Trouble) return error.message;
  return `The network cannot run in this browser (${error?.message ?? error}).`;
}

/** LiteRT.js and the network in it, on the GPU where that can be. */
async function loadedNetwork(about, engine) {
  const [litert, bytes] = await Promise.all([
    loadedRuntime(),
    checkedBytesOf(about.network, (size) => postMessage({ kind: "progress", size })),
  ]);
  if (engine === "webgpu" || (engine === null && (await hasGpu()))) {
    try {
      const options = { accelerator: "webgpu", gpuOptions: { precision: "fp32" } };
      const network = new Network(litert, await litert.loadAndCompile(bytes, options), about);
      // To see that it draws.
      await network.draw({ ...inputsOf(seedPoint(0), about), level: 0, all: false });
      network.engine = "WebGPU";
      return network;
    } catch (error) {
      if (engine === "webgpu") throw error;
    }
  }
  const model = await litert.loadAndCompile(bytes, { accelerator: "wasm" });
  const network = new Network(litert, model, about);
  network.engine = "WebAssembly";
  return network;
}

/** Whether there is a GPU, and no imitation of one. */
async function hasGpu() {
  try {
    const adapter = await navigator.gpu?.requestAdapter();
    return Boolean(adapter) && !(adapter.info ?? adapter).isFallbackAdapter;
  } catch {
    return false;
  }
}

async function loadedRuntime() {
  const litert = await import("./runtime/litert.js");
  // Without relaxed SIMD a product and its sum are two instructions.
  const isRelaxed = await litert.supportsFeature("relaxedSimd");
  const name = `runtime/litert_wasm_${isRelaxed ? "" : "compat_"}internal`;
  const packed = await bytesOf(`${name}.wasm.gz`);
  self.Module = { wasmBinary: await unpacked(packed), print() {}, printErr() {} };
  const { warn } = console;
  console.warn = () => {}; // Of every computer without a GPU.
  try {
    await litert.loadLiteRt(new URL(`${name}.js`, location.href).href);
  } catch (error) {
    throw new Trouble(
      "This browser's WebAssembly cannot run the network; a newer browser can " +
      `(${error?.message ?? error}).`);
  } finally {
    console.warn = warn;
  }
  self.liteRt = litert.getGlobalLiteRt();
  return litert;
}

/** The bytes in a gzip file, or the file itself where the server unpacked it. */
async function unpacked(bytes) {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    throw new Trouble("A file of the folder runtime is damaged, or this browser is too old to unpack it.");
  }
}

/** The compiled network. */
class Network {
  constructor(litert, model, about) {
    this.litert = litert;
    this.model = model;
    this.about = about;
  }

  /**
   * Pictures of a latent: of a level (between two, as in training while one is
   * faded in), and of every level where all are asked for.
   */
  async draw({ latent, labels, level, all }) {
    const { Tensor } = this.litert, { about } = this;
    const inputs = { latent_vector: new Tensor(latent, [1, latent.length]) };
    if (labels.length) inputs.labels = new Tensor(labels, [1, labels.length]);
    const outputs = await this.model.run(inputs);
    const wanted = all ? about.levels.map((_, i) => i) : [Math.floor(level), Math.ceil(level)];
    const images = new Map();
    for (const i of new Set(wanted)) {
      images.set(i, await outputs[about.levels[i].name].data());
    }
    for (const tensor of [...Object.values(inputs), ...Object.values(outputs)]) tensor.delete();
    const pictures = [picture(images, level, about)];
    if (all) about.levels.forEach((_, i) => pictures.push(picture(images, i, about)));
    return pictures;
  }
}

/** The pixels of a level, or of a fade from one to the next. */
function picture(images, level, about) {
  const high = Math.ceil(level), low = Math.floor(level);
  const { width, height } = about.levels[high], { channels } = about;
  const upper = images.get(high), lower = images.get(low), alpha = level - low;
  // Clamped, and rounded to the nearest number.
  const pixels = new Uint8ClampedArray(4 * width * height);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      for (let c = 0; c < 3; c++) {
        const channel = channels === 3 ? c : 0;
        let value = upper[at * channels + channel];
        if (high !== low) {
          const below = ((y >> 1) * (width >> 1) + (x >> 1)) * channels + channel;
          value = lower[below] + (value - lower[below]) * alpha;
        }
        if (about.tanh) value = Math.tanh(value);
        pixels[4 * at + c] = Number.isNaN(value) ? 128 : value * 127.5 + 127.5;
      }
      pixels[4 * at + 3] = 255;
    }
  }
  return { width, height, pixels };
}

// ------------------------------------------------- the page's side of the worker

/** Asks the worker for pictures, one at a time, the most wanted first. */
class Painter {
  constructor(about, engine, { progress, ready, failed }) {
    this.about = about;
    this.jobs = new Map(); // From a place to what is wanted there.
    this.current = null;
    this.count = 0;
    // The same file: see its end.
    this.worker = new Worker("explorer.js");
    this.worker.onerror = ({ message }) =>
      failed(sentenceOf({ message: message ?? "explorer.js does not start as a worker" }));
    this.worker.onmessage = ({ data }) => {
      if (data.kind === "progress") progress(data.size);
      if (data.kind === "failed") failed(data.sentence);
      if (data.kind === "ready") ready(data.engine);
      if (data.kind === "drawn") this.drawn(data);
    };
    this.worker.postMessage({ kind: "load", about, engine });
  }

  /** A newer wish for a place takes that of the older one. */
  want(place, point, level, show, all = false) {
    this.jobs.set(place, { point, level, all, show });
    this.next();
  }

  /** Forget wishes that are not begun, for places that begin so. */
  forget(prefix) {
    for (const place of this.jobs.keys()) {
      if (place.startsWith(prefix)) this.jobs.delete(place);
    }
  }

  isBusyWith(place) {
    return this.jobs.has(place) || this.current?.place === place;
  }

  next() {
    if (this.current || !this.jobs.size) return;
    const place = this.jobs.has("picture") ? "picture" : this.jobs.keys().next().value;
    const job = this.jobs.get(place);
    this.jobs.delete(place);
    this.current = { place, job, id: ++this.count };
    const inputs = inputsOf(job.point, this.about);
    this.worker.postMessage({
      kind: "draw", id: this.count, ...inputs, level: job.level, all: job.all,
    });
  }

  drawn({ id, pictures }) {
    if (this.current?.id !== id) return;
    const { job } = this.current;
    this.current = null;
    this.next();
    job.show(pictures);
  }
}

// ------------------------------------------------------------------------- page

const $ = (id) => document.getElementById(id);

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function paint(canvas, { width, height, pixels }) {
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  canvas.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
}

/** A button with a small picture in it. */
function thumb(label, choose) {
  const canvas = make("canvas", { width: 1, height: 1 });
  const button = make("button", { type: "button", className: "thumb", onclick: choose }, canvas);
  button.setAttribute("aria-label", label);
  return { button, canvas };
}

/** Arrow keys go through the buttons of a group; Tab passes it by. */
function withArrows(group, columns) {
  const buttons = () => [...group.querySelectorAll("button:not([hidden])")];
  const rove = (button) => {
    for (const each of buttons()) each.tabIndex = each === button ? 0 : -1;
  };
  rove(buttons()[0]);
  group.addEventListener("focusin", (event) => rove(event.target));
  group.addEventListener("keydown", (event) => {
    const all = buttons(), at = all.indexOf(document.activeElement);
    const goal = {
      ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns, ArrowUp: at - columns,
      Home: 0, End: all.length - 1,
    }[event.key];
    if (goal === undefined) return;
    event.preventDefault();
    all[Math.min(all.length - 1, Math.max(0, goal))].focus();
  });
}

class Page {
  constructor(about) {
    this.about = about;
    this.top = about.levels.length - 1;
    this.point = seedPoint(0);
    this.grown = this.top; // A level, or a number between two.
    this.pins = [seedPoint(1), seedPoint(5)];
    this.tab = "change";
    this.past = []; // Addresses to go back to.
    this.gridStart = 0;
    this.playing = null;
    this.times = []; // When the last pictures came.
    this.ringSeeds = [];
    this.tell();
    this.build();
    this.listen();
    this.readAddress();
    this.fill();
    const engine = new URLSearchParams(location.search).get("engine");
    this.painter = new Painter(about, engine, {
      progress: (size) => showProgress(size, about.network.bytes),
      ready: (name) => this.ready(name),
      failed: showTrouble,
    });
  }

  /** Say what network it is. */
  tell() {
    const { about } = this;
    const { width, height } = about.levels[this.top];
    document.title = `${about.name}, explored`;
    $("name").textContent = about.name;
    $("subtitle").textContent =
      `A progressive GAN that draws pictures of ${width}×${height}, computed in your browser`;
    const rows = { ...about.facts, latent: `${about.latent_size} numbers` };
    for (const [name, value] of Object.entries(rows)) {
      $("facts").append(make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: value })));
    }
    $("licence").append(...withLinks(about.licence));
    $("made").textContent =
      `Made with ${about.program}; computed by LiteRT.js. Nothing that you do here leaves this browser.`;
    $("frame").style.aspectRatio = `${width} / ${height}`;
  }

  build() {
    const { about } = this;
    $("class-field").hidden = !about.classes.length;
    $("class").append(make("option", { value: "" }),
      ...about.classes.map((name, i) => make("option", { value: i, textContent: name })));
    (about.directions?.strengths ?? []).forEach((strength, i) => {
      const id = `direction-${i}`;
      const label = make("label", { htmlFor: id }, `Direction ${i + 1} `,
        make("small", { textContent: `${(100 * strength).toFixed(1)} %` }));
      const input = make("input", { id, type: "range", min: -4, max: 4, step: 0.05, value: 0 });
      input.dataset.direction = i;
      $("sliders").append(make("div", { className: "slider" }, label, make("output", { id: `${id}-out` }), input));
    });
    if (!about.directions) {
      $("change-hint").textContent = "No directions are known for this network: it was exported from a TF-Hub module, whose layers are not accessible.";
      $("reset").hidden = true;
    }
    this.ring = Array.from({ length: 8 }, (_, i) =>
      thumb(`Neighbour ${i + 1} of 8`, () => this.moveTo(i)));
    const buttons = this.ring.map(({ button }) => button);
    this.middle = make("canvas", { width: 1, height: 1 });
    const middle = make("div", { className: "thumb middle" }, this.middle);
    middle.setAttribute("aria-hidden", "true");
    $("ring").append(...buttons.slice(0, 4), middle, ...buttons.slice(4));
    withArrows($("ring"), 3);
    this.cells = Array.from({ length: 64 }, (_, i) =>
      thumb("", () => this.change(seedPoint(this.gridStart + i, this.point.label))));
    $("cells").append(...this.cells.map(({ button }) => button));
    withArrows($("cells"), 8);
    this.levels = about.levels.map(({ width, height }, i) => {
      const each = thumb(`Show ${width} by ${height}`, () => this.growTo(i));
      each.canvas.className = "blocks";
      $("levels").append(make("figure", {}, each.button,
        make("figcaption", { textContent: `${width}×${height}` })));
      return each;
    });
    withArrows($("levels"), 3);
    $("grown").max = this.top;
    $("grow-slider").hidden = !this.top;
    if (!this.top) {
      $("grow-hint").textContent = "Only one resolution of this network is available: a single file does not hold the colour layers (toRGB) of the lower ones. Export the run to see them.";
    }
    // Pictures of few pixels show these.
    if (about.levels[this.top].width <= 64) $("picture").className = "blocks";
  }

  listen() {
    const on = (id, type, act) => $(id).addEventListener(type, act);
    on("seed", "change", () => {
      const seed = Math.round(Number($("seed").value));
      this.change(seedPoint(Math.min(HIGHEST_SEED, Math.max(0, seed || 0)), this.point.label));
    });
    on("seed-down", "click", () => this.step(-1));
    on("seed-up", "click", () => this.step(1));
    on("random", "click", () => this.change(seedPoint(randomSeed(1e6), this.point.label)));
    on("class", "change", () => {
      const { value } = $("class");
      this.change({ ...this.point, label: value === "" ? null : Number(value) });
    });
    on("sliders", "input", (event) => {
      const moves = Array.from($("sliders").querySelectorAll("input"), (input) => Number(input.value));
      this.pause();
      this.point = { ...this.point, moves };
      this.show();
      event.stopPropagation();
    });
    on("sliders", "change", () => this.settle());
    on("reset", "click", () => this.change({ ...this.point, moves: [] }));
    on("undo", "click", () => this.undo());
    on("link", "click", () => this.copyLink());
    on("save-png", "click", () => this.savePng());
    on("save-npy", "click", () => this.saveLatent());
    ["a", "b"].forEach((name, i) => {
      on(`go-${name}`, "click", () => this.change(this.pins[i]));
      on(`set-${name}`, "click", () => {
        this.pause();
        this.pins[i] = this.point;
        this.settle();
        say(`Pinned as the ${["start", "end"][i]}.`);
      });
    });
    on("play", "click", () => (this.playing ? this.pause(true) : this.play()));
    on("way", "input", () => {
      this.pause();
      this.walkTo(Number($("way").value));
    });
    on("way", "change", () => this.settle());
    on("seconds", "input", () => this.fill());
    on("reach", "input", () => this.fill());
    on("reach", "change", () => this.refresh());
    on("shuffle", "click", () => {
      this.ringSeeds = [];
      this.refresh();
    });
    on("grown", "input", () => {
      this.grown = Number($("grown").value);
      this.show();
    });
    on("grown", "change", () => this.settle());
    on("grid-before", "click", () => this.turnGrid(-64));
    on("grid-after", "click", () => this.turnGrid(64));
    for (const tab of document.querySelectorAll("[role=tab]")) {
      tab.addEventListener("click", () => this.open(tab.getAttribute("aria-controls")));
    }
    withTabKeys(document.querySelector("[role=tablist]"));
    addEventListener("hashchange", () => {
      if (location.hash.slice(1) !== this.address()) this.readAddress(true);
    });
    addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key === "z" && event.target.type !== "number") {
        event.preventDefault();
        this.undo();
      }
    });
  }

  // --- where one is

  /** Go to a point, so that it can be undone. */
  change(point) {
    this.pause();
    this.point = point;
    this.show();
    this.settle();
  }

  step(by) {
    const { base } = this.point;
    const seed = ("seed" in base ? base.seed : 0) + by;
    if (seed >= 0 && seed <= HIGHEST_SEED) this.change(seedPoint(seed, this.point.label));
  }

  moveTo(i) {
    const step = { seed: this.ringSeeds[i], percent: Number($("reach").value) };
    this.ringSeeds = [];
    // Moves come last: they are taken along.
    this.change({ ...this.point, steps: [...this.point.steps, step] });
  }

  growTo(level) {
    this.grown = level;
    this.show();
    this.settle();
  }

  walkTo(at) {
    const [from, to] = this.pins;
    this.point = { base: { from, to, at: Number(at.toFixed(3)) }, steps: [], moves: [], label: null };
    this.show();
  }

  turnGrid(by) {
    const start = Math.max(0, Math.min(HIGHEST_SEED - 63, this.gridStart + by));
    this.gridStart = start;
    this.settle();
  }

  play() {
    const { base } = this.point, [from, to] = this.pins;
    const isOnWay = base.from === from && base.to === to;
    // There and back again is 0 to 2.
    this.playing = { at: isOnWay ? base.at : 0, time: null };
    $("play").textContent = "Pause";
    $("play").setAttribute("aria-pressed", "true");
    requestAnimationFrame((time) => this.frame(time));
  }

  frame(time) {
    const { playing } = this;
    if (!playing) return;
    if (!this.painter.isBusyWith("picture")) {
      const seconds = Number($("seconds").value);
      // A page in the background sleeps.
      const passed = playing.time === null ? 0 : Math.min(1000, time - playing.time);
      playing.time = time;
      playing.at = (playing.at + passed / 1000 / seconds) % 2;
      this.walkTo(playing.at <= 1 ? playing.at : 2 - playing.at);
    }
    requestAnimationFrame((next) => this.frame(next));
  }

  pause(settle = false) {
    if (!this.playing) return;
    this.playing = null;
    $("play").textContent = "Play";
    $("play").setAttribute("aria-pressed", "false");
    if (settle) this.settle();
  }

  // --- the address, and undoing

  address() {
    const parts = [`z=${pointText(this.point)}`];
    if (this.grown !== this.top) parts.push(`grown=${short(this.grown)}`);
    parts.push(`a=${pointText(this.pins[0])}`, `b=${pointText(this.pins[1])}`);
    if (this.gridStart) parts.push(`grid=${this.gridStart}`);
    if (this.tab !== "change") parts.push(`tab=${this.tab}`);
    return parts.join("&");
  }

  readAddress(show = false) {
    const { about } = this;
    // Some programs write % and numbers for signs such as a bracket.
    const text = location.hash.slice(1).replace(/%[0-7][0-9a-f]/gi, decodeURIComponent);
    const given = new Map(text.split("&")
      .map((part) => part.split("=")).filter((part) => part.length === 2));
    const point = (name, otherwise) =>
      parsedPoint(given.get(name) ?? "", about.classes.length, about.directions?.strengths.length ?? 0)
      ?? otherwise;
    this.point = point("z", seedPoint(0));
    this.pins = [point("a", seedPoint(1)), point("b", seedPoint(5))];
    const grown = Number(given.get("grown") ?? this.top);
    this.grown = grown >= 0 && grown <= this.top ? grown : this.top;
    const start = Number(given.get("grid") ?? 0);
    this.gridStart = Number.isInteger(start) && start >= 0 && start <= HIGHEST_SEED - 63 ? start : 0;
    const tab = given.get("tab");
    this.tab = $(`tab-${tab}`) ? tab : "change";
    // So that its walk is known as this one.
    const { base } = this.point, texts = this.pins.map(pointText);
    if (base.from && pointText(base.from) === texts[0] && pointText(base.to) === texts[1]) {
      [base.from, base.to] = this.pins;
    }
    this.openTab();
    this.past = [this.address()];
    if (show) {
      this.show();
      this.refresh();
    }
  }

  /** Something has changed for good: note it, and draw what hangs on it. */
  settle() {
    const address = this.address();
    if (address !== this.past.at(-1)) this.past.push(address);
    if (this.past.length > 500) this.past.shift();
    this.writeAddress();
    this.fill();
    this.refresh();
  }

  writeAddress() {
    try {
      history.replaceState(null, "", `#${this.address()}`);
    } catch {
      // Browsers allow so many a minute; the next one tells it all.
    }
  }

  undo() {
    if (this.past.length < 2) return;
    this.pause();
    const past = this.past.slice(0, -1);
    history.replaceState(null, "", `#${past.at(-1)}`);
    this.readAddress(true);
    this.past = past;
    this.fill();
    say("Undone.");
  }

  async copyLink() {
    this.settle();
    try {
      await navigator.clipboard.writeText(location.href);
      say("Link copied.");
    } catch {
      say("The link could not be copied; it is the address of this page.");
    }
  }

  // --- drawing

  ready(engine) {
    this.engine = engine;
    this.show();
    this.refresh();
  }

  /** Draw the picture, and say where one is. */
  show() {
    this.fill();
    if (!this.engine) return;
    const text = `${pointText(this.point)} ${short(this.grown)}`;
    const all = this.tab === "grow";
    this.painter.want("picture", this.point, this.grown, (pictures) => {
      paint($("picture"), pictures[0]);
      paint(this.middle, pictures[0]);
      if (all) this.levels.forEach(({ canvas }, i) => paint(canvas, pictures[i + 1]));
      this.shown(text);
    }, all);
  }

  shown(text) {
    const root = document.documentElement;
    if (root.dataset.state !== "ready") {
      root.dataset.state = "ready";
      performance.mark("first picture");
    }
    const picture = $("picture");
    picture.dataset.shown = text;
    picture.dataset.count = Number(picture.dataset.count ?? 0) + 1;
    // Blocks are what a low resolution looks like.
    const { width } = this.about.levels[this.top];
    picture.classList.toggle("blocks", this.grown < this.top || width <= 64);
    const now = performance.now();
    this.times = [...this.times.filter((time) => now - time < 3000), now];
    const [first] = this.times, count = this.times.length - 1;
    const rate = count >= 5 ? `${((1000 * count) / (now - first)).toFixed(1)} pictures a second, ` : "";
    $("speed").textContent = rate + this.engine;
  }

  /** The small pictures of the open tool. */
  refresh() {
    if (!this.engine) return;
    for (const prefix of ["near", "cell", "pin"]) this.painter.forget(prefix);
    const into = (canvas) => ([picture]) => paint(canvas, picture);
    if (this.tab === "near") {
      if (!this.ringSeeds.length) {
        this.ringSeeds = Array.from({ length: 8 }, () => randomSeed(1e6));
      }
      const percent = Number($("reach").value);
      this.ring.forEach(({ canvas }, i) => {
        const steps = [...this.point.steps, { seed: this.ringSeeds[i], percent }];
        this.painter.want(`near${i}`, { ...this.point, steps }, this.grown, into(canvas));
      });
    }
    if (this.tab === "walk") {
      this.pins.forEach((pin, i) =>
        this.painter.want(`pin${i}`, pin, this.grown, into($(`pin-${"ab"[i]}`))));
    }
    if (this.tab === "grid") this.refreshGrid(into);
    if (this.tab === "grow" && !this.levels[0].canvas.dataset.asked) {
      this.levels[0].canvas.dataset.asked = "yes";
      this.show();
    }
  }

  refreshGrid(into) {
    const { label } = this.point;
    this.cells.forEach(({ button, canvas }, i) => {
      const seed = this.gridStart + i, wanted = pointText(seedPoint(seed, label));
      button.setAttribute("aria-label", `Seed ${seed}`);
      if (canvas.dataset.shown === wanted) return;
      this.painter.want(`cell${i}`, seedPoint(seed, label), this.top, ([picture]) => {
        paint(canvas, picture);
        canvas.dataset.shown = wanted;
      });
    });
  }

  // --- controls that follow

  /** Every control shows where one is. */
  fill() {
    const { about, point, grown, top } = this;
    const { base, label, moves } = point;
    const isSeed = "seed" in base;
    $("seed").value = isSeed ? base.seed : "";
    $("seed").placeholder = isSeed ? "" : "on a walk";
    if (about.classes.length) {
      $("class").options[0].textContent = isSeed
        ? `${about.classes[seedClass(base.seed, about)]} (of the seed)`
        : "as on the walk";
      $("class").value = label === null ? "" : label;
    }
    for (const input of $("sliders").querySelectorAll("input")) {
      const far = moves[input.dataset.direction] ?? 0;
      if (Number(input.value) !== far) input.value = far;
      $(`${input.id}-out`).textContent = signed(far);
      input.setAttribute("aria-valuetext", signed(far));
    }
    $("reset").disabled = !moves.some((far) => far);
    if (base.from === this.pins[0] && base.to === this.pins[1]) $("way").value = base.at;
    $("way").setAttribute("aria-valuetext", `${Math.round(100 * $("way").value)} percent`);
    $("seconds-out").textContent = $("seconds").value;
    $("reach-out").textContent = `${$("reach").value} %`;
    $("grown").value = grown;
    const size = sizeText(about.levels, grown);
    $("grown-out").textContent = size;
    $("grown").setAttribute("aria-valuetext", size);
    this.levels.forEach(({ button }, i) => button.setAttribute("aria-current", String(grown === i)));
    $("grid-range").textContent = `Seeds ${this.gridStart} to ${this.gridStart + 63}`;
    $("grid-before").disabled = !this.gridStart;
    const isPlain = isSeed && !point.steps.length && !moves.some((far) => far);
    this.cells.forEach(({ button }, i) =>
      button.setAttribute("aria-current", String(isPlain && base.seed === this.gridStart + i)));
    $("undo").disabled = this.past.length < 2;
    $("caption").textContent = captionOf(point, about) + (grown === top ? "" : `, ${size}`);
    $("picture").setAttribute("aria-label", `Picture of ${$("caption").textContent}`);
  }

  open(tab) {
    if (tab === this.tab) return;
    this.tab = tab;
    this.openTab();
    if (tab === "grow") this.show();
    this.writeAddress();
    this.refresh();
  }

  openTab() {
    for (const tab of document.querySelectorAll("[role=tab]")) {
      const name = tab.getAttribute("aria-controls"), isOpen = name === this.tab;
      tab.setAttribute("aria-selected", String(isOpen));
      tab.tabIndex = isOpen ? 0 : -1;
      $(name).hidden = !isOpen;
    }
  }

  // --- files

  async savePng() {
    const blob = await new Promise((resolve) => $("picture").toBlob(resolve, "image/png"));
    this.save(blob, "png");
  }

  saveLatent() {
    const { latent } = inputsOf(this.point, this.about);
    this.save(new Blob([npy(latent)]), "npy");
  }

  save(blob, ending) {
    const place = pointText(this.point).replace(/[^\w.-]+/g, "-").slice(0, 60);
    const link = make("a", {
      href: URL.createObjectURL(blob),
      download: `${this.about.name}-${place}.${ending}`,
    });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    say(`Saved ${link.download}.`);
  }
}

/** NumPy's file of float32 [1, N]. */
function npy(latent) {
  let header = `{'descr': '<f4', 'fortran_order': False, 'shape': (1, ${latent.length}), }`;
  // Magic, version and length take 10 bytes; all of it a multiple of 64.
  header = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11) + "\n";
  const bytes = new Uint8Array(10 + header.length + 4 * latent.length);
  bytes.set([0x93, ...Array.from("NUMPY", (x) => x.charCodeAt(0)), 1, 0, header.length & 255, header.length >> 8]);
  bytes.set(Array.from(header, (x) => x.charCodeAt(0)), 10);
  bytes.set(new Uint8Array(latent.buffer), 10 + header.length);
  return bytes;
}

function randomSeed(below) {
  return Math.floor(Math.random() * below);
}

function signed(number) {
  return `${number > 0 ? "+" : number < 0 ? "−" : ""}${Math.abs(number).toFixed(2)}`;
}

function sizeText(levels, grown) {
  const low = levels[Math.floor(grown)], high = levels[Math.ceil(grown)];
  const size = ({ width, height }) => `${width}×${height}`;
  if (low === high) return size(low);
  return `${Math.round(100 * (grown % 1))} % of the way from ${size(low)} to ${size(high)}`;
}

function captionOf({ base, steps, moves, label }, about) {
  let text = "seed" in base ? `seed ${base.seed}` : `${Math.round(100 * base.at)} % of the walk`;
  if (steps.length) text += `, ${steps.length} ${steps.length > 1 ? "steps" : "step"} away`;
  if (moves.some((far) => far)) text += ", changed";
  if (label !== null) text += `, ${about.classes[label]}`;
  return text;
}

/** A text whose addresses are links. */
function withLinks(text) {
  return text.split(/(https:\/\/[^\s,;)]+[^\s,;).])/).map((part, i) =>
    i % 2 ? make("a", { href: part, textContent: part, rel: "noopener noreferrer" }) : part);
}

/** Arrow keys go from tab to tab. */
function withTabKeys(list) {
  list.addEventListener("keydown", (event) => {
    const tabs = [...list.children], at = tabs.indexOf(document.activeElement);
    const goal = {
      ArrowRight: (at + 1) % tabs.length, ArrowLeft: (at + tabs.length - 1) % tabs.length,
      Home: 0, End: tabs.length - 1,
    }[event.key];
    if (goal === undefined) return;
    event.preventDefault();
    tabs[goal].focus();
    tabs[goal].click();
  });
}

function say(text) {
  $("said").textContent = text;
}

function showProgress(size, all) {
  // What is loaded at the same time goes on after a trouble, which stays.
  if (document.documentElement.dataset.state === "failed") return;
  $("veil-bar").value = size / all;
  $("veil-text").textContent = size < all
    ? `Loading the network, ${megabytes(size)} of ${megabytes(all)} MB`
    : "Drawing the first picture";
}

function showTrouble(sentence) {
  document.documentElement.dataset.state = "failed";
  $("veil-text").setAttribute("role", "alert");
  $("veil-text").textContent = sentence;
  $("veil-bar").hidden = true;
  $("again").hidden = false;
  $("again").onclick = () => location.reload();
}

async function startPage() {
  try {
    if (location.protocol === "file:") {
      throw new Trouble("Browsers do not let a page that was opened as a file load other files: serve this folder, for example with python -m http.server, and open its address.");
    }
    if (typeof WebAssembly !== "object") {
      throw new Trouble("This browser has no WebAssembly, or it is switched off; the network needs it.");
    }
    const about = parsedAbout(await bytesOf("network.json"));
    about.vectors = [];
    if (about.directions) {
      const bytes = await checkedBytesOf(about.directions);
      const numbers = new Float32Array(bytes.buffer), size = about.latent_size;
      about.vectors = about.directions.strengths.map((_, i) => numbers.subarray(i * size, (i + 1) * size));
    }
    window.page = new Page(about);
  } catch (error) {
    showTrouble(sentenceOf(error));
    if (!(error instanceof Trouble)) throw error;
  }
}

function parsedAbout(bytes) {
  try {
    const about = JSON.parse(new TextDecoder().decode(bytes));
    if (about.format === 1) return about;
  } catch {
    // Told below.
  }
  throw new Trouble("network.json is damaged, or of another version than this page.");
}

if (typeof document === "undefined") serveNetwork();
else startPage();
