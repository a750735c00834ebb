"use strict";
// The live state, asked for every second. Whatever is shown is text: nothing of it is read as markup.
const PERIOD = 1000, WIDE = 400, HIGH = 100;
const $ = id => document.getElementById(id);
const make = (name, className, text) => {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
};
const shape = (name, attributes) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};
const two = number => String(Math.floor(number)).padStart(2, "0");
const isDay = seconds => seconds > 1e8;
function when(seconds) {
  if (isDay(seconds)) return new Date(seconds * 1000).toLocaleTimeString();
  return seconds < 3600 ? `${Math.floor(seconds / 60)}:${two(seconds % 60)}`
    : `${Math.floor(seconds / 3600)}:${two(seconds / 60 % 60)}:${two(seconds % 60)}`;
}
const known = (value, unit, digits = 1) => value === null ? "-" : `${value.toFixed(digits)} ${unit}`.trim();

function chart(camera, threshold) {
  const svg = shape("svg", {viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img"});
  const scores = camera.scores, values = scores.map(s => s[2]);
  const low = Math.min(0, ...values), high = Math.max(1, threshold, ...values);
  const y = score => HIGH - 4 - (score - low) / (high - low) * (HIGH - 8);
  svg.setAttribute("aria-label", scores.length ? `last score ${values.at(-1).toFixed(2)}` : "no score yet");
  svg.append(shape("line", {x1: 0, x2: WIDE, y1: y(threshold), y2: y(threshold)}));
  if (scores.length) {
    const begin = scores[0][0], end = scores.at(-1)[1], x = t => (t - begin) / (end - begin || 1) * WIDE;
    const path = scores.map((s, i) => {
      const gap = !i || s[0] - scores[i - 1][1] > 1.5 * (s[1] - s[0]);
      return `${gap ? "M" : "L"}${x(s[0]).toFixed(1)} ${y(s[2]).toFixed(1)}H${x(s[1]).toFixed(1)}`;
    }).join("");
    svg.append(shape("path", {d: path}));
  }
  return svg;
}

function card(camera, state) {
  const health = camera.health, last = camera.scores.at(-1);
  const lasting = state.events.some(e => e.camera === camera.name && e.state !== "end");
  const box = make("article", lasting ? "camera alarm" : "camera");
  const head = make("h2", "", camera.name);
  const well = health.state === "online" || health.connection === "ended";
  head.append(make("span", well ? "state" : "state offline", well ? health.connection : `${health.connection} (offline)`));
  box.append(head, make("p", "source soft", camera.source + (health.reason ? `: ${health.reason}` : "")));
  box.append(chart(camera, state.threshold));
  const ends = make("p", "ends soft");
  ends.style.margin = ".1rem 0";
  ends.append(make("span", "", last ? when(camera.scores[0][0]) : ""));
  ends.append(make("span", lasting ? "now" : "", last ? `score ${last[2].toFixed(2)}` : "no score yet"));
  ends.append(make("span", "", last ? when(last[1]) : ""));
  const list = make("dl");
  const rows = [
    ["pictures", known(health.fps_in, "/s")], ["snippets", known(health.snippets_per_s, "/s", 2)],
    ["delay p50", known(health.latency_p50_s, "s", 2)], ["delay p95", known(health.latency_p95_s, "s", 2)],
    ["dropped", health.frames_dropped], ["sound", known(health.sound_dbfs, "dBFS", 0)],
    ["last picture", health.last_frame_age_s === null ? "-" : `${health.last_frame_age_s.toFixed(1)} s ago`],
    ["reconnects", health.reconnects],
  ];
  for (const [name, value] of rows) list.append(make("dt", "", name), make("dd", "", value));
  box.append(ends, list);
  return box;
}

function eventRow(event) {
  const row = make("tr");
  const adds = Object.entries(event.contributions).sort((a, b) => b[1] - a[1])
    .map(([name, value]) => `${name} ${value >= 0 ? "+" : ""}${value.toFixed(1)}`).join(", ");
  row.append(make("td", "", event.source), make("td", "", when(event.start_s)));
  row.append(make("td", "n", `${(event.end_s - event.start_s).toFixed(1)} s`), make("td", "n", event.peak.toFixed(3)));
  row.append(make("td", event.state === "end" ? "" : "now", event.state === "end" ? "ended" : "lasts"));
  row.append(make("td", "", adds || "-"), make("td", "name", event.clip ? event.clip.split("/").pop() : "-"));
  return row;
}

function show(state) {
  $("cameras").replaceChildren(...state.cameras.map(camera => card(camera, state)));
  if (state.events.length) $("events").replaceChildren(...state.events.map(eventRow));
  $("notes").replaceChildren(...(state.notes.length ? state.notes : ["none"]).map(text => make("li", "", text)));
}

async function ask() {
  try {
    const answer = await fetch(`/state${location.search}`, {cache: "no-store"});
    if (!answer.ok) throw new Error(answer.status);
    show(await answer.json());
    $("lost").hidden = true;
  } catch {
    $("lost").hidden = false;
  }
  setTimeout(ask, PERIOD);
}

show(JSON.parse($("state").textContent));
ask();
