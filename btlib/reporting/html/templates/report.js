"use strict";
// The page is complete without this script, but not interactive. Controls that need the script are hidden until it runs.
const all = (query, within = document) => [...within.querySelectorAll(query)];
const one = (query) => document.querySelector(query);
const root = document.documentElement;

// Theme: the system's theme until the reader chooses one.
const chosenTheme = (value) => { try { if (value) localStorage.setItem("btlib-theme", value); return localStorage.getItem("btlib-theme"); } catch { return value; } };
const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
const stored = chosenTheme();
if (stored === "dark" || stored === "light") root.dataset.theme = stored;
one("#theme").hidden = false;
one("#theme").addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; chosenTheme(root.dataset.theme); });
all(".tools, .copy").forEach((element) => { element.hidden = false; });

// Table: a click on a heading sorts, a second click reverses the order; rows without a value stay last.
const table = one("#cases");
function sort(heading, index) {
  const falling = heading.getAttribute("aria-sort") === "ascending" || (heading.classList.contains("n") && !heading.hasAttribute("aria-sort"));
  all("th", table.tHead).forEach((other) => other.removeAttribute("aria-sort"));
  heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
  const numeric = heading.classList.contains("n");
  const value = (row) => { const cell = row.cells[index]; return numeric ? (cell.dataset.sort === "" ? null : Number(cell.dataset.sort)) : cell.textContent.trim(); };
  const compare = (a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === null || y === null) return (x === null) - (y === null);
    const order = numeric ? x - y : x.localeCompare(y, "en", { numeric: true });
    return falling ? -order : order;
  };
  table.tBodies[0].append(...all("tr", table.tBodies[0]).sort(compare));
}
function filter() {
  const [text, status] = [one("#find").value.trim().toLowerCase(), one("#verdict").value];
  const rows = all("tbody tr", table);
  rows.forEach((row) => { row.hidden = !row.cells[0].textContent.toLowerCase().includes(text) || (status !== "" && row.dataset.status !== status); });
  one("#count").textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} cases`;
}
if (table) {
  all("th", table.tHead).forEach((heading, index) => heading.querySelector("button").addEventListener("click", () => sort(heading, index)));
  one("#find").addEventListener("input", filter);
  one("#verdict").addEventListener("change", filter);
  filter();
}

// Gallery: one case at a time; a click enlarges a sample, arrow keys move between the shown samples.
const tiles = all(".gallery > li");
const viewer = one("#viewer");
let at = null;
const shown = () => tiles.filter((tile) => !tile.hidden);
function choose() {
  const [whose, kind] = [one("#whose").value, one("#kind").value];
  tiles.forEach((tile) => { tile.hidden = (whose !== "" && tile.dataset.case !== whose) || (kind !== "" && !tile.dataset.kinds.split(" ").includes(kind)); });
  one("#tiles").textContent = `${shown().length} samples`;
}
function look(tile) {
  at = tile;
  one("#shown").replaceChildren(...[...tile.children].map((child) => child.cloneNode(true)));
  all("a", one("#shown")).forEach((link) => link.addEventListener("click", (event) => { if (link.classList.contains("look")) event.preventDefault(); else viewer.close(); }));
  history.replaceState(null, "", `#${tile.id}`);
  if (!viewer.open) viewer.showModal();
}
function step(by) {
  const row = shown();
  if (at && row.length) look(row[(row.indexOf(at) + by + row.length) % row.length]);
}
function linked() {
  const tile = tiles.find((candidate) => `#${candidate.id}` === location.hash);
  if (!tile) return;
  one("#whose").value = tile.dataset.case;
  one("#kind").value = "";
  choose();
  tile.scrollIntoView();
}
if (tiles.length) {
  tiles.forEach((tile) => tile.querySelector(".look").addEventListener("click", (event) => { event.preventDefault(); look(tile); }));
  all(".step").forEach((button) => button.addEventListener("click", () => step(Number(button.dataset.step))));
  viewer.addEventListener("keydown", (event) => { if (event.key === "ArrowLeft") step(-1); if (event.key === "ArrowRight") step(1); });
  viewer.addEventListener("close", () => at?.querySelector(".look").focus());
  one("#whose").addEventListener("change", choose);
  one("#kind").addEventListener("change", choose);
  choose();
  linked();
  addEventListener("hashchange", linked);
}

// Copy buttons; if the page may not write to the clipboard, use the older method.
async function copy(text) {
  try { await navigator.clipboard.writeText(text); } catch {
    const area = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(area); area.select(); document.execCommand("copy"); area.remove();
  }
}
all(".copy").forEach((button) => button.addEventListener("click", async () => {
  await copy(button.dataset.copy);
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}));
