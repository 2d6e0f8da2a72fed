"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { texts, names, files, lines, depths, values, own } = data;
  const count = names.length, ROW = 22, LEAST_PX = 0.6, MOST_FRAMES = 4000;
  const byId = (id) => document.getElementById(id);
  const graph = byId("graph"), search = byId("search"), found = byId("found"), details = byId("details");

  // The tree: parents, starts and ends follow from the depths, as parents come before their children.
  const parent = new Int32Array(count).fill(-1), end = new Int32Array(count), start = new Float64Array(count);
  const next = new Float64Array(count);
  {
    const open = [];
    for (let i = 0; i < count; i++) {
      while (open.length > depths[i]) end[open.pop()] = i;
      if (open.length) {
        parent[i] = open[open.length - 1];
        start[i] = next[parent[i]];
        next[parent[i]] += values[i];
      }
      next[i] = start[i];
      open.push(i);
    }
    while (open.length) end[open.pop()] = count;
  }
  const total = count ? values[0] : 0;

  let root = 0, selected = 0, matches = [], isMatch = null;

  function amount(value) {
    if (data.unit === "samples") return value.toLocaleString("en") + (value === 1 ? " sample" : " samples");
    for (const [size, unit] of [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]]) {
      if (value >= size) return (value / size).toLocaleString("en", { maximumSignificantDigits: 3 }) + " " + unit;
    }
    return value + " ns";
  }
  const percent = (part, whole) => (whole ? ((100 * part) / whole).toFixed(1) : "0.0") + " %";
  const name = (i) => texts[names[i]];
  const file = (i) => texts[files[i]];
  const place = (i) => (file(i) ? file(i) + (lines[i] > 0 ? ":" + lines[i] : "") : "");

  const colours = new Map();
  function colour(i) {
    const key = file(i) || name(i);
    let made = colours.get(key);
    if (!made) {
      let hash = 2166136261;
      for (let k = 0; k < key.length; k++) hash = Math.imul(hash ^ key.charCodeAt(k), 16777619) >>> 0;
      const library = /site-packages|dist-packages|\/python3\.\d+\/|^</.test(key);
      made = i === 0 ? "hsl(38 12% 76%)" : library
        ? `hsl(${195 + (hash % 35)} ${28 + ((hash >> 8) % 14)}% ${70 + ((hash >> 16) % 8)}%)`
        : `hsl(${12 + (hash % 38)} ${78 + ((hash >> 8) % 14)}% ${64 + ((hash >> 16) % 9)}%)`;
      colours.set(key, made);
    }
    return made;
  }

  function element(kind, text, kindOf) {
    const made = document.createElement(kind);
    if (text !== undefined) made.textContent = text;
    if (kindOf) made.className = kindOf;
    return made;
  }

  function draw(focus) {
    const width = graph.clientWidth || 800, scale = values[root] ? width / values[root] : 0;
    const frames = document.createDocumentFragment();
    let deepest = 0, drawn = 0;
    const add = (i, left, wide, above) => {
      const frame = element("div", name(i), "frame");
      frame.style.left = left + "px";
      frame.style.top = depths[i] * ROW + "px";
      frame.style.width = Math.max(wide - 1, 1) + "px";
      frame.style.background = colour(i);
      if (wide < 22) frame.classList.add("narrow");
      if (above) frame.classList.add("above");
      if (isMatch) frame.classList.add(isMatch[i] ? "found" : "dim");
      frame.dataset.node = i;
      frame.tabIndex = i === selected ? 0 : -1;
      frame.setAttribute("role", "treeitem");
      frame.setAttribute("aria-level", depths[i] + 1);
      frame.setAttribute("aria-selected", i === selected);
      frame.setAttribute("aria-label", `${name(i)}, ${amount(values[i])}, ${percent(values[i], total)} of all`);
      frame.title = `${name(i)}\n${place(i)}\n${amount(values[i])} (${percent(values[i], total)}), own ${amount(own[i])}`;
      frames.append(frame);
      deepest = Math.max(deepest, depths[i]);
      drawn++;
    };
    if (count) {
      for (let i = parent[root]; i >= 0; i = parent[i]) add(i, 0, width, true);
      for (let i = root; i < end[root]; ) {
        const wide = values[i] * scale;
        if ((wide < LEAST_PX || drawn > MOST_FRAMES) && i !== selected) { i = end[i]; continue; }
        add(i, (start[i] - start[root]) * scale, wide, false);
        i++;
      }
    } else {
      frames.append(element("p", "No samples.", "note"));
    }
    graph.replaceChildren(frames);
    graph.style.height = (deepest + 1) * ROW + 2 + "px";
    byId("reset").disabled = root === 0;
    drawPath();
    tell();
    if (focus) focusSelected();
  }

  function focusSelected() {
    const frame = graph.querySelector(`[data-node="${selected}"]`);
    if (frame) frame.focus();
  }

  function drawPath() {
    const chain = [];
    for (let i = root; i >= 0; i = parent[i]) chain.unshift(i);
    const parts = document.createDocumentFragment();
    if (root !== 0) chain.forEach((i, at) => {
      if (at) parts.append(element("span", "›"));
      const button = element("button", name(i));
      button.type = "button";
      button.addEventListener("click", () => zoom(i));
      parts.append(button);
    });
    byId("path").replaceChildren(parts);
  }

  function tell() {
    if (!count) return;
    const i = selected, list = element("dl");
    const rows = [["total", `${amount(values[i])} · ${percent(values[i], total)}`],
      ["own", `${amount(own[i])} · ${percent(own[i], total)}`]];
    if (root !== 0) rows.push(["of this view", percent(values[i], values[root])]);
    if (parent[i] >= 0) rows.push(["of its caller", percent(values[i], values[parent[i]])]);
    for (const [term, text] of rows) list.append(element("dt", term), element("dd", text));
    details.replaceChildren(element("div", name(i), "function"), element("div", place(i) || " ", "file"), list);
  }

  function select(i, focus) {
    const before = graph.querySelector(`[data-node="${selected}"]`);
    selected = i;
    const now = graph.querySelector(`[data-node="${i}"]`);
    if (!now) { draw(focus); return; }
    for (const [frame, is] of [[before, false], [now, true]]) {
      if (frame) { frame.tabIndex = is ? 0 : -1; frame.setAttribute("aria-selected", is); }
    }
    tell();
    if (focus) now.focus();
  }

  function zoom(i) { root = selected = i; draw(true); }
  const inView = (i) => i >= root && i < end[root];

  function children(i) {
    const all = [];
    for (let c = i + 1; c < end[i]; c = end[c]) all.push(c);
    return all;
  }

  function move(key) {
    if (key === "ArrowUp" && parent[selected] >= 0) {
      if (selected === root) { root = parent[root]; selected = root; draw(true); } else select(parent[selected], true);
    } else if (key === "ArrowDown") {
      const below = children(selected);
      if (below.length) select(below.reduce((a, b) => (values[b] > values[a] ? b : a)), true);
    } else if ((key === "ArrowLeft" || key === "ArrowRight") && parent[selected] >= 0 && selected !== root) {
      const beside = children(parent[selected]), at = beside.indexOf(selected) + (key === "ArrowLeft" ? -1 : 1);
      if (beside[at] !== undefined) select(beside[at], true);
    }
  }

  function look() {
    const text = search.value.trim().toLowerCase();
    matches = [];
    isMatch = null;
    if (text) {
      const hits = texts.map((t) => t.toLowerCase().includes(text));
      isMatch = new Uint8Array(count);
      let covered = 0, until = -1;
      for (let i = 0; i < count; i++) {
        if (!(hits[names[i]] || hits[files[i]]) || i === 0) continue;
        isMatch[i] = 1;
        matches.push(i);
        if (i >= until) { covered += values[i]; until = end[i]; }
      }
      found.textContent = matches.length
        ? `${matches.length.toLocaleString("en")} frame${matches.length === 1 ? "" : "s"}, ${percent(covered, total)} of all`
        : "nothing found";
    } else {
      found.textContent = "";
    }
    byId("next").disabled = byId("previous").disabled = !matches.length;
    draw(false);
  }

  function go(step) {
    if (!matches.length) return;
    const at = matches.indexOf(selected);
    const i = matches[at < 0 ? (step > 0 ? 0 : matches.length - 1) : (at + step + matches.length) % matches.length];
    if (!inView(i)) root = 0;
    selected = i;
    draw(true);
    const frame = graph.querySelector(`[data-node="${i}"]`);
    if (frame && frame.classList.contains("narrow") && parent[i] >= 0) zoomAround(i);
  }

  function zoomAround(i) {
    // Far enough in that the frame can be read.
    let around = parent[i];
    while (parent[around] > root && values[i] / values[around] > 0.25) around = parent[around];
    root = around;
    draw(true);
  }

  function drawHot() {
    const per = new Map();
    const open = new Map();
    const stack = [];
    for (let i = 0; i < count; i++) {
      while (stack.length && stack[stack.length - 1][0] <= i) { const [, key] = stack.pop(); open.set(key, open.get(key) - 1); }
      const key = names[i] + "\n" + files[i];
      let row = per.get(key);
      if (!row) per.set(key, (row = { i, own: 0, total: 0 }));
      row.own += own[i];
      if (!open.get(key)) row.total += values[i];
      open.set(key, (open.get(key) || 0) + 1);
      stack.push([end[i], key]);
    }
    const rows = [...per.values()].filter((row) => row.own > 0 && row.i !== 0).sort((a, b) => b.own - a.own).slice(0, 15);
    byId("hot").replaceChildren(...rows.map((row) => {
      const line = element("tr"), cell = element("td"), button = element("button", name(row.i));
      button.type = "button";
      button.title = place(row.i);
      button.addEventListener("click", () => { search.value = name(row.i); look(); go(1); });
      cell.append(button);
      line.append(element("td", percent(row.own, total)), element("td", percent(row.total, total)), cell);
      return line;
    }));
  }

  graph.addEventListener("click", (event) => {
    const frame = event.target.closest(".frame");
    if (frame) zoom(Number(frame.dataset.node));
  });
  graph.addEventListener("focusin", (event) => {
    const frame = event.target.closest(".frame");
    if (frame && Number(frame.dataset.node) !== selected) select(Number(frame.dataset.node), false);
  });
  graph.addEventListener("mouseover", (event) => {
    const frame = event.target.closest(".frame");
    if (!frame) return;
    const before = selected;
    selected = Number(frame.dataset.node);
    tell();
    selected = before;
  });
  graph.addEventListener("mouseleave", tell);
  search.addEventListener("input", look);
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") { event.preventDefault(); go(event.shiftKey ? -1 : 1); }
    if (event.key === "Escape") { search.value = ""; look(); focusSelected(); event.stopPropagation(); }
  });
  byId("next").addEventListener("click", () => go(1));
  byId("previous").addEventListener("click", () => go(-1));
  byId("reset").addEventListener("click", () => zoom(0));
  function help() {
    const box = byId("help");
    box.hidden = !box.hidden;
    byId("help-button").setAttribute("aria-expanded", !box.hidden);
  }
  byId("help-button").addEventListener("click", help);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target === search;
    if (event.key === "/" && !typing) { event.preventDefault(); search.focus(); search.select(); return; }
    if (typing) return;
    const onButton = event.target.closest && event.target.closest("button");
    if (event.key.startsWith("Arrow")) { event.preventDefault(); move(event.key); }
    else if (event.key === "Enter" && !onButton) { event.preventDefault(); zoom(selected); }
    else if (event.key === "Backspace") { event.preventDefault(); if (parent[root] >= 0) zoom(parent[root]); }
    else if (event.key === "Escape") zoom(0);
    else if (event.key === "n") go(1);
    else if (event.key === "N") go(-1);
    else if (event.key === "?") help();
  });
  let waiting = 0;
  window.addEventListener("resize", () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(() => draw(false)); });
  if (data.left_out) byId("left-out").textContent =
    `· ${data.left_out.toLocaleString("en")} of the lightest frames are part of their callers' own time here`;
  drawHot();
  draw(false);
})();
