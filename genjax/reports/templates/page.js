"use strict";
// Figures take the page's colours, and again when these change.
function colours() {
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--ink").trim(), line = style.getPropertyValue("--line").trim();
  const layout = {paper_bgcolor: "transparent", plot_bgcolor: "transparent", "font.color": ink};
  for (const axis of ["xaxis", "yaxis"]) {
    layout[axis + ".gridcolor"] = line;
    layout[axis + ".zerolinecolor"] = line;
  }
  return layout;
}
// The page carries Plotly compressed, as text.
async function loadPlotly() {
  const bytes = Uint8Array.from(atob(document.querySelector("#plotly").textContent), letter => letter.charCodeAt(0));
  const script = document.createElement("script");
  script.textContent = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  document.head.append(script);
}
const figures = [...document.querySelectorAll(".figure")];
function draw(figure) {
  const {data, layout} = JSON.parse(figure.querySelector("script").textContent);
  Plotly.newPlot(figure, data, layout, {responsive: true, displayModeBar: false}).then(() => Plotly.relayout(figure, colours()));
  if (layout.meta?.log) {
    const label = document.createElement("label"), box = document.createElement("input");
    box.type = "checkbox";
    box.addEventListener("change", () => Plotly.relayout(figure, {"yaxis.type": box.checked ? "log" : "linear", "yaxis.autorange": true}));
    label.append(box, " logarithmic");
    label.className = "note";
    figure.after(label);
  }
}
if (figures.length) {
  loadPlotly().then(() => {
    figures.forEach(draw);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      for (const figure of figures) Plotly.relayout(figure, colours());
    });
  });
}

for (const strip of document.querySelectorAll(".strip")) {
  const images = strip.querySelectorAll("img"), slider = strip.querySelector("input");
  slider.addEventListener("input", () => {
    images.forEach((image, i) => { image.hidden = i !== Number(slider.value); });
    strip.querySelector("output").textContent = images[slider.value].alt;
  });
}

// A row and the row of its details, if any, stay together.
function groups(body) {
  const rows = [];
  for (const row of body.rows) row.classList.contains("more") ? rows.at(-1).push(row) : rows.push([row]);
  return rows;
}
function key(row, column) {
  const cell = row[0].cells[column];
  return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
}
function compare(a, b) {
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
}
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  table.querySelectorAll("th button").forEach((button, column) => {
    let sign = -1;
    button.addEventListener("click", () => {
      sign = -sign;
      const sorted = groups(body).sort((a, b) => sign * compare(key(a, column), key(b, column)));
      body.append(...sorted.flat());
    });
  });
  for (const row of body.querySelectorAll(".clickable")) {
    const show = () => { row.nextElementSibling.hidden = !row.nextElementSibling.hidden; };
    row.addEventListener("click", show);
    row.addEventListener("keydown", event => { if (event.key === "Enter") show(); });
  }
  table.closest("section").querySelector(".filter")?.addEventListener("input", event => {
    const text = event.target.value.toLowerCase();
    for (const [row, more] of groups(body)) {
      row.hidden = !row.textContent.toLowerCase().includes(text);
      if (more && row.hidden) more.hidden = true;
    }
  });
}
