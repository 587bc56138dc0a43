// Where everything stands: the boxes within boxes, and in each its items in layers, inputs above.
//
// `x` and `y` are an item's upper left corner, in the units of the picture; `anchor` is how far to the right of `x`
// its edges end.

const GAP = { side: 18, layer: 30, border: 14, title: 24 };
const HEIGHT = 24;
const MOST_BENDS = 6000; // of long edges around items, in one box

// -- edges -------------------------------------------------------------------------------------------

/** The edges between what is seen; those of each open box between its own items are left in `box.edges`. */
function edgesOf(graph, tree) {
  for (const box of allBoxes(tree.root)) Object.assign(box, { edges: new Map(), inbound: new Map(), outbound: new Map() });
  const shown = tree.items.map((item) => item && seenAs(item));
  const edges = new Map();
  graph.nodes.forEach((node, i) => {
    for (const at of node.inputs) {
      const from = at && shown[at[0]];
      const to = shown[i];
      if (!from || !to || from === to) continue;
      const known = edges.get(to) || new Map();
      edges.set(to, known);
      const edge = known.get(from);
      if (edge) edge.count += 1;
      else known.set(from, { from, to, count: 1, courses: between(from, to) });
    }
  });
  return [...edges.values()].flatMap((known) => [...known.values()]);
}

/** What an edge consists of: ways out of boxes, one between two items of the innermost box around both ends, ways in. */
function between(from, to) {
  const around = new Set();
  for (let box = from.within; box; box = box.within) around.add(box);
  const inwards = [];
  let end = to;
  for (; !around.has(end.within); end = end.within) inwards.unshift(course(end.within.inbound, end));
  const outwards = [];
  let start = from;
  for (; start.within !== end.within; start = start.within) outwards.push(course(start.within.outbound, start));
  const known = end.within.edges.get(start) || new Map();
  end.within.edges.set(start, known);
  const middle = course(known, end);
  Object.assign(middle, { from: start, to: end });
  return [...outwards, middle, ...inwards];
}

/** Where an edge bends, in a box: `known` has one course for all edges that end at the same item. */
function course(known, item) {
  if (!known.has(item)) known.set(item, { bends: [] });
  return known.get(item);
}

// -- layers ------------------------------------------------------------------------------------------

/** Arrange all open boxes, from the inside to the outside; then everything has its place. */
function arrange(graph, tree) {
  const edges = edgesOf(graph, tree);
  const open = allBoxes(tree.root).filter((box) => box.open && isSeen(box));
  for (const box of open.reverse()) arrangeBox(box);
  tree.root.x = tree.root.y = 0;
  for (const box of open.reverse()) {
    for (const item of box.items) {
      item.x += box.x;
      item.y += box.y;
    }
    for (const known of [...box.edges.values(), box.inbound, box.outbound]) {
      for (const bend of [...known.values()].flatMap((edge) => edge.bends)) {
        bend.x += box.x;
        bend.y += box.y;
      }
    }
  }
  return edges;
}

function isSeen(item) {
  for (let box = item.within; box; box = box.within) if (!box.open) return false;
  return true;
}

function setSize(item) {
  if (item.items && item.open) return; // arranged already
  const leaves = item.leaves.reduce((most, leaf) => Math.max(most, leaf.width), 0);
  const left = leaves ? leaves + 10 : 0;
  item.height = Math.max(item.items ? 34 : HEIGHT + 10, item.leaves.length * 20 - 2);
  item.width = left + item.box;
  item.anchor = left + item.box / 2;
}

