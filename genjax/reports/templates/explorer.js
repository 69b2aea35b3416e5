"use strict";
const find = selector => document.querySelector(selector);
async function ask(question, body = {}) {
  const answer = await fetch("/" + question, {method: "POST", body: JSON.stringify(body)});
  if (!answer.ok) { find("#state").textContent = await answer.text(); throw new Error(question); }
  return answer.json();
}
const sliders = [];  // by dimension
let waiting = false, again = false;
// While an answer is awaited, moves are gathered into one further question.
async function draw() {
  if (waiting) { again = true; return; }
  waiting = true;
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
let chosen = [];
async function choose(number) {
  chosen = [...chosen, number].slice(-2);
  [...find("#examples").children].forEach((image, i) => image.classList.toggle("chosen", chosen.includes(i)));
  const {z} = await ask("encode", {number});
  z.forEach((value, dimension) => { sliders[dimension].value = value; });
  draw();
  if (chosen.length === 2) show("#between", (await ask("interpolate", {a: chosen[0], b: chosen[1]})).images);
}
let seed = 0;
async function resample() { show("#samples", (await ask("sample", {seed: seed++})).images); }
async function begin() {
  const start = await ask("start");
  for (const {dimension, mean, low, high} of start.sliders) {
    const label = document.createElement("label"), slider = document.createElement("input");
    Object.assign(slider, {type: "range", min: low, max: high, step: "any", value: mean});
    slider.addEventListener("input", draw);
    sliders[dimension] = slider;
    label.append(`z${dimension}`, slider);
    find(".sliders").append(label);
  }
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
