// Drawing: a canvas that shows a part of the picture, `view.scale` pixels to a unit, with `view.x, view.y` in its
// upper left corner. Only what lies in it is drawn, and no text where it would be too small to be read.

const FONT = "13px system-ui, sans-serif";
const SMALL = "11px system-ui, sans-serif";
const READABLE = 0.45; // from this scale on there is text
const SLOW = 8; // milliseconds; while one moves, what takes longer is moved as an image, and drawn afterwards

class Picture {
  constructor(canvas, graph) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.graph = graph;
    this.view = { x: 0, y: 0, scale: 1 };
    this.colouring = "kind";
    this.selected = null; // an item
    this.matches = new Set(); // of nodes, by number
    this.isWaiting = false;
    this.image = document.createElement("canvas"); // what was drawn last, and where one looked then
    this.drawn = { view: this.view, cost: 0 };
    this.widths = new Map();
    this.group(graph.groups.length ? "layers" : graph.nodes.length > 150 ? "generations" : "none");
  }

  /** Build the items anew, grouped by "layers", by "generations" or not at all. */
  group(grouping) {
    this.grouping = grouping;
    this.tree = itemsOf(this.graph, grouping, (text, isSmall) => this.measure(text, isSmall));
    for (const box of allBoxes(this.tree.root)) {
      box.group.title = this.measure(titleOf(box), false) + 30;
      box.box = Math.max(this.measure(titleOf(box), false), this.measure(countOf(box), true)) + 34;
    }
    this.selected = null;
    openSome(this.tree.root, 30);
    this.arrange();
    this.begin();
  }

  measure(text, isSmall) {
    const key = isSmall ? `\n${text}` : text;
    let width = this.widths.get(key);
    if (width === undefined) {
      this.context.font = isSmall ? SMALL : FONT;
      width = this.context.measureText(text).width;
      this.widths.set(key, width);
    }
    return width;
  }

  arrange() {
    const start = performance.now();
    this.edges = arrange(this.graph, this.tree);
    this.boxes = allBoxes(this.tree.root).filter((box) => box.within && box.open && isSeen(box));
    this.items = [this.tree.root, ...this.boxes].flatMap((box) => box.items).filter((item) => !item.open);
    for (const edge of this.edges) setCourse(edge);
    this.colour();
    this.milliseconds = performance.now() - start;
    this.redraw();
  }

  /** Give every item its colour. */
  colour() {
    this.steepest = largest(this.items, (item) => weightOf(item, this.colouring));
    if (this.colours) for (const item of this.items) item.colour = this.colourOf(item);
    this.redraw();
  }

  // -- where one looks -------------------------------------------------------------------------------

  resize() {
    const ratio = globalThis.devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    Object.assign(this, { width, height, ratio });
    this.canvas.width = Math.max(1, Math.round(width * ratio));
    this.canvas.height = Math.max(1, Math.round(height * ratio));
    this.redraw();
  }

  fit() {
    const root = this.tree.root;
    if (!this.width) return;
    const scale = Math.min(1.25, this.width / (root.width + 20), this.height / (root.height + 20));
    this.view = { scale, x: root.width / 2 - this.width / scale / 2, y: root.height / 2 - this.height / scale / 2 };
    this.redraw();
  }

  /** Look at all of it, or at its upper end where that would be too small to be read. */
  begin() {
    this.fit();
    const { view, tree, width } = this;
    if (!width || view.scale >= 0.6) return;
    view.scale = 0.75;
    const first = this.items.reduce((top, item) => (item.y < top.y ? item : top));
    Object.assign(view, { x: first.x + first.anchor - width / view.scale / 2, y: tree.root.y - 10 });
    this.redraw();
  }

  pan(dx, dy) {
    this.view.x -= dx / this.view.scale;
    this.view.y -= dy / this.view.scale;
    this.redraw(true);
  }

  /** Zoom about a point of the canvas, which stays where it is. */
  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const view = this.view;
    const scale = Math.min(6, Math.max(0.002, view.scale * factor));
    view.x += x / view.scale - x / scale;
    view.y += y / view.scale - y / scale;
    view.scale = scale;
    this.redraw(true);
  }

  /** Bring an item into view, at a scale at which it can be read. */
  show(item) {
    const view = this.view;
    const [x, y] = [item.x + item.width / 2, item.y + item.height / 2];
    if (view.scale < 0.6) view.scale = 0.9;
    const [across, down] = [this.width / view.scale, this.height / view.scale];
    if (x < view.x + across * 0.1 || x > view.x + across * 0.9) view.x = x - across / 2;
    if (y < view.y + down * 0.1 || y > view.y + down * 0.9) view.y = y - down / 2;
    this.redraw();
  }

  /** The item or box at a point of the canvas, and the leaf beside an op that is there; the innermost. */
  at(px, py) {
    const x = this.view.x + px / this.view.scale;
    const y = this.view.y + py / this.view.scale;
    const isIn = (one) => x >= one.x && x <= one.x + one.width && y >= one.y && y <= one.y + one.height;
    const item = this.items.find(isIn);
    if (!item) return { item: this.boxes.findLast(isIn) || null, leaf: null };
    const leaf = item.leaves.find((one, i) => isIn(leafFrame(item, one, i)));
    return { item, leaf: leaf || null };
  }

  // -- drawing ---------------------------------------------------------------------------------------

  /** Draw in the next frame; `moving`: only the view has changed, and may go on to do so. */
  redraw(moving = false) {
    this.isMoving = moving && (this.isMoving || !this.isWaiting);
    if (this.isWaiting) return;
    this.isWaiting = true;
    requestAnimationFrame(() => {
      this.isWaiting = false;
      if (this.isMoving && this.drawn.cost > SLOW) this.drawImage();
      else this.draw();
      this.isMoving = false;
    });
  }

  /** Move and scale what was drawn last, and draw anew when nothing moves any more. */
  drawImage() {
    const { context, view, ratio, colours, drawn } = this;
    const factor = view.scale / drawn.view.scale;
    const [dx, dy] = [(drawn.view.x - view.x) * view.scale * ratio, (drawn.view.y - view.y) * view.scale * ratio];
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = colours.back;
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    context.drawImage(this.image, dx, dy, this.image.width * factor, this.image.height * factor);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.redraw(), 80);
  }

  readColours() {
    const style = getComputedStyle(document.documentElement);
    const names = ["back", "text", "faint", "line", "box", "frame", "leaf", "parameter", "accent", "match", "hot", "cold"];
    this.colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    this.isDark = style.getPropertyValue("--dark").trim() === "1";
    this.colour();
  }

  draw() {
    const { context, view, ratio, colours } = this;
    if (!colours || !this.width) return;
    const start = performance.now();
    const k = view.scale * ratio;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = colours.back;
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    context.setTransform(k, 0, 0, k, -view.x * k, -view.y * k);
    this.sees = {
      left: view.x,
      top: view.y,
      right: view.x + this.width / view.scale,
      bottom: view.y + this.height / view.scale,
    };
    for (const box of this.boxes) if (this.isSeen(box)) this.drawFrame(box);
    this.drawEdges();
    for (const item of this.items) if (this.isSeen(item)) this.drawItem(item);
    this.drawSelection();
    Object.assign(this.image, { width: this.canvas.width, height: this.canvas.height });
    this.image.getContext("2d").drawImage(this.canvas, 0, 0);
    this.drawn = { view: { ...view }, cost: performance.now() - start };
  }

  isSeen(one) {
    const { left, top, right, bottom } = this.sees;
    return one.x < right && one.x + one.width > left && one.y < bottom && one.y + one.height > top;
  }

  drawFrame(box) {
    const { context, colours, view } = this;
    context.fillStyle = colours.frame;
    context.strokeStyle = colours.line;
    context.lineWidth = 1;
    rounded(context, box.x, box.y, box.width, box.height, 10);
    context.fill();
    context.stroke();
    if (view.scale < READABLE * 0.7) return;
    context.fillStyle = colours.text;
    context.font = FONT;
    context.textAlign = "left";
    context.textBaseline = "middle";
    context.fillText(titleOf(box), box.x + 12, box.y + 16);
  }

  drawEdges() {
    const { context, colours, view, sees } = this;
    const isCoarse = view.scale < 0.25;
    const near = this.selected;
    context.strokeStyle = colours.line;
    context.lineWidth = isCoarse ? 0.8 / view.scale : 1.2;
    context.beginPath();
    const others = [];
    for (const edge of this.edges) {
      const frame = edge.frame;
      if (frame.left > sees.right || frame.right < sees.left || frame.top > sees.bottom || frame.bottom < sees.top) continue;
      if (near && (edge.from === near || edge.to === near)) others.push(edge);
      else follow(context, edge.points, isCoarse);
    }
    context.stroke();
    context.strokeStyle = colours.accent;
    context.lineWidth = isCoarse ? 1.6 / view.scale : 2;
    context.beginPath();
    for (const edge of others) follow(context, edge.points, isCoarse);
    context.stroke();
    if (view.scale >= READABLE) this.drawHeads();
  }

  drawHeads() {
    const { context, colours, sees } = this;
    for (const isNear of [false, true]) {
      context.fillStyle = isNear ? colours.accent : colours.line;
      context.beginPath();
      for (const edge of this.edges) {
        if (isNear !== (this.selected !== null && (edge.from === this.selected || edge.to === this.selected))) continue;
        const { x, y } = edge.points.at(-1);
        if (x < sees.left || x > sees.right || y < sees.top || y > sees.bottom + 10) continue;
        context.moveTo(x, y);
        context.lineTo(x - 4, y - 7);
        context.lineTo(x + 4, y - 7);
        context.closePath();
      }
      context.fill();
    }
  }

  drawItem(item) {
    const { context, colours, view } = this;
    const frame = ownFrame(item);
    const isLeaf = item.node && item.node.kind !== "op";
    context.fillStyle = item.colour;
    if (view.scale < 0.2) {
      context.fillRect(frame.x, frame.y, frame.width, frame.height);
      return;
    }
    rounded(context, frame.x, frame.y, frame.width, frame.height, isLeaf ? frame.height / 2 : 6);
    context.fill();
    if (item.items) {
      context.strokeStyle = colours.faint;
      context.lineWidth = 1.5;
      context.stroke();
    }
    item.leaves.forEach((leaf, i) => this.drawLeaf(item, leaf, i));
    if (view.scale < READABLE) return;
    const [first, second] = item.items ? [titleOf(item), countOf(item)] : [item.node.name || "·", shapeOf(item.node)];
    const middle = frame.x + frame.width / 2;
    context.fillStyle = colours.text;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.font = FONT;
    context.fillText(first, middle, frame.y + frame.height / 2 - 7);
    context.font = SMALL;
    context.globalAlpha = 0.7;
    context.fillText(second, middle, frame.y + frame.height / 2 + 8);
    context.globalAlpha = 1;
  }

  drawLeaf(item, leaf, i) {
    const { context, colours, view } = this;
    const frame = leafFrame(item, leaf, i);
    context.fillStyle = leaf.node.kind === "parameter" ? colours.parameter : colours.leaf;
    rounded(context, frame.x, frame.y, frame.width, frame.height, frame.height / 2);
    context.fill();
    context.strokeStyle = colours.line;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(frame.x + frame.width, frame.y + frame.height / 2);
    context.lineTo(ownFrame(item).x, item.y + item.height / 2);
    context.stroke();
    if (this.matches.has(leaf.index)) this.outline(frame, colours.match, 2);
    if (view.scale < READABLE) return;
    context.fillStyle = colours.text;
    context.font = SMALL;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(leafLabel(leaf.node), frame.x + frame.width / 2, frame.y + frame.height / 2 + 0.5);
  }

  drawSelection() {
    const { colours } = this;
    if (this.matches.size) {
      for (const item of this.items) {
        if (this.isSeen(item) && hasMatch(item, this.matches)) this.outline(ownFrame(item), colours.match, 3);
      }
    }
    if (this.selected) this.outline(this.selected.open ? this.selected : ownFrame(this.selected), colours.accent, 3);
  }

  outline(frame, colour, width) {
    const { context } = this;
    context.strokeStyle = colour;
    context.lineWidth = Math.max(width, 2 / this.view.scale);
    rounded(context, frame.x - 2, frame.y - 2, frame.width + 4, frame.height + 4, 8);
    context.stroke();
  }

  colourOf(item) {
    const { colours, colouring } = this;
    if (colouring !== "kind") {
      const share = this.steepest ? weightOf(item, colouring) / this.steepest : 0;
      return `color-mix(in oklab, ${colours.hot} ${Math.round(100 * Math.sqrt(share))}%, ${colours.cold})`;
    }
    if (item.items) return colours.box;
    if (item.node.kind !== "op") return item.node.kind === "parameter" ? colours.parameter : colours.leaf;
    item.hue ??= hueOf(item.node.name);
    return this.isDark ? `hsl(${item.hue} 32% 29%)` : `hsl(${item.hue} 62% 88%)`;
  }
}

