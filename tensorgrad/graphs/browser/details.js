// The panel: what is known of a node or a box. Texts of the graph become text nodes, never markup.

function element(tag, text, properties = {}) {
  const made = Object.assign(document.createElement(tag), properties);
  if (text !== undefined) made.textContent = text;
  return made;
}

/** What the panel shows of an item; `choose` is called with the number of a node that is clicked there. */
function detailsOf(graph, item, choose) {
  if (!item) return [overview(graph)];
  return item.items ? boxDetails(graph, item) : nodeDetails(graph, item.index, choose);
}

function overview(graph) {
  const ops = graph.nodes.filter((node) => node.kind === "op");
  const kinds = new Set(ops.map((node) => node.name));
  const box = element("div");
  box.append(element("h2", graph.title), element("p", "Click a node, or press Tab and use the arrow keys.", { className: "faint" }));
  box.append(
    table([
      ["ops", ops.length.toLocaleString("en")],
      ["kinds of op", kinds.size],
      ["leaves", (graph.nodes.length - ops.length).toLocaleString("en")],
      ["results of ops", inBytes(sum(ops, madeBy))],
      ["kept for backward", inBytes(sum(ops, (node) => node.kept))],
      ...times(ops),
    ]),
  );
  return box;
}

function boxDetails(graph, box) {
  const nodes = nodesIn(box).map((item) => item.node);
  const ops = nodes.filter((node) => node.kind === "op");
  const kinds = new Map();
  for (const node of ops) kinds.set(node.name, (kinds.get(node.name) || 0) + 1);
  const most = [...kinds].sort((a, b) => b[1] - a[1]).slice(0, 8);
  const parameters = new Set(nodesIn(box).flatMap((item) => item.leaves.map((leaf) => leaf.index)));
  return [
    element("h2", box.group.name),
    element("p", { group: "a group", derivative: "ops of a backward", generations: "ops by their generation" }[box.group.kind] || `a call of ${box.group.kind}`, { className: "faint" }),
    table([
      ["ops", ops.length.toLocaleString("en")],
      ["most of them", most.map(([name, count]) => (count > 1 ? `${count} ${name}` : name)).join(", ")],
      ["parameters", [...parameters].map((i) => `${leafLabel(graph.nodes[i])} ${shapeOf(graph.nodes[i])}`).join(", ")],
      ["results of ops", inBytes(sum(ops, madeBy))],
      ["kept for backward", inBytes(sum(ops, (node) => node.kept))],
      ...times(ops),
    ]),
    element("p", box.open ? "Enter or a double click folds it up." : "Enter or a double click opens it.", { className: "faint" }),
  ];
}

function nodeDetails(graph, index, choose) {
  const node = graph.nodes[index];
  const isOp = node.kind === "op";
  const parts = [element("h2", node.name || "a leaf without a name")];
  const formula = graph.formulas[node.formula].replaceAll("``", "");
  if (formula) parts.push(element("p", formula, { className: "formula" }));
  const path = pathOf(graph, node.group);
  const rows = [["kind", { op: "op", leaf: "leaf", parameter: "parameter" }[node.kind]]];
  node.outputs.forEach((value, i) => {
    const [name, shape, dtype, bytes] = value;
    const which = node.outputs.length > 1 ? ` ${i}` : "";
    if (isOp && name) rows.push([`name${which}`, name]);
    rows.push([`shape${which}`, `(${shape.join(", ")})`], [`dtype${which}`, dtype]);
    rows.push([`memory${which}`, node.view ? "none: a view of its input" : bytes === null ? "not known" : inBytes(bytes)]);
  });
  if (isOp) rows.push(["kept for backward", inBytes(node.kept)], ...times([node]), ["generation", node.generation]);
  if (path) rows.push(["in", path]);
  if (node.order) rows.push(["derivative", `made by a backward, order ${node.order}`]);
  parts.push(table(rows));
  if (node.line !== undefined) parts.push(...lineOf(graph.lines[node.line]));
  else if (isOp) parts.push(element("p", "The line and the times are known of graphs that were made within tg.graphs.annotate().", { className: "faint" }));
  if (node.cause !== undefined) parts.push(...links(graph, "derivative of", [node.cause], choose));
  const inputs = node.inputs.map((at) => at && at[0]);
  const constants = inputs.filter((at) => at === null).length;
  parts.push(...links(graph, "inputs", inputs.filter((at) => at !== null), choose, constants));
  parts.push(...links(graph, "used by", usersOf(graph, index), choose));
  return parts;
}

function usersOf(graph, index) {
  graph.users ??= graph.nodes.reduce((users, node, i) => {
    for (const at of node.inputs) if (at && users[at[0]].at(-1) !== i) users[at[0]].push(i);
    return users;
  }, graph.nodes.map(() => []));
  return graph.users[index];
}

function lineOf(line) {
  const [, path, number, text] = /^(.*?):(\d+)(?:: (.*))?$/s.exec(line) || [null, line, "", ""];
  const made = [element("h3", "made by the line"), element("p", `${path}${number && `:${number}`}`, { className: "path" })];
  if (text) made.push(element("pre", text));
  return made;
}

function links(graph, title, indices, choose, constants = 0) {
  if (!indices.length && !constants) return [];
  const list = element("ul");
  for (const index of indices.slice(0, 40)) {
    const node = graph.nodes[index];
    const button = element("button", `${node.name || "leaf"} ${shapeOf(node)}`, { type: "button" });
    button.addEventListener("click", () => choose(index));
    const row = element("li");
    row.append(button);
    list.append(row);
  }
  if (indices.length > 40) list.append(element("li", `and ${indices.length - 40} more`));
  if (constants) list.append(element("li", constants === 1 ? "a constant" : `${constants} constants`));
  return [element("h3", title), list];
}

function table(rows) {
  const made = element("table");
  for (const [name, value] of rows) {
    if (value === "" || value === undefined) continue;
    const row = element("tr");
    row.append(element("th", name, { scope: "row" }), element("td", value));
    made.append(row);
  }
  return made;
}

function pathOf(graph, group) {
  const names = [];
  for (let at = group; at !== null && at !== undefined; at = graph.groups[at].outer) names.unshift(graph.groups[at].name);
  return names.join(" / ");
}

function times(nodes) {
  const rows = [];
  for (const phase of ["forward", "backward"]) {
    const known = nodes.filter((node) => node[phase] !== undefined);
    if (known.length) rows.push([`time ${phase}`, inSeconds(sum(known, (node) => node[phase]))]);
  }
  return rows;
}

function sum(list, value) {
  return list.reduce((total, one) => total + value(one), 0);
}

function inBytes(size) {
  let shown = size;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (shown < 1024) return unit === "B" ? `${shown} B` : `${shown.toFixed(1)} ${unit}`;
    shown /= 1024;
  }
  return `${shown.toFixed(1)} TiB`;
}

function inSeconds(seconds) {
  if (seconds >= 1) return `${seconds.toFixed(2)} s`;
  return seconds >= 1e-3 ? `${(1e3 * seconds).toFixed(2)} ms` : `${(1e6 * seconds).toFixed(1)} µs`;
}
