// What the page does when one points, clicks, types and searches.

const graph = JSON.parse(document.getElementById("graph").textContent);
const $ = (id) => document.getElementById(id);
const picture = new Picture($("picture"), graph);
globalThis.picture = picture; // for whoever looks in from outside

// -- selecting ---------------------------------------------------------------------------------------

function select(item, { show = false } = {}) {
  picture.selected = item;
  $("details").replaceChildren(...detailsOf(graph, item, chooseNode));
  if (item && show) picture.show(item);
  else picture.redraw();
}

/** Select a node wherever it is: boxes around it are opened. */
function chooseNode(index) {
  const item = picture.tree.items[index] || picture.tree.items[usersOf(graph, index)[0]];
  let isChanged = false;
  for (let box = item.within; box; box = box.within) {
    isChanged ||= !box.open;
    box.open = true;
  }
  if (isChanged) picture.arrange();
  select(item, { show: true });
  if (item.index !== index) $("details").replaceChildren(...nodeDetails(graph, index, chooseNode));
}

/** Open or fold up a box; what is selected stays where it is on the screen. */
function toggle(box) {
  if (!box || !box.items || !box.within) return;
  const { view } = picture;
  const before = [box.x - view.x, box.y - view.y];
  box.open = !box.open;
  picture.arrange();
  [view.x, view.y] = [box.x - before[0], box.y - before[1]];
  select(box);
}

function setAll(isOpen) {
  for (const box of allBoxes(picture.tree.root)) box.open = isOpen || !box.within;
  picture.arrange();
  picture.fit();
  select(null);
}

// -- pointing ----------------------------------------------------------------------------------------

const pointers = new Map();
let moved = 0;

const canvas = picture.canvas;
canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, event);
  if (pointers.size === 1) moved = 0;
});
canvas.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) {
    const { item } = picture.at(event.offsetX, event.offsetY);
    canvas.style.cursor = item ? "pointer" : "grab";
    return;
  }
  const other = [...pointers.values()].find((one) => one.pointerId !== event.pointerId);
  const [dx, dy] = [event.offsetX - before.offsetX, event.offsetY - before.offsetY];
  moved += Math.abs(dx) + Math.abs(dy);
  if (other) {
    const distance = (one) => Math.hypot(one.offsetX - other.offsetX, one.offsetY - other.offsetY) || 1;
    picture.zoom(distance(event) / distance(before), other.offsetX, other.offsetY);
  } else if (moved > 3) picture.pan(dx, dy);
  pointers.set(event.pointerId, event);
});
for (const name of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(name, (event) => {
    const isClick = name === "pointerup" && pointers.size === 1 && moved <= 3;
    pointers.delete(event.pointerId);
    if (!isClick) return;
    const { item, leaf } = picture.at(event.offsetX, event.offsetY);
    select(item);
    if (leaf) $("details").replaceChildren(...nodeDetails(graph, leaf.index, chooseNode));
  });
}
canvas.addEventListener("dblclick", (event) => toggle(picture.at(event.offsetX, event.offsetY).item));
canvas.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    const step = event.deltaMode === 1 ? 16 * event.deltaY : event.deltaY;
    picture.zoom(Math.exp(-step * (event.ctrlKey ? 0.01 : 0.0015)), event.offsetX, event.offsetY);
  },
  { passive: false },
);

// -- typing ------------------------------------------------------------------------------------------

/** The next item in the direction of an arrow: along the edges up and down, else the nearest beside. */
function neighbour(key) {
  const at = picture.selected;
  if (!at || !(picture.items.includes(at) || at.open)) return nearest(picture.items, (item) => item.y);
  const middle = (item) => item.x + item.anchor;
  const joined = { ArrowUp: ["to", "from"], ArrowDown: ["from", "to"] }[key];
  if (joined && !at.open) {
    const others = picture.edges.filter((edge) => edge[joined[0]] === at).map((edge) => edge[joined[1]]);
    return nearest(others, (item) => Math.abs(middle(item) - middle(at))) || at;
  }
  const sign = key === "ArrowLeft" || key === "ArrowUp" ? -1 : 1;
  const isAcross = key === "ArrowLeft" || key === "ArrowRight";
  const away = (item) => sign * (isAcross ? middle(item) - middle(at) : item.y - at.y);
  const aside = (item) => Math.abs(isAcross ? item.y - at.y : middle(item) - middle(at));
  const others = picture.items.filter((item) => item !== at && away(item) > 0);
  return nearest(others, (item) => away(item) + 4 * aside(item)) || at;
}

