"use strict";
const find = selector => document.querySelector(selector);
async function ask(question, body = {}) {
  const answer = await fetch("/" + question, {method: "POST", body: JSON.stringify(body)});
  if (!answer.ok) { find("#state").textContent = await answer.text(); throw new Error(question); }
  return answer.json();
}
const sliders = [];  // by dimension
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999", "#8c564b", "#17becf", "#bcbd22"];
let waiting = false, again = false;
// While an answer is awaited, moves are gathered into one further question.
async function draw() {
  if (waiting) { again = true; return; }
  waiting = true;
  drawPlane();
  const began = performance.now();
  try {
    find("#image").src = (await ask("decode", {z: sliders.map(slider => Number(slider.value))})).image;
    find("#state").textContent = `${Math.round(performance.now() - began)} ms`;
  } finally { waiting = false; }
  if (again) { again = false; draw(); }
}
function show(place, images, click) {
  find(place).replaceChildren(...images.map((source, i) => {
    const image = new Image();
    image.src = source;
    image.alt = `${place.slice(1)} ${i}`;
    if (click) image.addEventListener("click", () => click(i, image));
    return image;
  }));
}
function move(z) {
  z.forEach((value, dimension) => {  // a slider holds no value beyond its ends
    const slider = sliders[dimension];
    slider.min = Math.min(slider.min, value);
    slider.max = Math.max(slider.max, value);
    slider.value = value;
  });
  draw();
}
// The plane: codes of data as dots, the code of the image as a ring.
let codes = [], codeLabels = [];
const plane = () => [...document.querySelectorAll("#plane select")].map(select => sliders[select.value]);
function drawPlane() {
  if (find("#plane").hidden) return;
  const canvas = find("#plane canvas"), pen = canvas.getContext("2d"), axes = plane();
  const place = values => values.map((value, axis) => {
    const {min, max} = axes[axis], share = (value - min) / (max - min);
    return (axis ? 1 - share : share) * canvas.width;
  });
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.globalAlpha = 0.6;
  codes.forEach((code, i) => {
    const [x, y] = place(axes.map(slider => code[sliders.indexOf(slider)]));
    pen.fillStyle = COLOURS[(codeLabels[i] ?? 0) % COLOURS.length];
    pen.fillRect(x - 3, y - 3, 6, 6);
  });
  pen.globalAlpha = 1;
  pen.strokeStyle = getComputedStyle(document.body).color;
  pen.lineWidth = 4;
  pen.beginPath();
  pen.arc(...place(axes.map(slider => Number(slider.value))), 10, 0, 7);
  pen.stroke();
}
function preparePlane(order) {
  find("#plane").hidden = false;
  document.querySelectorAll("#plane select").forEach((select, i) => {
    for (const {dimension, name} of order) select.add(new Option(name, dimension));
    select.selectedIndex = i;
    select.addEventListener("change", drawPlane);
  });
  const classes = [...new Set(codeLabels)].sort((a, b) => a - b).slice(0, COLOURS.length);
  find("#legend").replaceChildren(...classes.map(label => {
    const name = document.createElement("span");
    name.style.color = COLOURS[label % COLOURS.length];
    name.textContent = `\u25a0 ${label} `;
    return name;
  }));
  const canvas = find("#plane canvas");
  const drag = event => {
    if (!(event.buttons & 1)) return;
    const box = canvas.getBoundingClientRect();
    const shares = [(event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height];
    plane().forEach((slider, i) => { slider.value = Number(slider.min) + shares[i] * (slider.max - slider.min); });
    draw();
  };
  canvas.addEventListener("pointerdown", event => { canvas.setPointerCapture(event.pointerId); drag(event); });
  canvas.addEventListener("pointermove", drag);
}
// An image of the user's own: its middle square, or as wide as the data are, at their size.
async function rebuild(file, [height, width, channels]) {
  const image = await createImageBitmap(file), canvas = new OffscreenCanvas(width, height), pen = canvas.getContext("2d");
  const scale = Math.min(image.width / width, image.height / height), w = scale * width, h = scale * height;
  pen.imageSmoothingQuality = "high";
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, width, height);
  pen.drawImage(image, (image.width - w) / 2, (image.height - h) / 2, w, h, 0, 0, width, height);
  const rgba = pen.getImageData(0, 0, width, height).data, pixels = [];
  for (let i = 0; i < rgba.length; i += 4) {
    const [r, g, b] = rgba.slice(i, i + 3);
    pixels.push(...(channels === 1 ? [Math.round(0.299 * r + 0.587 * g + 0.114 * b)] : [r, g, b]));
  }
  const {images, z} = await ask("reconstruct", {pixels: find("#invert").checked ? pixels.map(p => 255 - p) : pixels});
  show("#rebuilt", images);
  move(z);
}
function prepareDropper(shape) {
  const zone = find(".drop"), input = find(".drop input");
  let last = null;
  const take = file => {
    if (!file) return;
    last = file;
    rebuild(file, shape).catch(() => { find("#state").textContent = `${file.name} is not an image that a browser reads`; });
  };
  find("#dropper").hidden = false;
  input.addEventListener("change", () => take(input.files[0]));
  find("#invert").addEventListener("change", () => take(last));
  for (const [kind, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
    zone.addEventListener(kind, event => {
      event.preventDefault();
      zone.classList.toggle("over", over);
      if (kind === "drop") take(event.dataTransfer.files[0]);
    });
  }
}
let chosen = [];
async function choose(number) {
  chosen = [...chosen, number].slice(-2);
  [...find("#examples").children].forEach((image, i) => image.classList.toggle("chosen", chosen.includes(i)));
  const {z} = await ask("encode", {number});
  move(z);
  if (chosen.length === 2) show("#between", (await ask("interpolate", {a: chosen[0], b: chosen[1]})).images);
}
let seed = 0;
async function resample() { show("#samples", (await ask("sample", {seed: seed++})).images); }
async function begin() {
  const start = await ask("start");
  const byKl = start.sliders[0].kl !== null;
  find("#order").textContent = byKl ? "The dimensions that carry most come first: KL in nats." : "The dimensions that vary most come first.";
  for (const {dimension, name, mean, low, high, kl} of start.sliders) {
    const label = document.createElement("label"), slider = document.createElement("input");
    Object.assign(slider, {type: "range", min: low, max: high, step: "any", value: mean});
    slider.addEventListener("input", draw);
    sliders[dimension] = slider;
    label.append(name, slider, byKl ? kl.toFixed(2) : "");
    find(".sliders").append(label);
  }
  [codes, codeLabels] = [start.codes, start.codeLabels];
  if (start.sliders.length > 1) preparePlane(start.sliders);
  if (start.shape) prepareDropper(start.shape);
  if (start.examples.length) {
    find("#chooser").hidden = false;
    show("#examples", start.examples, choose);
    start.labels.forEach((label, i) => { find("#examples").children[i].title = `class ${label}`; });
  }
  if (start.samples) {
    find("#sampler").hidden = false;
    find("#sampler button").addEventListener("click", resample);
    await resample();
  }
  await draw();
}
begin();