// -- shapes ------------------------------------------------------------------------------------------

/** An item without the leaves beside it. */
function ownFrame(item) {
  const half = item.box / 2;
  return { x: item.x + item.anchor - half, y: item.y, width: item.box, height: item.height };
}

/** The leaf number `i` beside an op. */
function leafFrame(item, leaf, i) {
  const top = item.y + item.height / 2 - (item.leaves.length * 20 - 2) / 2;
  return { x: ownFrame(item).x - 10 - leaf.width, y: top + 20 * i, width: leaf.width, height: 18 };
}

/** The points that an edge goes through, and the frame around them. */
function setCourse(edge) {
  const { from, to, courses } = edge;
  const start = { x: from.x + from.anchor, y: from.y + from.height };
  const end = { x: to.x + to.anchor, y: to.y };
  edge.points = [start, ...courses.flatMap((course) => course.bends), end];
  const xs = edge.points.map((point) => point.x);
  const ys = edge.points.map((point) => point.y);
  edge.frame = { left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys) };
}

function follow(context, points, isCoarse) {
  context.moveTo(points[0].x, points[0].y);
  for (let i = 1; i < points.length; i++) {
    const [a, b] = [points[i - 1], points[i]];
    const half = (b.y - a.y) / 2;
    if (isCoarse || a.x === b.x) context.lineTo(b.x, b.y);
    else context.bezierCurveTo(a.x, a.y + half, b.x, b.y - half, b.x, b.y);
  }
}

function rounded(context, x, y, width, height, radius) {
  context.beginPath();
  context.roundRect(x, y, width, height, Math.min(radius, height / 2));
}