function nearest(items, distance) {
  let [best, least] = [null, Infinity];
  for (const item of items) if (distance(item) < least) [best, least] = [item, distance(item)];
  return best;
}

const KEYS = {
  Enter: () => toggle(picture.selected),
  " ": () => toggle(picture.selected),
  Backspace: () => picture.selected && picture.selected.within.within && toggle(picture.selected.within),
  Escape: () => select(null),
  "+": () => picture.zoom(1.25),
  "=": () => picture.zoom(1.25),
  "-": () => picture.zoom(0.8),
  0: () => picture.fit(),
  "/": () => $("search").focus(),
};

canvas.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key.startsWith("Arrow")) {
    if (event.shiftKey) picture.pan(...{ ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key]);
    else select(neighbour(event.key), { show: true });
  } else if (KEYS[event.key]) KEYS[event.key]();
  else return;
  event.preventDefault();
});

// -- searching ---------------------------------------------------------------------------------------

let found = [];
let shownMatch = -1;

function search(text) {
  const wanted = text.trim().toLowerCase();
  const has = (part) => part && part.toLowerCase().includes(wanted);
  const fits = (node) =>
    has(node.name) ||
    node.outputs.some((value) => has(value[0])) ||
    has(pathOf(graph, node.group)) ||
    (node.line !== undefined && has(graph.lines[node.line]));
  found = wanted ? graph.nodes.flatMap((node, i) => (fits(node) ? [i] : [])) : [];
  // Those whose name begins so come first.
  const first = (i) => (graph.nodes[i].name.toLowerCase().startsWith(wanted) ? 0 : 1);
  found.sort((a, b) => first(a) - first(b) || a - b);
  shownMatch = -1;
  picture.matches = new Set(found);
  $("found").textContent = wanted ? `${found.length.toLocaleString("en")} found` : "";
  picture.redraw();
}

function showMatch(step) {
  if (!found.length) return;
  shownMatch = (shownMatch + step + found.length) % found.length;
  $("found").textContent = `${shownMatch + 1} of ${found.length.toLocaleString("en")}`;
  chooseNode(found[shownMatch]);
}

$("search").addEventListener("input", (event) => search(event.target.value));
$("search").addEventListener("keydown", (event) => {
  if (event.key === "Enter") showMatch(event.shiftKey ? -1 : 1);
  if (event.key === "Escape") {
    event.target.value = "";
    search("");
    canvas.focus();
  }
});

// -- the bar -----------------------------------------------------------------------------------------

$("fit").addEventListener("click", () => picture.fit());
$("nearer").addEventListener("click", () => picture.zoom(1.25));
$("farther").addEventListener("click", () => picture.zoom(0.8));
$("open").addEventListener("click", () => setAll(true));
$("close").addEventListener("click", () => setAll(false));
$("colours").addEventListener("change", (event) => {
  picture.colouring = event.target.value;
  picture.colour();
});
$("grouping").addEventListener("change", (event) => {
  picture.group(event.target.value);
  select(null);
});
$("theme").addEventListener("click", () => {
  document.documentElement.dataset.theme = picture.isDark ? "light" : "dark";
  picture.readColours();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => picture.readColours());

if (!graph.groups.length) $("grouping").querySelector("[value=layers]").disabled = true;
if (!graph.nodes.some((node) => node.forward !== undefined)) $("colours").querySelector("[value=time]").disabled = true;
$("grouping").value = picture.grouping;
picture.readColours();
picture.resize();
picture.begin();
new ResizeObserver(() => picture.resize()).observe(canvas);
select(null);