function arrangeBox(box) {
  box.items.forEach(setSize);
  const edges = [...box.edges.values()].flatMap((known) => [...known.values()]);
  const layers = layersOf(box.items, edges);
  const ends = addPorts(layers, box);
  addLinks(layers, [...edges.map((edge) => [edge, layers.cells.get(edge.from), layers.cells.get(edge.to)]), ...ends]);
  orderLayers(layers);
  const y = box.within ? GAP.title + GAP.border : 0;
  const width = placeLayers(layers, y);
  const title = box.group.title || 0;
  box.width = Math.max(width, title) + 2 * GAP.border;
  const shift = (box.width - width) / 2;
  for (const cell of layers.flat()) {
    const item = cell.item;
    const x = cell.center + shift;
    if (item) Object.assign(item, { x: x - cell.left, y: cell.y });
    else if (cell.edge) cell.edge.bends.push({ x, y: cell.y }, { x, y: cell.y + cell.height });
  }
  box.height = (layers.length ? layers.bottom : y) + GAP.border;
  const outer = [...(layers[0] || []), ...(layers.at(-1) || [])];
  box.anchor = outer.reduce((sum, cell) => sum + cell.center, 0) / Math.max(outer.length, 1) + shift;
}

/** The layer of each item, the longest way from above, as cells of lists. An edge of a cycle is not followed. */
function layersOf(items, edges) {
  const cells = new Map(items.map((item) => [item, newCell(item)]));
  const below = new Map(items.map((item) => [item, []]));
  const missing = new Map(items.map((item) => [item, 0]));
  for (const edge of edges) {
    below.get(edge.from).push(edge.to);
    missing.set(edge.to, missing.get(edge.to) + 1);
  }
  const ready = items.filter((item) => !missing.get(item));
  const done = new Set();
  let waiting = 0;
  while (done.size < items.length) {
    let item = ready.pop();
    if (!item) {
      while (done.has(items[waiting])) waiting += 1;
      item = items[waiting]; // of a cycle: the first in the order of the program
    }
    if (done.has(item)) continue;
    done.add(item);
    for (const next of below.get(item)) {
      if (done.has(next)) continue;
      cells.get(next).layer = Math.max(cells.get(next).layer, cells.get(item).layer + 1);
      missing.set(next, missing.get(next) - 1);
      if (!missing.get(next)) ready.push(next);
    }
  }
  // What has no more inputs than uses stands just above what uses it first.
  const inputs = new Map(items.map((item) => [item, 0]));
  for (const edge of edges) inputs.set(edge.to, inputs.get(edge.to) + 1);
  for (const item of [...done].reverse()) {
    const uses = below.get(item);
    if (!uses.length || inputs.get(item) > uses.length) continue;
    const first = Math.min(...uses.map((next) => cells.get(next).layer));
    if (first > cells.get(item).layer) cells.get(item).layer = first - 1;
  }
  const layers = [];
  for (const cell of cells.values()) (layers[cell.layer] ||= []).push(cell);
  for (let i = 0; i < layers.length; i++) layers[i] ||= [];
  layers.cells = cells;
  return layers;
}

function newCell(item) {
  return { item, layer: 0, left: item.anchor, right: item.width - item.anchor, height: item.height, up: [], down: [] };
}

/** A cell above all others and one below, for edges that come in to a lower layer or go out of an upper one. */
function addPorts(layers, box) {
  const last = layers.length;
  const low = [...box.inbound].filter(([item]) => layers.cells.get(item).layer > 0);
  const high = [...box.outbound].filter(([item]) => layers.cells.get(item).layer < last - 1);
  const port = (layer) => ({ item: null, edge: null, layer, left: 0, right: 0, height: 0, up: [], down: [] });
  const found = [];
  if (high.length) {
    const bottom = port(last);
    layers.push([bottom]);
    for (const [item, way] of high) found.push([way, layers.cells.get(item), bottom]);
  }
  if (low.length) {
    for (const cell of layers.flat()) cell.layer += 1;
    const top = port(0);
    layers.unshift([top]);
    for (const [item, way] of low) found.push([way, top, layers.cells.get(item)]);
  }
  return found;
}

