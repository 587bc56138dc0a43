// The items: what is drawn. A node (an op or a leaf) is one, and so is a box of items; a picture shows the items of
// all open boxes.

const MANY_USES = 4; // from so many on, a leaf is drawn beside each op that uses it

/** The tree of items of a graph; `grouping` is "layers", "generations" or "none". */
function itemsOf(graph, grouping, measure) {
  const nodes = graph.nodes;
  const boxes = grouping === "layers" ? graph.groups : [];
  const root = newBox({ name: graph.title, kind: "" }, null);
  const made = [];
  for (const box of boxes) made.push(newBox(box, box.outer === null ? root : made[box.outer]));
  const uses = nodes.map(() => 0);
  for (const node of nodes) for (const at of node.inputs) if (at) uses[at[0]] += 1;
  const beside = nodes.map((node, i) => node.kind === "parameter" || (node.kind === "leaf" && uses[i] >= MANY_USES));
  const items = nodes.map((node, i) => {
    if (beside[i] && uses[i]) return null;
    const within = grouping === "layers" && node.group !== null ? made[node.group] : root;
    const item = { node, index: i, within, items: null, leaves: [] };
    within.items.push(item);
    return item;
  });
  nodes.forEach((node, i) => {
    if (!items[i]) return;
    const own = new Set(node.inputs.filter((at) => at && beside[at[0]]).map((at) => at[0]));
    items[i].leaves = [...own].map((at) => ({ node: nodes[at], index: at, width: measure(leafLabel(nodes[at]), true) + 14 }));
    const shape = shapeOf(node);
    items[i].box = Math.max(measure(node.name || "·", false), measure(shape, true)) + 20;
  });
  if (grouping === "generations") {
    byGeneration(root, 40);
    putLeaves(nodes, items);
  }
  for (const box of allBoxes(root).reverse()) box.items = box.items.filter((item) => !item.items || item.items.length);
  return { root, items, beside };
}

function newBox(group, within) {
  const box = { group, within, items: [], open: false, leaves: [] };
  if (within) within.items.push(box);
  return box;
}

function leafLabel(node) {
  return node.name || shapeOf(node);
}

function shapeOf(node) {
  const shown = ([name, shape]) => `${name && node.kind === "op" ? `${name} ` : ""}(${shape.join(", ")})`;
  return node.outputs.map(shown).join(" ");
}

/** Every box within a box, and itself, the outer ones first. */
function allBoxes(root) {
  const found = [root];
  for (let i = 0; i < found.length; i++) found.push(...found[i].items.filter((item) => item.items));
  return found;
}

/** Put the ops of a box into boxes by generation, at most `size` in each, and these again. */
function byGeneration(box, size) {
  const isOp = (item) => item.node && item.node.kind === "op";
  const ops = box.items.filter(isOp);
  if (ops.length <= size * 1.5) return;
  const wanted = Math.max(size, Math.ceil(ops.length / size));
  const rest = box.items.filter((item) => !isOp(item));
  box.items = [...rest];
  let part = null;
  let last = null;
  for (const item of ops) {
    const generation = item.node.generation;
    if (!part || (part.items.length >= wanted && generation !== last)) {
      part = newBox({ name: "", kind: "generations", first: generation }, box);
    }
    item.within = part;
    part.items.push(item);
    part.group.name = part.group.first === generation ? `generation ${generation}` : `generations ${part.group.first} to ${generation}`;
    last = generation;
  }
  const parts = box.items.filter((item) => item.items);
  if (parts.length === 1) { // all of one generation
    box.items = [...rest, ...ops];
    for (const item of ops) item.within = box;
    return;
  }
  for (const one of parts) byGeneration(one, size);
}

/** Put each leaf into the innermost box around all that use it. */
function putLeaves(nodes, items) {
  const around = new Map();
  nodes.forEach((node, i) => {
    for (const at of node.inputs) {
      const leaf = at && items[at[0]];
      if (!leaf || leaf.node.kind === "op") continue;
      const boxes = [];
      for (let box = items[i].within; box; box = box.within) boxes.unshift(box);
      const known = around.get(leaf) || boxes;
      around.set(leaf, known.filter((box, depth) => box === boxes[depth]));
    }
  });
  for (const [leaf, boxes] of around) {
    leaf.within.items.splice(leaf.within.items.indexOf(leaf), 1);
    leaf.within = boxes.at(-1);
    leaf.within.items.push(leaf);
  }
}

/** Open boxes, the outer ones first and those with few items, as long as at most `most` items are seen. */
function openSome(root, most) {
  root.open = true;
  let seen = root.items.length;
  for (const box of allBoxes(root).slice(1)) {
    if (!box.within.open || seen + box.items.length - 1 > most) continue;
    box.open = true;
    seen += box.items.length - 1;
  }
}

/** What is drawn for an item: itself, or the outermost box around it that is closed. */
function seenAs(item) {
  let shown = item;
  for (let box = item.within; box; box = box.within) if (!box.open) shown = box;
  return shown;
}

// -- what is said of items ---------------------------------------------------------------------------

function titleOf(box) {
  const { name, kind } = box.group;
  return ["", "group", "derivative", "generations", name].includes(kind) ? name : `${name} · ${kind}`;
}

function countOf(box) {
  const count = nodesIn(box).filter((item) => item.node.kind === "op").length;
  return `${count.toLocaleString("en")} ${count === 1 ? "op" : "ops"}`;
}

/** The items of all nodes in a box, or the item itself. */
function nodesIn(item) {
  if (!item.items) return [item];
  item.nodes ??= item.items.flatMap(nodesIn);
  return item.nodes;
}

function hasMatch(item, matches) {
  return nodesIn(item).some((one) => matches.has(one.index) || one.leaves.some((leaf) => matches.has(leaf.index)));
}

/** Seconds, or bytes, of an op or of all ops in a box. */
function weightOf(item, what) {
  if (what === "kind") return 0;
  item.weights ??= {};
  item.weights[what] ??= nodesIn(item).reduce((sum, one) => sum + ownWeight(one.node, what), 0);
  return item.weights[what];
}

function ownWeight(node, what) {
  if (what === "time") return (node.forward || 0) + (node.backward || 0);
  return madeBy(node);
}

/** The bytes of the arrays that an op makes: none for a view. */
function madeBy(node) {
  return node.kind !== "op" || node.view ? 0 : node.outputs.reduce((sum, value) => sum + (value[3] || 0), 0);
}

function largest(items, value) {
  return items.reduce((most, item) => Math.max(most, value(item)), 0);
}

/** A hue that belongs to a name, the same in every picture. */
function hueOf(name) {
  let hash = 7;
  for (const letter of name) hash = (hash * 31 + letter.codePointAt(0)) >>> 0;
  return Math.round((hash * 137.508) % 360);
}