/** Links from layer to layer: an edge over several gets a bend, a cell without an item, in each between. */
function addLinks(layers, edges) {
  const link = (a, b, weight) => {
    a.down.push([b, weight]);
    b.up.push([a, weight]);
  };
  const span = ([, a, b]) => b.layer - a.layer;
  const found = edges.filter((edge) => span(edge) > 0).sort((one, other) => span(one) - span(other));
  let bends = 0;
  for (const [edge, a, b] of found) {
    let above = a;
    const isLong = b.layer > a.layer + 1;
    bends += b.layer - a.layer - 1;
    if (isLong && bends > MOST_BENDS) continue; // it is drawn straight
    for (let layer = a.layer + 1; layer < b.layer; layer++) {
      const bend = { item: null, edge, layer, left: 5, right: 5, height: 0, up: [], down: [] };
      layers[layer].push(bend);
      link(above, bend, above === a ? 2 : 8);
      above = bend;
    }
    link(above, b, isLong ? 2 : 1);
  }
}

/** Order the cells of each layer so that few edges cross: by the mean place of what they hang on. */
function orderLayers(layers) {
  const number = (layer) => layer.forEach((cell, i) => (cell.place = i));
  layers.forEach(number);
  for (let sweep = 0; sweep < 8; sweep++) {
    const down = sweep % 2 === 0;
    for (const layer of down ? layers : [...layers].reverse()) {
      if (layer.length < 2) continue;
      for (const cell of layer) {
        const others = down ? cell.up : cell.down;
        const sum = others.reduce((places, [other]) => places + other.place, 0);
        cell.key = others.length ? sum / others.length : cell.place;
      }
      layer.sort((a, b) => a.key - b.key);
      number(layer);
    }
  }
}

/** Give each cell a centre near those that it hangs on, and a `y`; the width that they take. */
function placeLayers(layers, top) {
  for (const layer of layers) {
    let x = 0;
    for (const cell of layer) {
      cell.center = x + cell.left;
      x += cell.left + cell.right + GAP.side;
    }
    const middle = x / 2;
    for (const cell of layer) cell.center -= middle;
  }
  for (let sweep = 0; sweep < 10; sweep++) {
    const sides = sweep >= 8 ? ["up", "down"] : sweep % 2 ? ["down"] : ["up"];
    for (const layer of sweep % 2 ? [...layers].reverse() : layers) pull(layer, sides);
  }
  let least = Infinity;
  let most = -Infinity;
  for (const cell of layers.flat()) {
    least = Math.min(least, cell.center - cell.left);
    most = Math.max(most, cell.center + cell.right);
  }
  let y = top;
  for (const layer of layers) {
    const height = layer.reduce((tallest, cell) => Math.max(tallest, cell.height), 0);
    for (const cell of layer) {
      cell.center -= least;
      cell.y = cell.item ? y + (height - cell.height) / 2 : y;
      if (!cell.item) cell.height = height;
    }
    y += height && height + GAP.layer; // a port takes no place
  }
  layers.bottom = y - GAP.layer;
  return layers.length ? most - least : 0;
}

/** Move the cells of a layer to the mean of their neighbours, as near as their order and widths allow. */
function pull(layer, sides) {
  let offset = 0;
  const blocks = []; // of cells that stand side by side: least squares under the order, by pooling
  layer.forEach((cell, i) => {
    if (i) offset += layer[i - 1].right + cell.left + (cell.item || layer[i - 1].item ? GAP.side : 6);
    cell.offset = offset;
    let sum = 0;
    let weight = 0;
    for (const side of sides) {
      for (const [other, strength] of cell[side]) {
        sum += strength * other.center;
        weight += strength;
      }
    }
    const wish = weight ? sum / weight : cell.center;
    let block = { weight: weight || 0.01, sum: (weight || 0.01) * (wish - offset), first: i };
    while (blocks.length && blocks.at(-1).sum / blocks.at(-1).weight > block.sum / block.weight) {
      const left = blocks.pop();
      block = { weight: left.weight + block.weight, sum: left.sum + block.sum, first: left.first };
    }
    blocks.push(block);
  });
  blocks.forEach((block, b) => {
    const end = b + 1 < blocks.length ? blocks[b + 1].first : layer.length;
    for (let i = block.first; i < end; i++) layer[i].center = block.sum / block.weight + layer[i].offset;
  });
}
